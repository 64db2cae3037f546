"""Pictures laid out on one sheet."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

WIDTH = 600  # Pixels that a sheet is at least wide: small pictures are enlarged by a whole factor to reach it.
GAP = 2  # Pixels between pictures, after enlarging.
GAP_OF_PAIRS = 10  # Between pairs, so that it is seen which two belong together.
MOST = 10_000  # Pictures that a sheet holds; nobody looks at more, and picture viewers choke on the file.
_GREY = 200  # Seen between black pictures as well as between white ones.
_ONE_ROW = 5  # So few pictures stand in one row.


def tile(images: np.ndarray, columns: int | None = None, gap: int = GAP) -> Image.Image:
    """Lays pictures out row by row on a grey sheet.

    Args:
        images: uint8 [n, h, w, c], n at least 1; c is 1 (grey), 3 (RGB) or 4 (RGBA).
        columns: Pictures in a row; by default so many that the sheet is about square.
        gap: Pixels between them.

    Returns:
        The sheet.

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
    """Joins pictures in pairs.

    Args:
        left: uint8 [n, h, w, c].
        right: The same.

    Returns:
        uint8 [n, h, 2w, c].
    """
    return np.concatenate([left, right], axis=2)


def to_image(levels: np.ndarray) -> Image.Image:
    """Returns uint8 [h, w, c] as a picture; c is 1 (grey), 3 (RGB) or 4 (RGBA)."""
    return Image.fromarray(levels[:, :, 0] if levels.shape[2] == 1 else levels)
