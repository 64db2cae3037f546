"""Crons for systemd: they fire at the same minutes, by a reckoning of its expressions and by systemd itself."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from datetime import datetime, timedelta

import pytest

from common.errors import InputError
from pipeline.scheduling.cron import on_calendar, parse_cron
from tests.crons import random_cron, random_field, unix_fires_fast

WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


@pytest.mark.parametrize(
    ("cron", "calendar"),
    [
        ("0 3 * * *", ["*-*-* 03:00:00"]),
        ("*/15 9-17 * * MON-FRI", ["Mon..Fri *-*-* 09..17:00,15,30,45:00"]),
        ("0 0 * * 7", ["Sun *-*-* 00:00:00"]),
        ("0 0 * * FRI-SUN", ["Fri..Sun *-*-* 00:00:00"]),
        ("0 0 * * SUN,mon", ["Mon,Sun *-*-* 00:00:00"]),
        ("5 4 1,15 JAN-mar *", ["*-01..03-01,15 04:05:00"]),
        ("0 0 13 * FRI", ["*-*-13 00:00:00", "Fri *-*-* 00:00:00"]),
        ("0 0 */10 * FRI", ["Fri *-*-01,11,21,31 00:00:00"]),
        ("0 0 30 2 MON", ["Mon *-02-* 00:00:00"]),
        ("* * * * *", ["*-*-* *:*:00"]),
        ("@weekly", ["Sun *-*-* 00:00:00"]),
        ("@Hourly", ["*-*-* *:00:00"]),
        ("@yearly", ["*-01-01 00:00:00"]),
    ],
)
def test_expressions(cron, calendar):
    assert on_calendar(parse_cron(cron)) == calendar


def test_the_option_is_named():
    with pytest.raises(InputError, match="^--install '0 3 \\* \\*' has 4 fields, not five"):
        parse_cron("0 3 * *", "--install")
    with pytest.raises(InputError, match="^--install 'TZ=UTC 0 3 .*own clock$"):
        parse_cron("TZ=UTC 0 3 * * *", "--install")


def crons(seed, count):
    """Random crons that fire, and ones of which the time of day is fixed."""
    chance, made = random.Random(seed), []
    while len(made) < count:
        cron = random_cron(chance) if len(made) % 2 else "30 12 " + " ".join(random_field(chance, index) for index in (2, 3, 4))
        try:
            parse_cron(cron)
        except InputError as error:
            assert "never fires" in str(error), cron
            continue
        made.append(cron)
    return made


class Calendar:
    """What systemd.time(7) says of an expression."""

    def __init__(self, text):
        *weekdays, date, time = text.split()
        year, month, day = date.split("-")
        hour, minute, second = time.split(":")
        assert (year, second) == ("*", "00")
        self.month, self.day, self.hour, self.minute = map(self.values, (month, day, hour, minute))
        self.weekdays = self.values(weekdays[0]) if weekdays else None

    @staticmethod
    def values(text):
        if text == "*":
            return None
        found = set()
        for part in text.split(","):
            first, _, last = part.partition("..")
            low, high = (WEEKDAYS.index(end) if end in WEEKDAYS else int(end) for end in (first, last or first))
            found |= set(range(low, high + 1))
        return found

    def fires(self, when):
        allowed = (self.month, self.day, self.hour, self.minute, self.weekdays)
        now = (when.month, when.day, when.hour, when.minute, when.weekday())
        return all(values is None or value in values for values, value in zip(allowed, now))


def test_both_fire_at_the_same_minutes_of_two_years():
    chance, fired = random.Random(7), 0
    for cron in crons(8, 300):
        calendars = [Calendar(text) for text in on_calendar(parse_cron(cron))]
        days = [datetime(2027, 1, 1) + timedelta(days=day) for day in range(731)]  # 2028 is a leap year
        times = [day + timedelta(minutes=chance.randrange(1440)) for day in days] + [
            day.replace(hour=12, minute=30) for day in days
        ]
        whole = chance.choice(days)
        for when in (*times, *(whole + timedelta(minutes=minute) for minute in range(1440))):
            expected = unix_fires_fast(cron, when)
            assert any(calendar.fires(when) for calendar in calendars) == expected, (cron, when)
            fired += expected
    assert fired > 5000  # else it compared nothing


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze here")
def test_systemd_reckons_the_same():
    start = datetime(2027, 1, 1)
    for cron in crons(9, 40):
        expected, when = [], start
        while len(expected) < 6 and when < start + timedelta(days=800):
            expected += [when] if unix_fires_fast(cron, when) else []
            # A day at a time where none of its minutes can fire.
            when += timedelta(days=1) if when.hour == when.minute == 0 and not on_day(cron, when) else timedelta(minutes=1)
        found = set()
        for text in on_calendar(parse_cron(cron)):
            done = subprocess.run(
                ["systemd-analyze", "calendar", text, "--iterations=6", "--base-time=2026-12-31 23:59:59 UTC"],
                capture_output=True,
                text=True,
                env={"TZ": "UTC", "PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            )
            assert done.returncode == 0, (text, done.stderr)
            stamps = re.findall(r"(?:elapse|Iteration #\d+|Iter\. #\d+): \w{3} (\d{4}-\d\d-\d\d \d\d:\d\d):00 UTC", done.stdout)
            found |= {datetime.strptime(stamp, "%Y-%m-%d %H:%M") for stamp in stamps}
        assert sorted(found)[: len(expected)] == expected, cron
        assert expected, cron


def on_day(cron, day):
    """Whether a cron fires on a day, at any time of it."""
    return unix_fires_fast(f"* * {' '.join(cron.split()[2:])}", day.replace(hour=0, minute=0))
