"""Levels of any depth and kind, and their conversion to levels of 8 or 16 bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from serving.picture_files import reasons
from serving.picture_files.base import PictureOptions, Refused

_NEARLY = 1e-3  # share of a range by which filters may leave levels outside it
_UPRIGHT = {  # Exif 2.32, section 4.6.4
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


@dataclass(frozen=True)
class Samples:
    """The levels of a picture.

    Attributes:
        values: Integers or floats [height, width, channels], 1 (gray), 2 (gray, alpha), 3 (color) or 4 (color, alpha).
        white: The level that is white, and opaque, in the file's format; 0 for floats, which have none.
        orientation: The Exif orientation.
        profile: The color profile.
    """

    values: np.ndarray
    white: int
    orientation: int = 1
    profile: bytes | None = None

    def cuts(self, options: PictureOptions) -> bool:
        """Return whether levels lose bits in the conversion to `options.depth` bits."""
        white = options.levels or self.white
        return options.depth == 8 and self.white > 255 and white > 255

    def to_levels(self, options: PictureOptions) -> np.ndarray:
        """Return the levels, scaled to the full range of 8 or 16 bits, rounded, and upright: uint8 or uint16 [h, w, c].

        Raises:
            Refused: Levels are above the white level or below 0, or are floats without a range or outside it.
        """
        channels = self.values.shape[2]
        colors = channels - 1 + channels % 2
        top = 2**options.depth - 1
        scaled = np.empty(self.values.shape, np.uint16 if top > 255 else np.uint8)
        scaled[..., :colors] = self._scaled(self.values[..., :colors], top, options)
        if colors < channels:
            alpha = self.values[..., colors:]
            scaled[..., colors:] = _whole(alpha, self.white, top) if self.white else _floats(alpha, (0.0, 1.0), top)
        return np.ascontiguousarray(_UPRIGHT.get(self.orientation, lambda a: a)(scaled))

    def _scaled(self, colors: np.ndarray, top: int, options: PictureOptions) -> np.ndarray:
        if colors.dtype.kind == "f":
            if options.range is None:
                raise Refused(reasons.FLOATS_WITHOUT_RANGE)
            return _floats(colors, options.range, top)
        white = options.levels or self.white
        if colors.size and (int(colors.max()) > white or int(colors.min()) < 0):
            raise Refused(reasons.OUTSIDE_LEVELS if options.levels else reasons.OUTSIDE_FORMAT)
        return _whole(colors, white, top)


def _whole(values: np.ndarray, white: int, top: int) -> np.ndarray:
    if white == top:
        return values
    if white <= 65535:  # a table is faster than a division
        table = (np.arange(white + 1, dtype=np.int64) * (2 * top) + white) // (2 * white)
        return table.astype(np.uint16)[values]
    scaled = np.empty(values.shape, np.uint16)
    for row, levels in zip(scaled, values):  # row by row: int64 for the whole picture would take up to eight times its memory
        row[:] = (levels.astype(np.int64) * (2 * top) + white) // (2 * white)
    return scaled


def _floats(values: np.ndarray, limits: tuple[float, float], top: int) -> np.ndarray:
    black, white = limits
    scaled = np.empty(values.shape, np.uint16)
    for row, levels in zip(scaled, values):
        shares = (levels.astype(np.float64) - black) / (white - black)
        if not np.isfinite(shares).all():
            raise Refused(reasons.FLOATS_NOT_FINITE)
        if shares.min() < -_NEARLY or shares.max() > 1 + _NEARLY:
            raise Refused(reasons.FLOATS_OUTSIDE_RANGE)
        row[:] = np.rint(np.clip(shares, 0.0, 1.0) * top)
    return scaled
