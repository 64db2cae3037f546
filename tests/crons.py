"""Crons by a reckoning of their own, and random ones."""

from __future__ import annotations

from datetime import timedelta

MONTHS = dict(zip(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], range(1, 13)))
DAYS = dict(zip(["sun", "mon", "tue", "wed", "thu", "fri", "sat"], range(7)))
BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def minutes(start, count):
    return (start + timedelta(minutes=minute) for minute in range(count))


def unix_fires(cron, when):
    """Whether a cron of five fields fires, by crontab(5)."""
    minute, hour, day, month, weekday = (unix_values(*field) for field in zip(cron.split(), BOUNDS))
    _, _, day_text, _, weekday_text = cron.split()
    on_day, on_weekday = when.day in day, when.isoweekday() % 7 in {each % 7 for each in weekday}
    both = on_day and on_weekday if day_text[0] == "*" or weekday_text[0] == "*" else on_day or on_weekday
    return when.minute in minute and when.hour in hour and when.month in month and both


def unix_values(text, bounds):
    values = set()
    for part in text.lower().split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-") if span != "*" else (str(bounds[0]), "", str(bounds[1]))
        names = MONTHS if bounds == (1, 12) else DAYS if bounds == (0, 7) else {}
        low = names.get(first, first)
        high = 7 if last == "sun" and low else names.get(last or first, last or first)
        values |= set(range(int(low), int(high) + 1, int(step or 1)))
    return values


_READ: dict = {}


def unix_fires_fast(cron, when):
    """`unix_fires`, which reads each cron once only."""
    if cron not in _READ:
        _READ.clear()
        _READ[cron] = [unix_values(*field) for field in zip(cron.split(), BOUNDS)]
    minute, hour, day, month, weekday = _READ[cron]
    if when.minute not in minute or when.hour not in hour or when.month not in month:
        return False
    return unix_fires(cron, when)


def random_cron(chance):
    """Five fields of all kinds, with names, lists, ranges and steps, that fire often enough to be compared."""
    return " ".join(random_field(chance, index) for index in range(5))


def random_field(chance, index):
    low, high = BOUNDS[index]
    kind = chance.choice(["star", "star", "step", "one", "range", "stepped range", "list", "name"])
    if kind == "star":
        return "*"
    if kind == "step":
        return f"*/{chance.randint(1, 6 if index == 4 else high - low)}"
    if kind == "list":
        return ",".join(sorted({random_part(chance, low, high) for _ in range(chance.randint(2, 5))}))
    if kind == "name" and index == 4:
        first, last = sorted(chance.sample(range(1, 8), 2))
        names = [*DAYS, "sun"]
        return f"{names[first].upper()}-{names[last].title()}"
    if kind == "name" and index == 3:
        first, last = sorted(chance.sample(list(MONTHS), 2), key=MONTHS.get)
        return f"{first.upper()}-{last}"
    return random_part(chance, low, high, stepped=kind == "stepped range")


def random_part(chance, low, high, stepped=False):
    first, last = sorted((chance.randint(low, high), chance.randint(low, high)))
    if stepped and last > first:
        return f"{first}-{last}/{chance.randint(1, last - first)}"
    return chance.choice([str(first), f"{first}-{last}"])
