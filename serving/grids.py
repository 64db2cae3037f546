"""Lay out pictures on one sheet."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

WIDTH = 600  # Minimum width of a sheet in pixels: small pictures are enlarged by an integer factor to reach it.
GAP = 2  # Pixels between pictures, after enlarging.
GAP_OF_PAIRS = 10  # Pixels between pairs: wider, to show which two belong together.
MAX_ON_SHEET = 10_000  # Maximum number of pictures on a sheet: larger files stall picture viewers.
_GREY = 200  # Visible between black pictures and between white ones.
_ONE_ROW = 5  # Up to this many pictures form one row.


def tile(images: np.ndarray, columns: int | None = None, gap: int = GAP) -> Image.Image:
    """Lay out pictures, uint8 [n, h, w, c], row by row on a gray sheet; c is 1 (gray), 3 (RGB) or 4 (RGBA).

    The number of columns makes the sheet about square by default.

    Example:
        >>> tile(np.zeros((6, 28, 28, 1), np.uint8), columns=3).size
        (680, 454)
    """
    count, height, width, channels = images.shape
    square = math.ceil(math.sqrt(count * height / width))
    columns = min(columns or (square if count > _ONE_ROW else count), count)
    rows = math.ceil(count / columns)
    scale = max(1, math.ceil((WIDTH - gap * (columns + 1)) / (columns * width)))
    height, width = height * scale, width * scale
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, channels), _GREY, np.uint8)
    for index, image in enumerate(images):
        top = gap + (index // columns) * (height + gap)
        left = gap + (index % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = image.repeat(scale, axis=0).repeat(scale, axis=1)
    return to_image(sheet)


def side_by_side(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Join pictures in pairs: uint8 [n, h, w, c] twice -> [n, h, 2w, c]."""
    return np.concatenate([left, right], axis=2)


def to_image(levels: np.ndarray) -> Image.Image:
    """Convert uint8 [h, w, c] to a Pillow image; c is 1 (gray), 3 (RGB) or 4 (RGBA)."""
    return Image.fromarray(levels[:, :, 0] if levels.shape[2] == 1 else levels)
