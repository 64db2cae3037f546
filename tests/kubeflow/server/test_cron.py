"""Crons: what a person writes fires at the same minutes as what Kubeflow Pipelines is given, by a reckoning of each of its own."""

from __future__ import annotations

import itertools
import random
from datetime import datetime, timedelta

import pytest

from common.errors import InputError
from kubeflow.server.cron import every_as_cron, from_kfp, interval_in_words, parse_cron, parse_every, to_kfp, to_vertex
from tests.crons import minutes, random_cron, random_field, unix_fires, unix_fires_fast


@pytest.mark.parametrize(
    ("written", "six"),
    [
        ("0 3 * * *", "0 0 3 * * *"),
        ("  */15   9-17 * JAN-mar Mon-FRI ", "0 */15 9-17 * 1-3 1-5"),
        ("05 03 1,15 * *", "0 5 3 1,15 * *"),
        ("0 0 * * 7", "0 0 0 * * 0"),
        ("0 0 * * FRI-SUN", "0 0 0 * * 0,5,6"),
        ("0 0 * * 1-7/2", "0 0 0 * * 0,1,3,5"),
        ("*/1 * * * *", "0 * * * * *"),
        ("0 0 13 * 5", "0 0 0 13 * 5"),
        ("@hourly", "0 0 * * * *"),
        ("@Daily", "0 0 0 * * *"),
        ("@MIDNIGHT", "0 0 0 * * *"),
        ("@weekly", "0 0 0 * * 0"),
        ("@monthly", "0 0 0 1 * *"),
        ("@yearly", "0 0 0 1 1 *"),
        ("@annually", "0 0 0 1 1 *"),
    ],
)
def test_what_a_person_writes_with_seconds(written, six):
    assert to_kfp(written) == six
    assert to_kfp(from_kfp(six)) == six
    assert to_vertex(written) == six.removeprefix("0 ")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("0 0 3 * * *", "6 fields, not five"),
        ("0 3 * *", "4 fields, not five"),
        ("", "0 fields"),
        ("60 * * * *", "minute: '60' is not a value or an ascending range of 0 to 59"),
        ("* 24 * * *", "hour: '24' is not a value or an ascending range of 0 to 23"),
        ("* * 0 * *", "day of month: '0' is not a value or an ascending range of 1 to 31"),
        ("* * * 13 *", "month: '13' is not a value or an ascending range of 1 to 12 or JAN to DEC"),
        ("* * * MAI *", "month: 'MAI' is not"),
        ("* * * * 8", "day of week: '8' is not a value or an ascending range of 0 to 7 or SUN to SAT"),
        ("MON * * * *", "minute: 'MON' is not a value or an ascending range of 0 to 59"),
        ("-5 * * * *", "minute: '-5' is none of"),
        ("1,,2 * * * *", "minute: '' is none of"),
        ("5/15 * * * *", "has a step but no range: write 5-59/15"),
        ("*/0 * * * *", "minute: the step 0 of '*/0' is not within its range"),
        ("*/60 * * * *", "the step 60 of '*/60' is not within"),
        ("1-5/9 * * * *", "the step 9 of '1-5/9' is not within"),
        ("30-10 * * * *", "'30-10' is not a value or an ascending range"),
        ("* * * * SAT-MON", "'SAT-MON' is not a value or an ascending range"),
        ("*,5 * * * *", "write the range out"),
        ("* * ? * *", "day of month: '?' is none of"),
        ("3-3/2 * * * *", "the step 2 of '3-3/2' is not within"),
        ("* * L * *", "day of month: 'L' is none of"),
        ("0 0 30 2 *", "never fires"),
        ("0 0 31 4,6,9,11 *", "never fires"),
        ("@reboot", "'@reboot' is none of @hourly"),
        ("@every 1h", "--every 6h"),
        ("@fortnightly", "is none of @hourly"),
        ("TZ=Europe/Berlin 0 3 * * *", "--timezone Europe/Berlin"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(written, words):
    with pytest.raises(InputError) as error:
        to_kfp(written)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_leap_day_and_a_day_of_the_week_are_no_mistake():
    assert parse_cron("0 0 29 2 *") == "0 0 29 2 *"
    assert parse_cron("0 0 30 2 MON") == "0 0 30 2 1"


def test_time_zones():
    assert to_vertex("0 3 * * *", "europe/berlin") == "TZ=Europe/Berlin 0 3 * * *"
    assert to_kfp("0 3 * * *", "UTC") == "0 0 3 * * *"
    with pytest.raises(InputError, match="use the controller's time zone, UTC unless"):
        to_kfp("0 3 * * *", "Europe/Berlin")
    with pytest.raises(InputError, match="IANA"):
        to_vertex("0 3 * * *", "Mars/Olympus")


@pytest.mark.parametrize(
    ("written", "seconds"), [("30m", 1800), ("6h", 21600), ("1d", 86400), ("1d12h", 129600), ("1D2H3M", 93780), (" 1m ", 60)]
)
def test_intervals(written, seconds):
    assert parse_every(written) == seconds
    assert parse_every(interval_in_words(seconds)) == seconds


@pytest.mark.parametrize("written", ["", "6", "h", "1h1d", "-1h", "1.5h", "0m", "0d0h", "1w", "30s", "6 h", "9" * 30 + "d"])
def test_no_intervals(written):
    with pytest.raises(InputError):
        parse_every(written)


def test_intervals_as_crons():
    crons = {
        "1m": "* * * * *",
        "20m": "*/20 * * * *",
        "1h": "0 * * * *",
        "60m": "0 * * * *",
        "6h": "0 */6 * * *",
        "24h": "0 0 * * *",
    }
    for written, cron in {**crons, "7d": "0 0 * * 0"}.items():
        assert every_as_cron(written) == cron
        fires = [when for when in minutes(datetime(2026, 3, 1), 15 * 24 * 60) if unix_fires(cron, when)]
        assert {later - sooner for sooner, later in itertools.pairwise(fires)} == {timedelta(seconds=parse_every(written))}
    for written in ("7m", "90m", "5h", "36h", "2d"):
        with pytest.raises(InputError, match="has only cron schedules"):
            every_as_cron(written)


def test_what_others_have_written():
    assert from_kfp("0 30 2 ? * MON-FRI") == "30 2 * * 1-5"
    for six in ("30 0 3 * * *", "*/5 * * * * *", "0 3 * * *", "@daily", "0 0 3 * * * 2026"):
        assert from_kfp(six) is None


class Robfig:
    """robfig/cron 1: a bit for each value of six fields, and a star bit that says a field was written with a star."""

    BOUNDS = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))

    def __init__(self, spec):
        words = spec.split()
        assert len(words) == 6
        self.bits = [self.field(word, *bounds) for word, bounds in zip(words, self.BOUNDS)]

    def field(self, word, low, high):
        bits, star = set(), False
        for part in word.split(","):
            span, *step = part.split("/")
            ends = span.split("-")
            starred = ends[0] in ("*", "?")
            first = low if starred else int(ends[0])
            last = high if starred or (step and len(ends) == 1) else int(ends[-1])
            assert low <= first <= last <= high, f"robfig/cron would refuse {part}"
            bits |= set(range(first, last + 1, int(step[0]) if step else 1))
            star = star or starred
        return bits, star

    def fires(self, when):
        (second, _), (minute, _), (hour, _), (day, day_star), (month, _), (weekday, weekday_star) = self.bits
        on_day, on_weekday = when.day in day, when.isoweekday() % 7 in weekday
        both = on_day and on_weekday if day_star or weekday_star else on_day or on_weekday
        return when.second in second and when.minute in minute and when.hour in hour and when.month in month and both


def test_both_fire_at_the_same_minutes():
    chance, compared, fired = random.Random(5), 0, 0
    while compared < 150:
        written = random_cron(chance)
        try:
            six = Robfig(to_kfp(written))
        except InputError as error:
            assert "never fires" in str(error), (written, error)
            continue
        start = datetime(2026, 1, 1) + timedelta(days=chance.randrange(1461))
        for when in minutes(start, 2 * 24 * 60):
            expected = unix_fires_fast(written, when)
            assert six.fires(when) == expected, (written, when)
            fired += expected
        assert not six.fires(start.replace(second=1)) and six.bits[0] == ({0}, False)
        compared += 1
    assert fired > 1000  # else it compared nothing


def test_both_fire_on_the_same_days():
    chance, compared, fired = random.Random(6), 0, 0
    while compared < 150:
        days = " ".join(random_field(chance, index) for index in (2, 3, 4))
        written = f"30 12 {days}"
        try:
            six = Robfig(to_kfp(written))
        except InputError as error:
            assert "never fires" in str(error), (written, error)
            assert not any(unix_fires_fast(written, noon) for noon in noons()), written
            continue
        for noon in noons():
            expected = unix_fires_fast(written, noon)
            assert six.fires(noon) == expected, (written, noon)
            fired += expected
        compared += 1
    assert fired > 1000


def noons():
    """Half past twelve of every day of four years, one of them a leap year."""
    return (datetime(2026, 1, 1, 12, 30) + timedelta(days=day) for day in range(1461))


def test_robfigs_rule_for_the_two_kinds_of_days():
    friday_13th, friday, sunday_13th = datetime(2026, 2, 13), datetime(2026, 2, 20), datetime(2026, 9, 13)
    either, both = Robfig(to_kfp("0 0 13 * 5")), Robfig(to_kfp("0 0 */2 * 5"))
    assert [either.fires(day) for day in (friday_13th, friday, sunday_13th)] == [True, True, True]
    assert [both.fires(day) for day in (friday_13th, friday, sunday_13th)] == [True, False, False]


def test_five_fields_would_mean_something_else_to_the_server():
    """Why no cron gets there unchanged: robfig/cron takes the first of five for seconds, and adds a star for the sixth."""
    misread = Robfig("0 3 * * * *")
    assert misread.fires(datetime(2026, 1, 1, 17, 3)) and not misread.fires(datetime(2026, 1, 1, 3, 0))
