"""Decode pictures that TensorFlow would misread, and encode them as PNG without loss."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from serving.picture_files import profiles, reasons
from serving.picture_files.base import NAMES, UNREADABLE, PictureFile, PictureOptions, Refused, check_size, damaged
from serving.picture_files.bmp import read_bmp
from serving.picture_files.headers import png_has_frames, png_profile, webp_has_frames
from serving.picture_files.netpbm import read_netpbm
from serving.picture_files.pillow import opened, orientation, orientation_of, with_alpha
from serving.picture_files.png import read_deep_png, write_png
from serving.picture_files.samples import Samples
from serving.picture_files.tiff import Tags, bits_of, directories, is_deep, is_float, is_page, read_tiff, tiff_shape

if TYPE_CHECKING:
    from PIL.Image import Image

_HELD = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}  # Pillow modes that PNG stores without loss
_BROUGHT = {  # modes to convert to one of these
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "HSV": "RGB",
    "RGBX": "RGB",
    "RGBa": "RGBA",
    "La": "LA",
    "PA": "RGBA",
}
_SCALED = {"L", "LA", "RGB", "RGBA"}  # modes that data.levels can apply to


def remake(data: bytes, kind: str, options: PictureOptions) -> PictureFile:
    """Decode the first picture of a file, turn it upright and encode it as PNG.

    Raises:
        Refused: The file is damaged, too large, or of an unsupported kind.
    """
    tags = first_page(data) if kind == "tiff" else None
    samples = _samples(data, kind, tags, options)
    if samples is not None:
        png, notes = from_samples(samples, options)
    else:
        png, notes = _by_pillow(data, kind, bits_in(data, kind, tags), options)
    return PictureFile(png, "png", kind, notes=tuple(sorted({*notes, *rest_of(data, kind)})))


def _by_pillow(data: bytes, kind: str, bits: int, options: PictureOptions) -> tuple[bytes, set[str]]:
    try:
        with opened(data, kind, options.max_megapixels) as image:
            return from_pillow(image, kind, bits, options)
    except Refused as refused:
        if kind != "bmp" or refused.reason != damaged(kind).reason:
            raise
    return from_samples(Samples(read_bmp(data, options.max_megapixels), 255), options)


def rest_of(data: bytes, kind: str) -> tuple[str, ...]:
    """Return `pages` or `frames` if a file has more than one of them. This is cheap: only headers are read."""
    if kind == "tiff":
        return ("pages",) if _has_pages(data) else ()
    if kind == "png":
        return ("frames",) if png_has_frames(data) else ()
    if kind == "webp":
        return ("frames",) if webp_has_frames(data) else ()
    return ("frames",) if kind == "avif" and data[8:12] == b"avis" else ()


def first_page(data: bytes) -> Tags | None:
    """Return the tags of a TIFF's first page, or None if its directory is damaged."""
    try:
        return next(directories(data), None)
    except UNREADABLE:
        return None


def _has_pages(data: bytes) -> bool:
    try:
        pages = filter(is_page, directories(data))
        return next(pages, None) is not None and next(pages, None) is not None
    except UNREADABLE:
        return False


def bits_in(data: bytes, kind: str, tags: Tags | None = None) -> int:
    """Return the bits per level in a file if its header states them plainly; else 8."""
    if kind == "png":
        return data[24]
    if kind == "tiff":
        return bits_of(tags) if tags is not None else 8
    name, offset = {"jpeg2000": (b"\xff\x51", 40), "avif": (b"av1C", 6), "heic": (b"hvcC", 21)}.get(kind, (b"", 0))
    at = data.find(name) + offset if name and name in data else len(data)
    if at >= len(data):
        return 8
    if kind == "jpeg2000":
        return (data[at] & 127) + 1
    return (10 if data[at] & 64 else 8) if kind == "avif" else 8 + (data[at] & 7)


def _samples(data: bytes, kind: str, tags: Tags | None, options: PictureOptions) -> Samples | None:
    """Return the levels if they have more bits than Pillow keeps or must be scaled; None if Pillow's own levels are right."""
    max_megapixels = options.max_megapixels
    if kind in ("pnm", "pfm"):
        return read_netpbm(data, max_megapixels)
    if kind == "tiff" and tags is not None and is_deep(tags):
        return tiff_samples(data, tags, options)
    if kind == "png" and data[24] == 16 and (options.depth == 16 or options.levels):
        turned = orientation(data, kind, max_megapixels) if b"eXIf" in data else 1
        return Samples(read_deep_png(data, max_megapixels), 65535, turned, png_profile(data))
    if options.levels is None:
        return None
    with opened(data, kind, max_megapixels) as image:
        return pillow_samples(image, kind, bits_in(data, kind, tags))


def tiff_samples(data: bytes, tags: Tags, options: PictureOptions) -> Samples | None:
    """Return a page's levels if they are floats, or if more than 8 bits of them are used; else None.

    Raises:
        Refused: The options do not define the white level, or the page cannot be read.
    """
    if is_float(tags) and options.range is None:
        check_size(tiff_shape(tags)[:2], options.max_megapixels)
        raise Refused(reasons.FLOATS_WITHOUT_RANGE)
    if not is_float(tags) and bits_of(tags) > 16 and options.levels is None:
        check_size(tiff_shape(tags)[:2], options.max_megapixels)
        raise Refused(reasons.INTEGERS_OF_32_BITS)
    if not is_float(tags) and options.depth == 8 and options.levels is None:
        return None
    return read_tiff(data, tags, options.max_megapixels)


def pillow_samples(image: Image, kind: str, bits: int) -> Samples | None:
    """Return the 8 or 16-bit levels of an image, with palettes looked up; None for fewer bits or for inks (CMYK)."""
    _loaded(image, kind)
    levels = image
    if "transparency" in image.info:
        levels = with_alpha(image, bits)
    elif image.mode in ("P", "PA"):
        levels = image.convert("RGB" if image.mode == "P" else "RGBA")
    elif image.mode.startswith("I;16"):
        levels = image.convert("I;16")
    if (levels.mode not in _SCALED and levels.mode != "I;16") or (image.mode in ("1", "L") and bits < 8):
        return None  # Pillow has scaled fewer bits: their white is 255
    values = np.asarray(levels)
    values = values.reshape(*values.shape[:2], -1)
    return Samples(values, 65535 if values.itemsize == 2 else 255, orientation_of(image), image.info.get("icc_profile"))


def from_samples(samples: Samples, options: PictureOptions) -> tuple[bytes, set[str]]:
    """Return levels as a PNG file, and the notes on them (see `PictureFile.notes`)."""
    levels = samples.to_levels(options)
    notes = {"deep"} if samples.cuts(options) else set()
    if options.icc == "convert" and profiles.is_foreign(samples.profile):
        converted = profiles.levels_to_srgb(levels, samples.profile)
        if converted is not None:
            notes |= {"profile"} | ({"deep"} if converted.itemsize < levels.itemsize else set())
            levels = converted
    return write_png(levels), notes


def from_pillow(image: Image, kind: str, bits: int, options: PictureOptions) -> tuple[bytes, set[str]]:
    """Return an open picture at the wanted page or frame as a PNG file, and the notes on it (see `PictureFile.notes`)."""
    _loaded(image, kind)
    try:
        profile = image.info.get("icc_profile") if options.icc == "convert" else None
        upright = _turned(image)
        if "transparency" in upright.info:
            upright = with_alpha(upright, bits)
        converted = _converted(upright, profile) if profiles.is_foreign(profile) else None
        notes = {"profile"} if converted is not None else set()
        upright = upright if converted is None else converted
        if upright.mode.startswith("I;16"):
            upright = upright if upright.mode == "I;16" else upright.convert("I").convert("I;16")
        elif upright.mode in _BROUGHT:
            upright = upright.convert(_BROUGHT[upright.mode])
    except UNREADABLE as error:
        raise damaged(kind) from error
    if upright.mode not in _HELD:
        raise Refused(reasons.PIXEL_KIND.format(NAMES[kind]))
    if bits > 8 and (options.depth == 8 or upright.mode != "I;16"):
        notes.add("deep")
    buffer = io.BytesIO()
    # Save no profile: TensorFlow ignores it. Compress fast: the bytes are for a disk, not for a network.
    upright.save(buffer, "PNG", compress_level=1, icc_profile=None)
    return buffer.getvalue(), notes


def _loaded(image: Image, kind: str) -> None:
    try:
        image.load()
    except UNREADABLE as error:
        raise damaged(kind) from error


def _turned(image: Image) -> Image:
    """Return a picture upright."""
    from PIL.Image import Transpose

    methods = (
        *(Transpose.FLIP_LEFT_RIGHT, Transpose.ROTATE_180, Transpose.FLIP_TOP_BOTTOM),
        *(Transpose.TRANSPOSE, Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90),
    )
    turned = orientation_of(image)
    return image if turned == 1 else image.transpose(methods[turned - 2])


def _converted(image: Image, profile: bytes) -> Image | None:
    """Return a picture in sRGB, or None if its profile does not fit it."""
    if image.mode.startswith("I;16"):
        from PIL import Image as Images

        image = Images.fromarray((np.asarray(image.convert("I;16")) >> 8).astype(np.uint8))
    elif image.mode == "P":
        image = image.convert("RGB")
    elif image.mode != "CMYK" and image.mode in _BROUGHT:
        image = image.convert(_BROUGHT[image.mode])
    return profiles.to_srgb(image, profile)
