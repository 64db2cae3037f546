"""Which files are taken for pictures, by their names; the serving commands take the same ones."""

from __future__ import annotations

import posixpath

from serving.picture_names import OTHER_SUFFIXES, PICTURE_SUFFIXES, is_passed_over, is_picture

__all__ = ["OTHER_SUFFIXES", "PICTURE_SUFFIXES", "ending", "is_passed_over", "is_picture", "suffix_of"]


def suffix_of(path: str) -> str:
    """Return how a file's name ends, to count its kind."""
    return posixpath.splitext(path)[1].lower() or "without a suffix"


def ending(path: str, most: int) -> str:
    """Return the end of a long path, for a line that is to stay short."""
    return path if len(path) <= most else f"…{path[1 - most :]}"
