"""Convert an array's numbers to levels: determine black and white, and reject values outside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from serving.picture_files import Refused

_TOLERANCE = 1e-6  # of the range: the rounding error of float32
_MAX_TABLE = 65_535


@dataclass(frozen=True)
class Seen:
    """The values seen in part of an array."""

    least: float = 0.0  # the smallest value
    largest: float = 0.0  # the largest value
    pictures: int = 0  # the number of pictures seen; 0 for none, for example if the file is damaged


@dataclass(frozen=True)
class Levels:
    """The conversion of an array's numbers to levels."""

    white: int = 255  # the integer that is white
    low: float | None = None  # the floating-point number that is black; `low` and `high` are set only for floating-point arrays
    high: float | None = None  # the floating-point number that is white
    deep: bool = False  # whether 16 bits are kept

    def apply(self, values: np.ndarray) -> tuple[np.ndarray, dict[int, str]]:
        """Return the levels of pictures, uint8 or uint16, and the reasons for rejected ones, by index."""
        if values.dtype.kind == "f":
            return self._of_floats(values)
        if values.dtype == np.uint8 and self.white == 255:
            return values, {}
        if values.dtype.kind == "b":
            values = values.view(np.uint8)
        refused: dict[int, str] = {}
        if values.dtype.kind == "i":
            _mark(refused, values < 0, reasons.BELOW_BLACK)
        if self.white < np.iinfo(values.dtype).max:
            _mark(refused, values > self.white, reasons.ABOVE_WHITE)
        return self._scaled(values), refused

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        top, dtype = self._top()
        values = np.clip(values, 0, min(self.white, np.iinfo(values.dtype).max))
        if self.white == top:
            return values.astype(dtype)
        if self.white <= _MAX_TABLE:
            return np.rint(np.arange(self.white + 1, dtype=np.int64) * top / self.white).astype(dtype)[values]
        return np.rint(values.astype(np.float64) * top / self.white).astype(dtype)

    def _of_floats(self, values: np.ndarray) -> tuple[np.ndarray, dict[int, str]]:
        refused: dict[int, str] = {}
        values = values.astype(np.float64 if values.dtype.itemsize > 4 or self.deep else np.float32)
        slack = _TOLERANCE * (self.high - self.low)
        finite = np.isfinite(values)
        _mark(refused, ~finite, reasons.NO_NUMBER)
        with np.errstate(invalid="ignore", over="ignore"):
            _mark(refused, (values < self.low - slack) | (values > self.high + slack), reasons.OUTSIDE_RANGE)
            top, dtype = self._top()
            scaled = np.clip((values - self.low) * (top / (self.high - self.low)), 0, top)
        return np.rint(np.where(finite, scaled, 0)).astype(dtype), refused

    def _top(self) -> tuple[int, type]:
        return (65_535, np.uint16) if self.deep else (255, np.uint8)


def look(blocks: Iterable[np.ndarray], enough: int) -> Seen:
    """Return the range of the first `enough` pictures, or of a part that settles it: the first block of floating-point numbers."""
    seen = Seen()
    try:
        for values in blocks:
            values = values if values.dtype.kind != "f" else values[np.isfinite(values)]
            if values.size:
                least, largest = values.min().item(), values.max().item()
                if seen.pictures:
                    least, largest = min(least, seen.least), max(largest, seen.largest)
                seen = Seen(least, largest, seen.pictures + len(values))
            if values.dtype.kind == "f" or seen.pictures >= enough or (values.dtype == np.uint8 and seen.largest > 1):
                break
    except Exception:
        return seen
    return seen


def needs_look(dtype: np.dtype, config: DataConfig) -> bool:
    """Return whether the white level is determined from the values."""
    return dtype.kind in "iu" and config.levels is None or dtype.kind == "f" and config.range is None


def levels_of(dtype: np.dtype, seen: Seen, title: str, config: DataConfig) -> tuple[Levels, tuple[str, ...]]:
    """Return the conversion of numbers to levels, and notes on the array `title`. Raise Refused if only the user knows it."""
    if dtype.kind == "f":
        if config.range is None:
            raise Refused(reasons.FLOATS_WITHOUT_RANGE.format(_range(seen)))
        low, high = config.range
        return Levels(low=low, high=high, deep=config.depth == 16), ()
    binary = f"{title}: levels are 0 and 1, taken as black and white"
    if dtype.kind == "b":
        return Levels(1), (binary,)
    if config.levels is not None:
        return Levels(config.levels, deep=config.depth == 16 and config.levels > 255), ()
    if seen.pictures and seen.least >= 0 and seen.largest == 1:
        return Levels(1), (binary,)
    if dtype.kind == "u" and dtype.itemsize == 2:
        note = f"{title}: 65,535 is taken as white; data.levels={_bits(int(seen.largest))} says that another level is"
        return Levels(65_535, deep=config.depth == 16), (note,)
    if seen.least < 0 or seen.largest > 255:
        least, largest = int(seen.least), int(seen.largest)
        raise Refused(reasons.INTEGERS_WITHOUT_LEVELS.format(dtype.name, least, largest, _bits(largest)))
    return Levels(), ()


def _mark(refused: dict[int, str], bad: np.ndarray, reason: str) -> None:
    """Add the pictures that contain a bad value."""
    if bad.any():
        for place in np.flatnonzero(bad.reshape(len(bad), -1).any(axis=1)).tolist():
            refused.setdefault(place, reason)


def _range(seen: Seen) -> str:
    """Return the likely range of the values, as it is written in the configuration."""
    for low, high in ((0, 1), (-1, 1), (0, 255), (0, 65_535)):
        if low <= seen.least and seen.largest <= high and seen.pictures:
            return f"[{low},{high}]"
    return f"[{seen.least:g},{seen.largest:g}]" if seen.pictures else "[0,1]"


def _bits(largest: int) -> int:
    """Return the largest number with as many bits, at least 8: 4,095 for levels up to 3,000."""
    return max(255, 2 ** max(largest, 1).bit_length() - 1)
