"""Format numbers, times and lists for readers."""

from __future__ import annotations

import math
import re
from datetime import datetime

MINUS = "\u2212"
NOTHING = "\u2013"  # for missing numbers
NARROW_SPACE = "\u202f"


def number(value: float | None, decimals: int = 0, *, sign: bool = False) -> str:
    """Format `value` with thousands separators and a true minus sign; a dash if it is missing or not finite."""
    if value is None or not math.isfinite(value):
        return NOTHING
    written = f"{value:{'+' if sign else ''},.{decimals}f}"
    if float(written.replace(",", "")) == 0:
        written = written.lstrip("+-")
    return written.replace("-", MINUS)


def nats(value: float | None, *, sign: bool = False) -> str:
    """Format nats: two decimals below 10,000, else none."""
    return number(value, 2 if value is not None and abs(value) < 10_000 else 0, sign=sign)


def significant(value: float | None, digits: int = 3) -> str:
    """Format `value` with `digits` significant digits: 0.001, 1.5e-05, 12,300."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if exponent < -4:
        mantissa, power = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa}e{int(power)}".replace("-", MINUS)
    written = f"{value:,.{max(digits - 1 - exponent, 0)}f}"
    if "." in written:
        written = written.rstrip("0").rstrip(".")
    return written.replace("-", MINUS)


def percent(share: float | None) -> str:
    """Format a share (0 to 1) as a percentage."""
    if share is None or not math.isfinite(share):
        return NOTHING
    return f"{100 * share:.1f}{NARROW_SPACE}%" if 0 < share < 0.1 else f"{100 * share:.0f}{NARROW_SPACE}%"


def duration(seconds: float | None) -> str:
    """Format seconds as `0.8 s`, `42 s`, `3 min 12 s` or `2 h 05 min`."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    if seconds < 10:
        return f"{seconds:.1f} s"
    total = round(seconds)
    if total < 60:
        return f"{total} s"
    minutes, left = divmod(total, 60)
    if minutes < 60:
        return f"{minutes} min {left:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def moment(when: datetime) -> str:
    """Format a date and time of day in words."""
    return f"{when.day} {when:%B %Y, %H:%M} {when.tzname() or ''}".strip()


def count(amount: int, singular: str, plural: str | None = None) -> str:
    """Format an amount with its noun: `1 picture`, `2,000 pictures`."""
    return f"{number(amount)} {singular if amount == 1 else plural or singular + 's'}"


def listing(items: list[str]) -> str:
    """Join items: `a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def natural(text: str) -> list[tuple[bool, int, str]]:
    """Return a sort key that puts `label 2` before `label 10`."""
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", text.lower())]


def size(shape: tuple[int, ...]) -> str:
    """Format a shape as `28 \u00d7 28 \u00d7 1`."""
    return " \u00d7 ".join(number(n) for n in shape)


def short(value: float) -> str:
    """Format a coordinate with at most two decimals and no trailing zeros."""
    written = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if written == "-0" else written
