"""Convert any picture file to bytes that TensorFlow decodes correctly; the same for ingestion and serving.

TensorFlow reads PNG, JPEG, BMP and GIF with gaps: it does not apply a photograph's orientation, reads a BMP's color indices as gray
levels, and ignores color profiles. Files that fall into a gap, and all other formats, are decoded here and encoded as lossless PNG.
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
