"""Convert any picture file to bytes that TensorFlow decodes correctly; the same for ingestion and serving."""

from __future__ import annotations

from serving.picture_files.base import UNREADABLE, PictureFile, PictureOptions, Refused, check_size, damaged
from serving.picture_files.formats import format_of, without_junk
from serving.picture_files.headers import (
    bmp_is_plain,
    check_png_chunks,
    jpeg_header,
    png_has_color_key,
    png_has_frames,
    png_profile,
    png_size,
)
from serving.picture_files.netpbm import netpbm_header
from serving.picture_files.pillow import opened, orientation, orientation_of
from serving.picture_files.profiles import is_foreign
from serving.picture_files.remake import first_page, remake
from serving.picture_files.tiff import is_deep, tiff_shape

DEFAULT = PictureOptions()
_ANY_SIZE = 1000.0  # megapixels; for reading only the header


def read_picture_file(data: bytes, options: PictureOptions = DEFAULT, anew: bool = False) -> PictureFile:
    """Convert a picture file to a form that TensorFlow decodes correctly and upright. Of an animation, use the first frame.

    Most files are returned unchanged and undecoded; the decoder detects broken pixels later.

    Args:
        data: The bytes of a file of any format in `base.NAMES`.
        options: How the file is read.
        anew: Always decode and re-encode the file here; for files that TensorFlow fails to read.

    Raises:
        Refused: The file is not a picture, too large, or of an unsupported kind. No other error is raised, whatever the bytes are.
    """
    data = without_junk(data)
    kind = format_of(data)
    try:
        if not anew and options.levels is None and kind in _KEPT:
            kept = _KEPT[kind](data, options)
            if kept is not None:
                return kept
        return remake(data, kind, options)
    except Refused:
        raise
    except UNREADABLE as error:
        raise damaged(kind) from error


def _kept_png(data: bytes, options: PictureOptions) -> PictureFile | None:
    """Return a PNG unchanged, or None if TensorFlow would not decode it correctly."""
    area = check_size(png_size(data), options.max_megapixels)
    check_png_chunks(data)
    notes: tuple[str, ...] = ("deep",) if data[24] == 16 and options.depth == 8 else ()
    if data[37:41] != b"IDAT":  # other chunks precede the pixels
        pixels_at = max(data.find(b"IDAT", 33), 0)
        if png_has_color_key(data, pixels_at):
            return None
        if options.icc == "convert" and data.find(b"iCCP", 33, pixels_at) > 0 and is_foreign(png_profile(data)):
            return None
        if data.find(b"acTL", 33, pixels_at) > 0 and png_has_frames(data):
            notes += ("frames",)
    if data.find(b"eXIf") >= 0 and orientation(data, "png", options.max_megapixels) != 1:
        return None
    return PictureFile(data, "png", area=area, notes=notes)


def _kept_jpeg(data: bytes, options: PictureOptions) -> PictureFile | None:
    """Return a JPEG unchanged, or None if it must be rotated or its colors converted."""
    size, exif, profile = jpeg_header(data)
    area = check_size(size, options.max_megapixels)
    if options.icc == "convert" and is_foreign(profile):
        return None
    if exif and orientation(data, "jpeg", options.max_megapixels) != 1:
        return None
    return PictureFile(data, "jpeg", area=area)


def _kept_bmp(data: bytes, options: PictureOptions) -> PictureFile | None:
    return PictureFile(data, "bmp") if bmp_is_plain(data, options.max_megapixels) else None


def _kept_gif(data: bytes, options: PictureOptions) -> PictureFile | None:
    """Return a GIF unchanged if it is one opaque frame that fills its canvas.

    TensorFlow ignores transparency, and more frames cost time.
    """
    with opened(data, "gif", options.max_megapixels) as image:
        if image.is_animated:
            file = remake(data, "gif", options)
            return PictureFile(file.data, file.format, file.reencoded_from, notes=(*file.notes, "frames"))
        plain = "transparency" not in image.info and image.tile[0].extents == (0, 0, *image.size)
    return PictureFile(data, "gif") if plain else None


_CHANNELS = dict.fromkeys(("1", "L", "I", "F", "I;16", "I;16B", "I;16L"), 1) | {"LA": 2, "La": 2, "RGBA": 4, "RGBa": 4, "PA": 4}
_KEPT = {"png": _kept_png, "jpeg": _kept_jpeg, "bmp": _kept_bmp, "gif": _kept_gif}


def picture_shape(data: bytes) -> tuple[int, int, int] | None:
    """Return an upright picture's height, width and channels by its header: 1 gray, 2 with alpha, 3 color, 4 with alpha.

    Return None if the header cannot be read; `read_picture_file` raises the reason.
    """
    try:
        data = without_junk(data)
        kind = format_of(data)
        if kind in ("pnm", "pfm"):
            width, height, channels = netpbm_header(data)
            return height, width, channels
        tags = first_page(data) if kind == "tiff" else None
        if tags is not None and is_deep(tags):
            width, height, channels = tiff_shape(tags)
            return height, width, min(channels, 4)
        with opened(data, kind, _ANY_SIZE) as image:
            sides = (image.width, image.height) if orientation_of(image) > 4 else (image.height, image.width)
            return *sides, _CHANNELS.get(image.mode, 3)
    except UNREADABLE:
        return None
