"""Encode pictures as PNG: data URIs within a byte budget, and contact sheets."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

SMOOTH = Image.Resampling.LANCZOS
PIXELATED_BELOW = 96  # pixels: smaller pictures are shown enlarged, with square pixels


def has(pictures: np.ndarray | None) -> bool:
    """Return whether there is at least one picture."""
    return pictures is not None and len(pictures) > 0


def pixelated(shape: Sequence[int]) -> bool:
    """Return whether pictures of this height and width are shown enlarged without blur."""
    return max(shape[:2]) < PIXELATED_BELOW


def aspect(shape: Sequence[int]) -> str:
    """Return the class that sets the number of columns for tall, broad or even pictures."""
    height, width = shape[:2]
    return "tall" if height > 1.5 * width else "broad" if width > 1.5 * height else "even"


def to_image(picture: np.ndarray) -> Image.Image:
    """Convert uint8 [h, w, c] with 1 or 3 channels to a Pillow image."""
    return Image.fromarray(picture[..., 0], "L") if picture.shape[-1] == 1 else Image.fromarray(picture, "RGB")


def to_array(image: Image.Image) -> np.ndarray:
    """Convert a gray or RGB Pillow image to uint8 [h, w, c]."""
    array = np.asarray(image, np.uint8)
    return array[..., None] if array.ndim == 2 else array


def shrink(picture: np.ndarray, longest: int) -> np.ndarray:
    """Shrink the picture until neither side is above `longest`; never enlarge it."""
    height, width = picture.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return to_array(to_image(picture).resize(size, SMOOTH))


def png(picture: np.ndarray) -> bytes:
    """Encode uint8 [h, w, c] as a PNG file."""
    file = io.BytesIO()
    to_image(picture).save(file, "PNG")
    return file.getvalue()


def data_uri(file: bytes) -> str:
    """Return a PNG file as a data URI."""
    return "data:image/png;base64," + base64.b64encode(file).decode("ascii")


def sheet(pictures: np.ndarray, columns: int, *, gap: int = 0, ground: tuple[int, int, int] = (0, 0, 0)) -> np.ndarray:
    """Arrange pictures uint8 [n, h, w, c] in rows, left to right, with `gap` pixels of `ground` between and around them."""
    n, height, width, channels = pictures.shape
    rows = max(1, math.ceil(n / columns))
    color = ground if channels == 3 else ground[:1]
    shape = (rows * (height + gap) + gap, columns * (width + gap) + gap, channels)
    canvas = np.broadcast_to(np.array(color, np.uint8), shape).copy()
    for i, picture in enumerate(pictures):
        top, left = gap + (i // columns) * (height + gap), gap + (i % columns) * (width + gap)
        canvas[top : top + height, left : left + width] = picture
    return canvas


def fitting_uris(pictures: Sequence[np.ndarray], budget: int, longest: int = 256) -> list[str]:
    """Return data URIs of pictures uint8 [h, w, c], all shrunk equally as far as needed.

    No side is above `longest`, and all PNG files together are within `budget` bytes.
    """
    longest = min(longest, max((max(p.shape[:2]) for p in pictures), default=longest))
    return [data_uri(file) for file in _fitting(lambda side: [png(shrink(p, side)) for p in pictures], budget, longest)]


def fitting_rows(rows: Sequence[Sequence[np.ndarray]], budget: int) -> list[list[str]]:
    """Return the data URIs of rows of pictures that share a budget; see `fitting_uris`."""
    uris = iter(fitting_uris([picture for row in rows for picture in row], budget))
    return [[next(uris) for _ in row] for row in rows]


def fitting_sheet(pictures: np.ndarray, columns: int, budget: int, longest: int = 128) -> str:
    """Return the data URI of a sheet of pictures [n, h, w, c] whose tiles are shrunk as far as needed; see `fitting_uris`."""
    longest = min(longest, max(pictures.shape[1:3]))
    tiles = lambda side: np.stack([shrink(p, side) for p in pictures])  # noqa: E731
    return data_uri(_fitting(lambda side: [png(sheet(tiles(side), columns))], budget, longest)[0])


def _fitting(encode: Callable[[int], list[bytes]], budget: int, longest: int) -> list[bytes]:
    """Return `encode(side)` for the first of a falling series of sides that keeps within the budget."""
    while True:
        files = encode(longest)
        used = sum(map(len, files))
        if used <= budget or longest <= 8:
            return files
        longest = max(8, min(longest - 1, int(longest * (budget / used) ** 0.5)))
