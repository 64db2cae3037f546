"""Which files are taken for pictures by their names, and which names are passed over; what a file is, its bytes say."""

from __future__ import annotations

PICTURE_SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".webp", ".bmp", ".tif", ".tiff"),
    *(".pgm", ".ppm", ".pbm", ".pnm", ".pfm", ".avif", ".jp2", ".j2k", ".jpx", ".qoi", ".heic", ".heif"),
)
# Pictures of kinds that are not read: taken up all the same, so that each is refused by name and not passed over.
OTHER_SUFFIXES = (".ico", ".tga", ".svg")

# What systems and devices put beside a person's files: thumbnails, recycle bins, settings. Compared without case.
_PASSED_OVER = frozenset(
    {
        *("@eadir", "@recycle", "#recycle", "#snapshot"),  # of network storage by Synology and QNAP
        *("__macosx", "$recycle.bin", "system volume information", "lost+found"),
        *("thumbs.db", "ehthumbs.db", "desktop.ini"),
    }
)


def is_picture(name: str) -> bool:
    """Return whether a file is called like a picture."""
    return name.lower().endswith(PICTURE_SUFFIXES + OTHER_SUFFIXES)


def is_passed_over(name: str) -> bool:
    """Return whether a file or folder is none of a person's own: a hidden one, thumbnails, or files of the system.

    Args:
        name: One component of a path, such as `@eaDir` or `._x.png`; `.` and `..` are no names.
    """
    return (name.startswith(".") and name not in (".", "..")) or name.lower() in _PASSED_OVER
