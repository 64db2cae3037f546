"""The options, the result and the refusal that all readers of picture files share."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serving.picture_files import reasons

# Pixels of a picture, in millions. A larger picture takes gigabytes when it is resized in floating point.
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

# Readers raise many types of errors.
UNREADABLE = (Exception,)


class Refused(Exception):
    """A picture that cannot be used. The reason has plain words and no particulars, so that equal reasons can be counted."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class PictureFile:
    """A picture file that TensorFlow reads.

    Attributes:
        data: The file's bytes.
        format: Their format: png, jpeg, gif or bmp.
        reencoded_from: The original format if `data` is a PNG made from it, else ''.
        area: Height times width according to the header; 0 if not determined.
        notes: Notes for the user. `pages` and `frames`: further pages or frames were skipped; `deep`: only the upper 8 bits of the
            levels are used; `profile`: the colors were converted to sRGB.
    """

    data: bytes
    format: str
    reencoded_from: str = ""
    area: int = field(default=0, compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class PictureOptions:
    """Options for reading picture files; the same for ingestion and serving.

    Attributes:
        max_megapixels: A picture with more pixels, in millions, is refused by its header, before any pixel is decoded.
        icc: `convert` converts pictures with a color profile other than sRGB to sRGB; `ignore` uses their levels unchanged.
        depth: Bits kept per level, 8 or 16.
        levels: The level that is white in integer pictures. None: the highest level of the format.
        range: The numbers that are black and white in floating-point pictures. None: these pictures are refused.
    """

    max_megapixels: float = MAX_MEGAPIXELS
    icc: str = "convert"
    depth: int = 8
    levels: int | None = None
    range: tuple[float, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the options that change a picture's pixels as plain values, for model.json."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name != "max_megapixels"}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PictureOptions:
        """Return the options written by `to_dict`. Missing fields have their defaults.

        Raises:
            ValueError: `icc` or `depth` has an unknown value.
        """
        known = {each.name for each in dataclasses.fields(cls)} & values.keys()
        options = cls(**{name: tuple(values[name]) if isinstance(values[name], list) else values[name] for name in known})
        if options.icc not in ("convert", "ignore") or options.depth not in (8, 16):
            raise ValueError("it names ways of reading pictures that are not known here")
        return options


def damaged(kind: str) -> Refused:
    """Return the refusal of a picture of format `kind` that cannot be decoded."""
    return Refused(reasons.DAMAGED.format(NAMES[kind]))


def check_size(size: tuple[int, int], max_megapixels: float) -> int:
    """Return height times width of a picture, from width and height according to the header.

    Raises:
        Refused: The picture has more than `max_megapixels` million pixels, or none.
    """
    width, height = size
    if width < 1 or height < 1:
        raise Refused(reasons.NO_PIXELS)
    if width * height > max_megapixels * 1e6:
        raise too_large(max_megapixels)
    return width * height


def too_large(max_megapixels: float) -> Refused:
    """Return the refusal of a picture with too many pixels."""
    return Refused(reasons.TOO_MANY_PIXELS.format(max_megapixels))
