"""Any picture file as bytes that TensorFlow decodes as they are meant; the same at ingestion and at serving.

TensorFlow reads PNG, JPEG, BMP and GIF, with gaps: it turns no photograph upright, takes a BMP's colour indices for grey
levels, and knows neither WebP nor TIFF. What falls into a gap is decoded here and encoded once more, without loss, as PNG.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

# Pixels of a picture, in millions. A larger one takes gigabytes once it is resized in floating point.
MAX_MEGAPIXELS = 50.0

_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpeg",
    b"GIF87a": "gif",
    b"GIF89a": "gif",
    b"BM": "bmp",
    b"II*\x00": "tiff",
    b"MM\x00*": "tiff",
    b"II+\x00": "tiff",
    b"MM\x00+": "tiff",
}
_NAMES = {"png": "PNG", "jpeg": "JPEG", "gif": "GIF", "bmp": "BMP", "tiff": "TIFF", "webp": "WebP"}
_ISO_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF"}
_ORIENTATION = 0x0112  # Exif 2.32, section 4.6.4: 1 is upright
_GREY_OR_COLOUR = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}  # Pillow's modes that PNG holds without loss
_BROUGHT = {  # and those that another one holds
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "HSV": "RGB",
    "RGBX": "RGB",
    "RGBa": "RGBA",
    "La": "LA",
    "PA": "RGBA",
}


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
    """

    data: bytes
    format: str
    reencoded_from: str = ""
    area: int = field(default=0, compare=False)


def read_picture_file(data: bytes, max_megapixels: float = MAX_MEGAPIXELS, anew: bool = False) -> PictureFile:
    """Brings a picture file into a form that TensorFlow decodes, upright, as it is meant; of an animation the first frame.

    Most files are kept as they are, undecoded: whether their pixels are sound is for the decoder to say.

    Args:
        data: The bytes of a PNG, JPEG, GIF, WebP, BMP or TIFF file.
        max_megapixels: A picture with more pixels, in millions, is refused by its header, before any pixel is decoded.
        anew: Decodes and encodes it here whatever it is; for what TensorFlow turns out not to read.

    Returns:
        The file as TensorFlow shall read it.

    Raises:
        Refused: It is no picture, too large, or of a kind that is not read.
    """
    kind, area = format_of(data), 0
    if kind == "png":
        area = check_size(_png_size(data), max_megapixels)
        plain = not _has_colour_key(data) and (data.find(b"eXIf") < 0 or _orientation(data, "png", max_megapixels) == 1)
    elif kind == "jpeg":
        size, exif = _jpeg_header(data)
        area = check_size(size, max_megapixels)
        plain = not exif or _orientation(data, "jpeg", max_megapixels) == 1
    elif kind == "bmp":
        plain = _bmp_is_plain(data, max_megapixels)
    else:
        plain = kind == "gif" and _gif_is_plain(data, max_megapixels)
    return (
        PictureFile(data, kind, area=area)
        if plain and not anew
        else PictureFile(_reencode(data, kind, max_megapixels), "png", kind)
    )


def format_of(data: bytes) -> str:
    """The format of a picture file by its first bytes: png, jpeg, gif, bmp, tiff or webp.

    Raises:
        Refused: It is none of these.
    """
    if not data:
        raise Refused("the file is empty")
    for signature, kind in _SIGNATURES.items():
        if data.startswith(signature):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp" and data[8:12] in _ISO_BRANDS:
        raise Refused(f"{_ISO_BRANDS[data[8:12]]} data, which is not read: save it as PNG or JPEG")
    if data.lstrip()[:4] == b"<svg":
        raise Refused("SVG data, which is not read: save it as PNG or JPEG")
    raise Refused("not a PNG, JPEG, GIF, WebP, BMP or TIFF picture, whatever the name says")


def damaged(kind: str) -> Refused:
    """The refusal of a picture of the given format that cannot be decoded."""
    return Refused(f"damaged or cut short {_NAMES[kind]} data")


def check_size(size: tuple[int, int], max_megapixels: float) -> int:
    """Height times width of a picture.

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
        raise Refused(_too_large(max_megapixels))
    return width * height


def _too_large(max_megapixels: float) -> str:
    return f"more than {max_megapixels:g} million pixels by its header: nothing of it was decoded"


def _png_size(data: bytes) -> tuple[int, int]:
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise damaged("png")
    return struct.unpack_from(">II", data, 16)


def _has_colour_key(data: bytes) -> bool:
    """Whether a PNG of grey or colour says that one level or colour is transparent (PNG specification, 11.3.2.1 tRNS).

    TensorFlow heeds that of palettes alone.
    """
    return data[25] in (0, 2) and data.find(b"tRNS", 33, max(data.find(b"IDAT", 33), 0)) > 0


def _jpeg_header(data: bytes) -> tuple[tuple[int, int], bool]:
    """Width and height of a JPEG, and whether it has Exif data (ITU-T T.81, annex B: segments up to the frame header)."""
    at, exif = 2, False
    while at + 9 < len(data):
        if data[at] != 0xFF:
            raise damaged("jpeg")
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return (width, height), exif
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:  # markers without a segment
            at += 2
            continue
        exif = exif or (marker == 0xE1 and data[at + 4 : at + 8] == b"Exif")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    raise damaged("jpeg")


def _bmp_is_plain(data: bytes, max_megapixels: float) -> bool:
    """Whether TensorFlow reads a BMP as it is meant.

    Pixels of a byte or less are indices into a table of colours; TensorFlow takes them for grey levels.
    """
    if len(data) < 54:
        return False
    pixels_at, header_size, width, height = struct.unpack_from("<IIii", data, 10)
    bits, compression = struct.unpack_from("<HI", data, 28)
    if header_size != 40 or compression != 0 or bits not in (8, 24):
        return False
    check_size((width, abs(height)), max_megapixels)
    if bits == 24:
        return True
    table = data[54:pixels_at]
    return not table or table == b"".join(bytes((level, level, level, 0)) for level in range(len(table) // 4))


def _gif_is_plain(data: bytes, max_megapixels: float) -> bool:
    """Whether a GIF is one opaque frame that fills its canvas; TensorFlow knows no transparency, and other frames cost time."""
    with _opened(data, "gif", max_megapixels) as image:
        try:
            return not (image.is_animated or "transparency" in image.info or image.tile[0].extents != (0, 0, *image.size))
        except _UNREADABLE as error:
            raise damaged("gif") from error


def _orientation(data: bytes, kind: str, max_megapixels: float) -> int:
    """Exif's orientation, 1 to 8; 1, upright, where there is none or it makes no sense."""
    try:
        with _opened(data, kind, max_megapixels) as image:
            found = image.getexif().get(_ORIENTATION, 1)
    except _UNREADABLE:  # whether its pixels are sound is seen when they are decoded
        return 1
    return found if found in range(1, 9) else 1


# What Pillow is known to raise on damaged files. Its readers are many, and so are their errors.
_UNREADABLE = (Exception,)


def _opened(data: bytes, kind: str, max_megapixels: float) -> Image:
    """A picture of which the header was read, and is not too large."""
    from PIL import Image

    if Image.MAX_IMAGE_PIXELS is not None:  # Pillow's own limit, for the whole process, speaks only above ours
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, int(max_megapixels * 1e6))
    try:
        image = Image.open(io.BytesIO(data), formats=[kind.upper()])
    except Image.DecompressionBombError:
        raise Refused(_too_large(max_megapixels)) from None
    except _UNREADABLE as error:
        raise damaged(kind) from error
    check_size(image.size, max_megapixels)
    return image


def _reencode(data: bytes, kind: str, max_megapixels: float) -> bytes:
    """Decodes the first frame, turns it upright and encodes it as PNG."""
    from PIL import ImageOps

    with _opened(data, kind, max_megapixels) as image:
        try:
            image.load()
            upright = ImageOps.exif_transpose(image)
            if "transparency" in upright.info:
                upright = _with_alpha(upright, data[24] if kind == "png" else 8)
        except _UNREADABLE as error:
            raise damaged(kind) from error
        if upright.mode.startswith("I;16"):
            upright = upright if upright.mode == "I;16" else upright.convert("I").convert("I;16")
        elif upright.mode in _BROUGHT:
            upright = upright.convert(_BROUGHT[upright.mode])
        elif upright.mode not in _GREY_OR_COLOUR:
            raise Refused(f"a {_NAMES[kind]} with pixels that are neither 8-bit nor 16-bit grey or colour: save it as PNG")
        buffer = io.BytesIO()
        # No profile goes along: TensorFlow would not heed it. A fast level: the bytes are for a disk, not for a network.
        upright.save(buffer, "PNG", compress_level=1, icc_profile=None)
        return buffer.getvalue()


def _with_alpha(image: Image, bits: int) -> Image:
    """A picture of which one level, colour or part of the palette is transparent, with an alpha channel instead.

    Args:
        image: It, upright.
        bits: Of a level in its file. Pillow stretches 2 and 4 bits to 0 to 255, and takes the upper 8 of 16, but not of the key.
    """
    key = image.info["transparency"]
    if image.mode == "I;16":  # Pillow knows no 16 bits with alpha: the upper eight are what is used anyway
        from PIL import Image

        levels = np.asarray(image)
        return Image.fromarray(np.stack([levels >> 8, 255 * (levels != key)], axis=-1).astype(np.uint8), "LA")
    if isinstance(key, int) and image.mode == "L" and bits < 8:
        image.info["transparency"] = key * 255 // (2**bits - 1)
    elif isinstance(key, tuple) and bits == 16:
        image.info["transparency"] = tuple(level >> 8 for level in key)
    return image.convert("LA" if image.mode in ("1", "L") else "RGBA")
