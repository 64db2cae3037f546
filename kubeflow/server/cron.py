"""Translate the user's cron expression, five fields as in crontab(5), for Kubeflow Pipelines and Vertex AI.

Kubeflow Pipelines takes six fields, seconds first, in the dialect of robfig/cron 1, where days of the week are 0 to 6. Its server
reads five fields as seconds, minutes, hours, day of month and month, so that every expression must pass through this module. Of
two restricted days either suffices, as in `pipeline.scheduling.cron`; what a day such as `*/2` means on Vertex AI is not known.
"""

from __future__ import annotations

import re

import pipeline.scheduling.cron
from common.errors import InputError

_DURATION = re.compile(r"(?:(\d{1,5})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?", re.ASCII | re.IGNORECASE)
_MINUTE, _HOUR, _DAY = 60, 60 * 60, 24 * 60 * 60


def parse_cron(text: str) -> str:
    """Parse a user's cron expression; see `pipeline.scheduling.cron`.

    A time zone or an interval in it raises InputError too: other options take them.
    """
    zone = re.match(r"\s*(?:CRON_)?TZ=(\S*)", text)
    if zone:
        raise InputError(f"--cron {text!r} begins with a time zone: give it as --timezone {zone[1] or 'Europe/Berlin'}")
    if text.strip().lower().startswith("@every"):
        raise InputError(f"--cron {text!r}: an interval is given as --every, such as --every 6h")
    return pipeline.scheduling.cron.parse_cron(text)


def to_kfp(text: str, timezone: str | None = None) -> str:
    """Return the cron expression for Kubeflow Pipelines: six fields, at second 0.

    `timezone` is None or "UTC": CronSchedule of the API v2beta1 has no time zone, and robfig/cron 1 has no prefix `TZ=`. Anything
    else raises InputError, like a text that is not a cron expression.
    """
    refuse_timezone(timezone)
    return f"0 {parse_cron(text)}"


def refuse_timezone(timezone: str | None) -> None:
    """Raise InputError for a time zone that Kubeflow Pipelines cannot use: any but UTC."""
    if timezone is not None and timezone.upper() not in ("UTC", "ETC/UTC"):
        raise InputError(
            f"--timezone {timezone}: Kubeflow Pipelines schedules use the controller's time zone, UTC unless "
            "CRON_SCHEDULE_TIMEZONE is set there: write --cron in that one, without --timezone"
        )


def to_vertex(text: str, timezone: str | None = None) -> str:
    """Return the cron expression for Vertex AI: five fields, after `TZ=...` if there is a time zone; or raise InputError."""
    cron = parse_cron(text)
    if timezone is None:
        return cron
    return f"TZ={_existing(timezone)} {cron}"


def from_kfp(six: str) -> str | None:
    """Return a cron expression of Kubeflow Pipelines in the user's five fields; None if they cannot represent it."""
    fields = six.split()
    if len(fields) != 6 or fields[0] not in ("0", "00"):
        return None
    try:
        return parse_cron(" ".join(field.replace("?", "*") for field in fields[1:]))
    except InputError:
        return None


def parse_every(text: str) -> int:
    """Return the seconds of an interval such as 30m, 6h, 1d or 1d12h; raise InputError if it is none, or less than a minute."""
    match = _DURATION.fullmatch(text.strip())
    if not match or not any(match.groups()):
        raise InputError(f"--every {text!r} is no interval: write days, hours and minutes, such as 30m, 6h, 1d or 1d12h")
    days, hours, minutes = (int(group or 0) for group in match.groups())
    seconds = days * _DAY + hours * _HOUR + minutes * _MINUTE
    if seconds < _MINUTE:
        raise InputError(f"--every {text!r} is less than a minute, the least there is")
    return seconds


def every_as_cron(text: str) -> str:
    """Return the cron expression that fires at an interval, because Vertex AI has no intervals: five fields, counted from midnight.

    Raises:
        InputError: The text is not an interval, or does not divide an hour, a day or a week evenly, so that no cron fires at it.
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
        f"--every {text}: Vertex AI has only cron schedules, and none has this interval: use 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 minutes, "
        "1, 2, 3, 4, 6, 8 or 12 hours, 1d or 7d, or --cron"
    )


def interval_in_words(seconds: int) -> str:
    """Return an interval in the user's notation, such as 1d12h."""
    days, rest = divmod(seconds, _DAY)
    hours, rest = divmod(rest, _HOUR)
    minutes, rest = divmod(rest, _MINUTE)
    parts = [f"{count}{unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes, "m"), (rest, "s")) if count]
    return "".join(parts) or "0s"


def _existing(timezone: str) -> str:
    """Return the exact name of a time zone."""
    from zoneinfo import available_timezones

    names = {name.lower(): name for name in available_timezones()}
    if timezone.lower() not in names:
        raise InputError(
            f"--timezone {timezone!r} is not a time zone: use a name of the IANA database, such as Europe/Berlin or UTC"
        )
    return names[timezone.lower()]
