"""Parse the cron expression that a user writes, and translate it to numbers and to systemd.

The user writes five fields, as in crontab(5): minute, hour, day of month, month, day of week. If both the day of the month and the
day of the week are restricted, either of them suffices. A field that begins with `*`, such as `*/2`, does not count as restricted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from common.errors import InputError

_MONTHS = {name: number for number, name in enumerate("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), 1)}
_WEEKDAYS = {name: number for number, name in enumerate("SUN MON TUE WED THU FRI SAT".split())}
_LONGEST = {month: 29 if month == 2 else 30 if month in (4, 6, 9, 11) else 31 for month in range(1, 13)}
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_PART = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d+))?", re.ASCII)


@dataclass(frozen=True)
class _Field:
    """One of the five fields: its title and its allowed values."""

    title: str
    low: int
    high: int
    names: dict[str, int]

    @property
    def allowed(self) -> str:
        """The allowed values as text."""
        named = f" or {next(iter(self.names))} to {list(self.names)[-1]}" if self.names else ""
        return f"{self.low} to {self.high}{named}"


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 7, _WEEKDAYS),
)


def parse_cron(text: str, option: str = "--cron") -> str:
    """Parse a cron expression.

    Args:
        text: Five fields, or one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually.
        option: The name of the option, for the message.

    Returns:
        Five numeric fields with single spaces; Sunday is 0.

    Raises:
        InputError: The text is not a cron expression, or names no existing date.
    """
    said, stripped = f"{option} {text!r}", text.strip()
    if stripped.startswith("@"):
        return _nickname(stripped, option)
    words = stripped.split()
    if words and re.match(r"(CRON_)?TZ=", words[0]):
        raise InputError(f"{said} begins with a time zone: leave it out, the times are those of the machine's own clock")
    if len(words) != len(_FIELDS):
        raise InputError(
            f"{said} has {len(words)} fields, not five: minute, hour, day of month, month, day of week, such as '0 3 * * *'"
            + ("; there are no seconds" if len(words) == 6 else "")
        )
    fields = [_read(word, field, said) for word, field in zip(words, _FIELDS)]
    _check_dates(fields, said)
    return " ".join(fields)


def on_calendar(cron: str) -> list[str]:
    """Translate a cron expression to systemd.

    Args:
        cron: Five fields, from `parse_cron`.

    Returns:
        The values of OnCalendar=: one expression, or two if a day of the month or a day of the week suffices. A single expression
        of systemd requires both.
    """
    minute, hour, day, month, weekday = cron.split()
    time = f"{_numbers(hour, 0, 23)}:{_numbers(minute, 0, 59)}:00"
    months = _numbers(month, 1, 12)
    on_days, on_weekdays = f"*-{months}-{_numbers(day, 1, 31)} {time}", f"{_weekdays(weekday)}*-{months}-"
    if day.startswith("*") or weekday.startswith("*"):
        return [f"{_weekdays(weekday)}{on_days}"]
    either = f"{on_weekdays}* {time}"
    return [on_days, either] if _exists(day, month) else [either]


def _numbers(field: str, low: int, high: int) -> str:
    """Return a field in systemd's notation: all of its values, with consecutive ones as ranges."""
    if field == "*":
        return "*"
    return ",".join(f"{first:02}..{last:02}" if last > first else f"{first:02}" for first, last in _runs(_values(field, low, high)))


def _weekdays(field: str) -> str:
    """Return the days of the week in systemd's notation, with a space; empty for every day. Its week begins on Monday."""
    if field == "*":
        return ""
    names = "Mon Tue Wed Thu Fri Sat Sun".split()
    runs = _runs((day - 1) % 7 for day in _values(field, 0, 6))
    return ",".join(f"{names[first]}..{names[last]}" if last > first else names[first] for first, last in runs) + " "


def _runs(values: Iterable[int]) -> list[tuple[int, int]]:
    """Return sorted numbers as ranges of consecutive ones, each with its first and last."""
    runs: list[tuple[int, int]] = []
    for value in sorted(values):
        if runs and runs[-1][1] == value - 1:
            runs[-1] = runs[-1][0], value
        else:
            runs.append((value, value))
    return runs


def _nickname(text: str, option: str) -> str:
    word = text.lower()
    if word in _NICKNAMES:
        return _NICKNAMES[word]
    known = ", ".join(_NICKNAMES)
    if word == "@reboot":
        raise InputError(f"{option} @reboot names no time; there are {known}")
    raise InputError(f"{option} {text!r} is none of {known}")


def _read(word: str, field: _Field, said: str) -> str:
    """Return a field in numbers."""
    parts = word.split(",")
    found = [_PART.fullmatch(part) for part in parts]
    if not all(found):
        bad = next(part for part, match in zip(parts, found) if not match)
        raise _wrong(said, field, f"{bad!r} is none of: a number, a range 1-5, a list 1,5, a step */2 or 1-9/2")
    if len(parts) > 1 and any(match[1] for match in found):
        raise _wrong(said, field, f"'*' is part of the list {word!r}, which crons take in different ways: write the range out")
    if len(parts) == 1 and found[0][1]:
        return _star(found[0][4], field, said)
    read = [_range(match, field, said) for match in found]
    if field.names is not _WEEKDAYS or all(last < 7 for _, last, _ in read):
        return ",".join(_written(*each) for each in read)
    # Kubeflow Pipelines does not know day 7: Sunday is written as day 0.
    days = {day % 7 for first, last, step in read for day in range(first, last + 1, step)}
    return ",".join(str(day) for day in sorted(days))


def _star(step: str | None, field: _Field, said: str) -> str:
    if step is None or int(step) == 1:
        return "*"
    high = 6 if field.names is _WEEKDAYS else field.high
    _check_step(int(step), field.low, high, field, said)
    return f"*/{int(step)}"


def _range(match: re.Match[str], field: _Field, said: str) -> tuple[int, int, int]:
    """Return first, last and step."""
    first = _value(match[2], field, said)
    if match[3] is None:
        if match[4] is not None:
            raise _wrong(said, field, f"{match[0]!r} has a step but no range: write {first}-{field.high}/{match[4]}")
        return first, first, 1
    last = _value(match[3], field, said)
    if field.names is _WEEKDAYS and match[3].upper() == "SUN" and first > 0:
        last = 7
    if first > last:
        raise _wrong(said, field, f"the range {match[0]!r} ends before it begins: write it as two, such as 5-6,0-1")
    step = int(match[4] or 1)
    if match[4] is not None and step != 1:
        _check_step(step, first, last, field, said)
    return first, last, step


def _value(word: str, field: _Field, said: str) -> int:
    value = field.names.get(word.upper())
    if value is None and word.isdigit():
        value = int(word)
    if value is None or not field.low <= value <= field.high:
        raise _wrong(said, field, f"{word!r} is not {field.allowed}")
    return value


def _check_step(step: int, first: int, last: int, field: _Field, said: str) -> None:
    if not 1 <= step <= last - first:
        raise _wrong(said, field, f"a step of {step} has no place between {first} and {last}")


def _written(first: int, last: int, step: int) -> str:
    if first == last:
        return str(first)
    return f"{first}-{last}" if step == 1 else f"{first}-{last}/{step}"


def _check_dates(fields: list[str], said: str) -> None:
    """Refuse an expression that never fires, such as one for February 30 only."""
    _, _, day, month, weekday = fields
    # If the day of the week is restricted, it suffices.
    if weekday.startswith("*") and not _exists(day, month):
        raise InputError(f"{said} never fires: day {day} is in none of its months")


def _exists(day: str, month: str) -> bool:
    """Return True if one of the days exists in one of the months."""
    return min(_values(day, 1, 31)) <= max(_LONGEST[each] for each in _values(month, 1, 12))


def _values(field: str, low: int, high: int) -> set[int]:
    """Return all numbers of a numeric field."""
    values: set[int] = set()
    for part in field.split(","):
        bounds, _, step = part.partition("/")
        first, _, last = (f"{low}-{high}" if bounds == "*" else bounds).partition("-")
        values.update(range(int(first), int(last or first) + 1, int(step or 1)))
    return values


def _wrong(said: str, field: _Field, what: str) -> InputError:
    return InputError(f"{said}, {field.title}: {what}")
