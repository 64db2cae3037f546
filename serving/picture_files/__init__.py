"""Any picture file as bytes that TensorFlow decodes as they are meant; the same at ingestion and at serving.

TensorFlow reads PNG, JPEG, BMP and GIF, with gaps: it turns no photograph upright, takes a BMP's color indices for grey levels,
and heeds no color profile. What falls into a gap, and all other formats, are decoded here and encoded once more, without loss,
as PNG.
"""

from serving.picture_files.base import MAX_MEGAPIXELS, PictureFile, PictureOptions, Refused, check_size, damaged
from serving.picture_files.formats import format_of
from serving.picture_files.frames import all_pictures
from serving.picture_files.png import write_png
from serving.picture_files.read import picture_shape, read_picture_file

__all__ = [
    "MAX_MEGAPIXELS",
    "PictureFile",
    "PictureOptions",
    "Refused",
    "all_pictures",
    "check_size",
    "damaged",
    "format_of",
    "picture_shape",
    "read_picture_file",
    "write_png",
]
