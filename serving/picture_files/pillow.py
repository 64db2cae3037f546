"""Open pictures with Pillow: check their headers, read their orientation, and turn transparent colors into an alpha channel."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from serving.picture_files import reasons
from serving.picture_files.base import UNREADABLE, Refused, check_size, damaged, too_large

if TYPE_CHECKING:
    from PIL.Image import Image

_ORIENTATION = 0x0112  # Exif 2.32, section 4.6.4: 1 is upright
_QUIET = threading.RLock()
_PILLOWS_NAMES = {"heic": "HEIF", "pnm": "PPM", "pfm": "PPM"}


def opened(data: bytes, kind: str, max_megapixels: float) -> Image:
    """Open a picture, read its header and check its size.

    Raises:
        Refused: The picture is too large or damaged, or cannot be read here.
    """
    from PIL import Image

    if Image.MAX_IMAGE_PIXELS is not None:  # Pillow's own process-wide limit applies only above ours
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, int(max_megapixels * 1e6))
    if kind == "heic":
        _need_heif()
    try:
        with without_warnings():
            image = Image.open(io.BytesIO(data), formats=[_PILLOWS_NAMES.get(kind, kind.upper())])
    except Image.DecompressionBombError:
        raise too_large(max_megapixels) from None
    except UNREADABLE as error:
        raise damaged(kind) from error
    check_size(image.size, max_megapixels)
    return image


@contextmanager
def without_warnings() -> Iterator[None]:
    """Suppress Pillow's warnings, such as those near its size limit: this project refuses pictures by its own limit."""
    with _QUIET, warnings.catch_warnings():  # warning filters are process-wide
        warnings.simplefilter("ignore")
        yield


def _need_heif() -> None:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise Refused(reasons.HEIC) from None
    register_heif_opener()


def orientation(data: bytes, kind: str, max_megapixels: float) -> int:
    """Return the Exif orientation, 1 to 8; 1 (upright) if it is missing or invalid."""
    try:
        with opened(data, kind, max_megapixels) as image:
            return orientation_of(image)
    except UNREADABLE:  # broken pixels are detected when they are decoded
        return 1


def orientation_of(image: Image) -> int:
    """Return the Exif orientation of an open image, 1 to 8; 1 (upright) if it is missing or invalid."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
        return value if value in range(1, 9) else 1
    except UNREADABLE:
        return 1


def with_alpha(image: Image, bits: int) -> Image:
    """Return an upright picture whose transparent level, color or palette entries are replaced by an alpha channel.

    Pillow scales levels of 2 and 4 bits in the file to 0 to 255 and keeps the upper 8 of 16 bits, but does not convert the
    transparent level or color in the same way.
    """
    key = image.info["transparency"]
    if image.mode == "I;16":  # Pillow has no 16-bit mode with alpha; only the upper eight bits are used anyway
        from PIL import Image

        levels = np.asarray(image)
        return Image.fromarray(np.stack([levels >> 8, 255 * (levels != key)], axis=-1).astype(np.uint8))
    if isinstance(key, int) and image.mode == "L" and bits < 8:
        image.info["transparency"] = key * 255 // (2**bits - 1)
    elif isinstance(key, tuple) and bits == 16:
        image.info["transparency"] = tuple(level >> 8 for level in key)
    return image.convert("LA" if image.mode in ("1", "L") else "RGBA")
