"""Parse the cron expression that a user writes with cronsim, and translate it to numbers and to systemd.

The user writes five fields, as in crontab(5): minute, hour, day of month, month, day of week. If both the day of the month and the
day of the week are restricted, either of them suffices. A field that begins with `*`, such as `*/2`, does not count as restricted.
Syntax that crons interpret differently is refused.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable

from cronsim import CronSim, CronSimError

from common.errors import InputError

_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
# The fields with their allowed values.
_FIELDS = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day of month": "1 to 31",
    "month": "1 to 12 or JAN to DEC",
    "day of week": "0 to 7 or SUN to SAT",
}
_WEEKDAY = 4  # the index of the day of the week
_PART = re.compile(r"(?:\*|(?P<first>\d{1,4}|[A-Z]{3})(?:-(?P<last>\d{1,4}|[A-Z]{3}))?)(?:/(?P<step>\d{1,4}))?", re.ASCII)
_EPOCH = datetime.datetime(2000, 1, 1)


def parse_cron(text: str, option: str = "--cron") -> str:
    """Return a cron expression as five numeric fields with single spaces; Sunday is 0.

    Args:
        text: Five fields, or one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually.
        option: The name of the option, for the message.

    Raises:
        InputError: The text is not a cron expression, or names no existing date.
    """
    quoted, given = f"{option} {text!r}", text.split()
    if text.strip().startswith("@"):
        if text.strip().lower() not in _NICKNAMES:
            raise InputError(f"{quoted} is none of {', '.join(_NICKNAMES)}")
        return _NICKNAMES[text.strip().lower()]
    if given and re.match(r"(CRON_)?TZ=", given[0]):
        raise InputError(f"{quoted} begins with a time zone: leave it out, the schedule uses this machine's own clock")
    if len(given) != len(_FIELDS):
        raise InputError(
            f"{quoted} has {len(given)} fields, not five: minute, hour, day of month, month, day of week, such as '0 3 * * *'"
            + ("; seconds are not supported" if len(given) == 6 else "")
        )
    fields = []
    for index, (word, (name, allowed)) in enumerate(zip(given, _FIELDS.items())):
        try:
            fields.append(_normalized(word, index, allowed))
        except ValueError as error:
            raise InputError(f"{quoted}, {name}: {error}") from None
    _, _, day, month, weekday = fields
    if weekday.startswith("*") and not _exists(day, month):
        raise InputError(f"{quoted} never fires: day {day} is in none of its months")
    return " ".join(fields)


def on_calendar(cron: str) -> list[str]:
    """Return the values of systemd's OnCalendar= for a cron expression from `parse_cron`.

    They are one expression, or two if a day of the month or a day of the week suffices: a single expression requires both.
    """
    minutes, hours, days, months, _ = (_systemd_values(field, index) for index, field in enumerate(cron.split()))
    _, _, day, month, weekday = cron.split()
    time = f"{hours}:{minutes}:00"
    on_days, on_weekdays = f"*-{months}-{days} {time}", f"{_systemd_weekdays(weekday)}*-{months}-"
    if day.startswith("*") or weekday.startswith("*"):
        return [f"{_systemd_weekdays(weekday)}{on_days}"]
    either = f"{on_weekdays}* {time}"
    return [on_days, either] if _exists(day, month) else [either]


def _normalized(word: str, index: int, allowed: str) -> str:
    """Return the field at an index in numbers, or raise ValueError with the reason."""
    parts = word.upper().split(",")
    for place, part in enumerate(parts):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is none of: a number, a range 1-5, a list 1,5, a step */2 or 1-9/2")
        first, last, step = match["first"], match["last"], int(match["step"] or 1)
        if not first and len(parts) > 1:
            raise ValueError(f"'*' is part of the list {word!r}, which crons interpret differently: write the range out")
        if first and not last and match["step"]:
            raise ValueError(f"{part!r} has a step but no range: write {first}-{allowed.split()[2]}/{step}")
        if index == _WEEKDAY and last == "SUN" and first not in ("0", "SUN"):
            last = "7"  # cronsim knows SUN only as the first day
        span = f"{first}-{last}" if last else first or "*"
        try:
            count = len(_values(span, index))
        except CronSimError:
            raise ValueError(f"{part!r} is not a value or an ascending range of {allowed}") from None
        if step == 0 or 1 < step >= count:
            raise ValueError(f"the step {step} of {part!r} is not within its range")
        parts[place] = f"{span}/{step}" if step > 1 else span  # cronsim reads a range of one value with a step as open
    if parts[0].startswith("*"):
        return parts[0]
    runs = _runs(_values(",".join(parts), index))
    if len(runs) == 1 and runs[0][0] < runs[0][1]:
        return f"{runs[0][0]}-{runs[0][1]}"
    return ",".join(str(value) for first, last in runs for value in range(first, last + 1))


def _values(field: str, index: int) -> set[int]:
    """Return all numbers of the field at an index; Sunday is 0. Raise CronSimError if it is not valid."""
    fields = ["*"] * len(_FIELDS)
    fields[index] = field
    cron = CronSim(" ".join(fields), _EPOCH)
    return (cron.minutes, cron.hours, cron.days, cron.months, {day % 7 for day in cron.weekdays})[index]


def _exists(day: str, month: str) -> bool:
    """Return True if one of the days exists in one of the months."""
    try:
        CronSim(f"0 0 {day} {month} *", _EPOCH)
    except CronSimError:
        return False
    return True


def _systemd_values(field: str, index: int) -> str:
    """Return a field in systemd's notation: all of its values, with consecutive ones as ranges."""
    if field == "*":
        return "*"
    return ",".join(f"{first:02}..{last:02}" if last > first else f"{first:02}" for first, last in _runs(_values(field, index)))


def _systemd_weekdays(field: str) -> str:
    """Return the days of the week in systemd's notation, with a space; empty for every day. Its week begins on Monday."""
    if field == "*":
        return ""
    names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    runs = _runs((day - 1) % 7 for day in _values(field, _WEEKDAY))
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
