"""What all readers of picture files share: the options, the result, the refusal."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Pixels of a picture, in millions. A larger one takes gigabytes once it is resized in floating point.
MAX_MEGAPIXELS = 50.0
NAMES = {
    "png": "PNG",
    "jpeg": "JPEG",
    "gif": "GIF",
    "bmp": "BMP",
    "tiff": "TIFF",
    "webp": "WebP",
    "avif": "AVIF",
    "heic": "HEIC",
    "jpeg2000": "JPEG 2000",
    "qoi": "QOI",
    "pnm": "PNM",
    "pfm": "PFM",
}

# What readers of files raise: they are many, and so are their errors.
UNREADABLE = (Exception,)


class Refused(Exception):
    """A picture that cannot be used.

    Args:
        reason: Why, in a person's words and without particulars, so that equal reasons can be counted.
    """

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class PictureFile:
    """A picture file that TensorFlow reads.

    Attributes:
        data: Its bytes.
        format: Their format: png, jpeg, gif or bmp.
        reencoded_from: The format in which it was found where `data` is a PNG made from it, else ''.
        area: Height times width by its header; 0 where that was not looked at.
        said: What a person should know of it. `pages` and `frames`: it has more, which were passed over; `deep`: of its levels
            the upper bits alone are used; `profile`: its colors were converted to sRGB.
    """

    data: bytes
    format: str
    reencoded_from: str = ""
    area: int = field(default=0, compare=False)
    said: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class PictureOptions:
    """How picture files are read; the same at ingestion and at serving.

    Attributes:
        max_megapixels: A picture with more pixels, in millions, is refused by its header, before any pixel is decoded.
        icc: `convert` brings pictures with a color profile other than sRGB to sRGB; `ignore` takes their levels as they are.
        depth: Bits of a level that are kept, 8 or 16.
        levels: The level that is white, of whole numbers; None: the highest that the format can hold.
        range: The numbers that are black and white, of floating-point pictures; None: these are refused.
    """

    max_megapixels: float = MAX_MEGAPIXELS
    icc: str = "convert"
    depth: int = 8
    levels: int | None = None
    range: tuple[float, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what changes a picture's pixels as plain values, for model.json."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name != "max_megapixels"}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PictureOptions:
        """Return the options that `to_dict` wrote; what is not there has its default.

        Raises:
            ValueError: A value is none that the field may have.
        """
        known = {each.name for each in dataclasses.fields(cls)} & values.keys()
        options = cls(**{name: tuple(values[name]) if isinstance(values[name], list) else values[name] for name in known})
        if options.icc not in ("convert", "ignore") or options.depth not in (8, 16):
            raise ValueError("it names ways of reading pictures that are not known here")
        return options


def damaged(kind: str) -> Refused:
    """Return the refusal of a picture of the given format that cannot be decoded."""
    return Refused(f"damaged or cut short {NAMES[kind]} data")


def check_size(size: tuple[int, int], max_megapixels: float) -> int:
    """Return height times width of a picture.

    Args:
        size: Width and height by its header.
        max_megapixels: How many pixels it may have, in millions.

    Raises:
        Refused: It has more, or none.
    """
    width, height = size
    if width < 1 or height < 1:
        raise Refused("its header says that it has no pixels")
    if width * height > max_megapixels * 1e6:
        raise too_large(max_megapixels)
    return width * height


def too_large(max_megapixels: float) -> Refused:
    """Return the refusal of a picture that has too many pixels."""
    return Refused(f"more than {max_megapixels:g} million pixels by its header: nothing of it was decoded")
