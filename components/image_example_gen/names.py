"""Which files are taken for pictures, by their names; what they are is seen in their bytes."""

from __future__ import annotations

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".webp", ".bmp", ".tif", ".tiff")
# Pictures of kinds that are not read: taken up all the same, so that each is refused by name and not passed over.
OTHER_SUFFIXES = (".heic", ".heif", ".avif", ".jp2", ".ico", ".tga", ".svg")


def is_picture(name: str) -> bool:
    """Whether a file is called like a picture."""
    return name.lower().endswith(PICTURE_SUFFIXES + OTHER_SUFFIXES)
