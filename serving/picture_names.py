"""Recognize pictures, and files to ignore, by name. The actual format of a picture is detected from its bytes."""

from __future__ import annotations

PICTURE_SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".webp", ".bmp", ".tif", ".tiff"),
    *(".pgm", ".ppm", ".pbm", ".pnm", ".pfm", ".avif", ".jp2", ".j2k", ".jpx", ".qoi", ".heic", ".heif"),
)
# Unsupported picture formats: included, so that each file is refused by name instead of ignored.
OTHER_SUFFIXES = (".ico", ".tga", ".svg")

# Files that operating systems and devices add: thumbnails, recycle bins, settings. Compared without case.
_PASSED_OVER = frozenset(
    {
        *("@eadir", "@recycle", "#recycle", "#snapshot"),  # network storage by Synology and QNAP
        *("__macosx", "$recycle.bin", "system volume information", "lost+found"),
        *("thumbs.db", "ehthumbs.db", "desktop.ini"),
    }
)


def is_picture(name: str) -> bool:
    """Return whether a file has a picture's name.

    Example:
        >>> is_picture("cat.JPG"), is_picture("notes.txt")
        (True, False)
    """
    return name.lower().endswith(PICTURE_SUFFIXES + OTHER_SUFFIXES)


def is_passed_over(name: str) -> bool:
    """Return whether a file or folder is ignored: hidden, thumbnails, or system files.

    Args:
        name: One component of a path, such as `@eaDir` or `._x.png`. `.` and `..` are not ignored.
    """
    return (name.startswith(".") and name not in (".", "..")) or name.lower() in _PASSED_OVER
