"""When a pipeline runs: from the cron that a person writes to those that Kubeflow Pipelines and Vertex AI take.

A person writes five fields, as crontab(5) has them: minute, hour, day of month, month, day of week. Kubeflow Pipelines takes six,
seconds first, in the dialect of robfig/cron 1: days of the week from 0 to 6, no seventh. Its server accepts five fields as well,
but takes them for seconds, minutes, hours, day of month and month; so no cron gets there but through this module.

Where both the day of the month and the day of the week are restricted, either of them suffices. A field that begins with `*`,
such as `*/2`, restricts nothing in this sense. So it is in crontab(5) and in robfig/cron 1; where these two differ, the cron is
refused. What Vertex AI makes of such a `*/2` is not known from here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from trainer.errors import InputError

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
_DURATION = re.compile(r"(?:(\d{1,5})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?", re.ASCII | re.IGNORECASE)
_MINUTE, _HOUR, _DAY = 60, 60 * 60, 24 * 60 * 60


@dataclass(frozen=True)
class _Field:
    """One of the five: what it is called, and what it may hold."""

    title: str
    low: int
    high: int
    names: dict[str, int]

    @property
    def allowed(self) -> str:
        """Its values in words."""
        named = f" or {next(iter(self.names))} to {list(self.names)[-1]}" if self.names else ""
        return f"{self.low} to {self.high}{named}"


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 7, _WEEKDAYS),
)


def parse_cron(text: str) -> str:
    """Reads a person's cron.

    Args:
        text: Five fields, or one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually.

    Returns:
        Five fields in numbers, Sunday being 0, with single spaces.

    Raises:
        InputError: It is none, or names no date that there is.
    """
    stripped = text.strip()
    if stripped.startswith("@"):
        return _nickname(stripped)
    words = stripped.split()
    if words and re.match(r"(CRON_)?TZ=", words[0]):
        raise InputError(
            f"--cron {text!r} begins with a time zone: give it as --timezone {words[0].split('=')[1] or 'Europe/Berlin'}"
        )
    if len(words) != len(_FIELDS):
        hint = "; seconds are added by themselves where they are needed" if len(words) == 6 else ""
        raise InputError(
            f"--cron {text!r} has {len(words)} fields, not five: minute, hour, day of month, month, day of week, "
            f"such as '0 3 * * *'{hint}"
        )
    fields = [_read(word, field, text) for word, field in zip(words, _FIELDS)]
    _check_dates(fields, text)
    return " ".join(fields)


def to_kfp(text: str, timezone: str | None = None) -> str:
    """The cron for Kubeflow Pipelines: six fields, at second 0.

    Args:
        text: A person's cron.
        timezone: None or "UTC". CronSchedule of the API v2beta1 has no time zone, and the prefix `TZ=` is none of robfig/cron 1.

    Raises:
        InputError: It is no cron, or for another time zone.
    """
    refuse_timezone(timezone)
    return f"0 {parse_cron(text)}"


def refuse_timezone(timezone: str | None) -> None:
    """Refuses a time zone that Kubeflow Pipelines cannot be told.

    Raises:
        InputError: It is another one than UTC.
    """
    if timezone is not None and timezone.upper() not in ("UTC", "ETC/UTC"):
        raise InputError(
            f"--timezone {timezone}: Kubeflow Pipelines takes none with a schedule, its controller goes by a time zone of its own, "
            "UTC unless whoever runs it has set CRON_SCHEDULE_TIMEZONE: write --cron in that and leave --timezone out"
        )


def to_vertex(text: str, timezone: str | None = None) -> str:
    """The cron for Vertex AI: five fields, after `TZ=...` where there is a time zone.

    Raises:
        InputError: It is no cron, or there is no such time zone.
    """
    cron = parse_cron(text)
    if timezone is None:
        return cron
    return f"TZ={_existing(timezone)} {cron}"


def from_kfp(six: str) -> str | None:
    """What a person would have written for a cron of Kubeflow Pipelines; None where five fields cannot say it."""
    words = six.split()
    if len(words) != 6 or words[0] not in ("0", "00"):
        return None
    try:
        return parse_cron(" ".join(word.replace("?", "*") for word in words[1:]))
    except InputError:
        return None


def parse_every(text: str) -> int:
    """Reads an interval such as 30m, 6h, 1d or 1d12h.

    Returns:
        Its seconds, at least 60.

    Raises:
        InputError: It is none, or less than a minute.
    """
    found = _DURATION.fullmatch(text.strip())
    if not found or not any(found.groups()):
        raise InputError(f"--every {text!r} is no interval: write days, hours and minutes, such as 30m, 6h, 1d or 1d12h")
    days, hours, minutes = (int(group or 0) for group in found.groups())
    seconds = days * _DAY + hours * _HOUR + minutes * _MINUTE
    if seconds < _MINUTE:
        raise InputError(f"--every {text!r} is less than a minute, the least there is")
    return seconds


def every_as_cron(text: str) -> str:
    """The cron that fires at an interval, for Vertex AI, which knows no intervals.

    Returns:
        Five fields, counted from midnight.

    Raises:
        InputError: It is no interval, or no cron fires at it: one does where it divides an hour, a day or a week evenly.
    """
    seconds = parse_every(text)
    if seconds < _HOUR and _HOUR % seconds == 0:
        minutes = seconds // _MINUTE
        return "* * * * *" if minutes == 1 else f"*/{minutes} * * * *"
    if seconds < _DAY and seconds % _HOUR == 0 and _DAY % seconds == 0:
        hours = seconds // _HOUR
        return "0 * * * *" if hours == 1 else f"0 */{hours} * * *"
    if seconds == _DAY:
        return "0 0 * * *"
    if seconds == 7 * _DAY:
        return "0 0 * * 0"
    raise InputError(
        f"--every {text}: Vertex AI knows crons only, and none fires so: 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 minutes, "
        "1, 2, 3, 4, 6, 8 or 12 hours, 1d and 7d can be said; else write --cron"
    )


def interval_in_words(seconds: int) -> str:
    """An interval as a person writes it: 1d12h."""
    days, rest = divmod(seconds, _DAY)
    hours, rest = divmod(rest, _HOUR)
    minutes, rest = divmod(rest, _MINUTE)
    parts = [f"{count}{unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes, "m"), (rest, "s")) if count]
    return "".join(parts) or "0s"


def _nickname(text: str) -> str:
    word = text.lower()
    if word in _NICKNAMES:
        return _NICKNAMES[word]
    known = ", ".join(_NICKNAMES)
    if word == "@reboot":
        raise InputError(f"--cron @reboot names no time: nothing here is booted that a run could follow; there are {known}")
    if word.startswith("@every"):
        raise InputError(f"--cron {text!r}: an interval is given as --every, such as --every 6h")
    raise InputError(f"--cron {text!r} is none of {known}")


def _read(word: str, field: _Field, cron: str) -> str:
    """A field in numbers."""
    parts = word.split(",")
    found = [_PART.fullmatch(part) for part in parts]
    if not all(found):
        bad = next(part for part, match in zip(parts, found) if not match)
        raise _wrong(cron, field, f"{bad!r} is none of: a number, a range 1-5, a list 1,5, a step */2 or 1-9/2")
    if len(parts) > 1 and any(match[1] for match in found):
        raise _wrong(cron, field, f"'*' is part of the list {word!r}, which crons take in different ways: write the range out")
    if len(parts) == 1 and found[0][1]:
        return _star(found[0][4], field, cron)
    read = [_range(match, field, cron) for match in found]
    if field.names is not _WEEKDAYS or all(last < 7 for _, last, _ in read):
        return ",".join(_written(*each) for each in read)
    # The seventh day is one that Kubeflow Pipelines does not know: it is written as day 0.
    days = {day % 7 for first, last, step in read for day in range(first, last + 1, step)}
    return ",".join(str(day) for day in sorted(days))


def _star(step: str | None, field: _Field, cron: str) -> str:
    if step is None or int(step) == 1:
        return "*"
    high = 6 if field.names is _WEEKDAYS else field.high
    _check_step(int(step), field.low, high, field, cron)
    return f"*/{int(step)}"


def _range(match: re.Match[str], field: _Field, cron: str) -> tuple[int, int, int]:
    """First, last and step."""
    first = _value(match[2], field, cron)
    if match[3] is None:
        if match[4] is not None:
            raise _wrong(cron, field, f"{match[0]!r} has a step but no range: write {first}-{field.high}/{match[4]}")
        return first, first, 1
    last = _value(match[3], field, cron)
    if field.names is _WEEKDAYS and match[3].upper() == "SUN" and first > 0:
        last = 7
    if first > last:
        raise _wrong(cron, field, f"the range {match[0]!r} ends before it begins: write it as two, such as 5-6,0-1")
    step = int(match[4] or 1)
    if match[4] is not None and step != 1:
        _check_step(step, first, last, field, cron)
    return first, last, step


def _value(word: str, field: _Field, cron: str) -> int:
    value = field.names.get(word.upper())
    if value is None and word.isdigit():
        value = int(word)
    if value is None or not field.low <= value <= field.high:
        raise _wrong(cron, field, f"{word!r} is not {field.allowed}")
    return value


def _check_step(step: int, first: int, last: int, field: _Field, cron: str) -> None:
    if not 1 <= step <= last - first:
        raise _wrong(cron, field, f"a step of {step} has no place between {first} and {last}")


def _written(first: int, last: int, step: int) -> str:
    if first == last:
        return str(first)
    return f"{first}-{last}" if step == 1 else f"{first}-{last}/{step}"


def _check_dates(fields: list[str], cron: str) -> None:
    """Refuses a cron for a 30th of February alone, which never comes."""
    _, _, day, month, weekday = fields
    if not weekday.startswith("*"):
        return  # the day of the week suffices, or there is no day of the month to fail
    months = _values(month, 1, 12)
    if min(_values(day, 1, 31)) > max(_LONGEST[each] for each in months):
        raise InputError(f"--cron {cron!r} never fires: day {day} is in none of its months")


def _values(field: str, low: int, high: int) -> set[int]:
    """All numbers that a field in numbers stands for."""
    values: set[int] = set()
    for part in field.split(","):
        bounds, _, step = part.partition("/")
        first, _, last = (f"{low}-{high}" if bounds == "*" else bounds).partition("-")
        values.update(range(int(first), int(last or first) + 1, int(step or 1)))
    return values


def _existing(timezone: str) -> str:
    """The time zone's name, if there is one of it."""
    from zoneinfo import available_timezones

    names = {name.lower(): name for name in available_timezones()}
    if timezone.lower() not in names:
        raise InputError(f"--timezone {timezone!r} is none: write a name of the IANA data base, such as Europe/Berlin or UTC")
    return names[timezone.lower()]


def _wrong(cron: str, field: _Field, what: str) -> InputError:
    return InputError(f"--cron {cron!r}, {field.title}: {what}")
