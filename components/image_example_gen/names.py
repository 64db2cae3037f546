"""Recognize pictures by name, by the same rule as the serving commands."""

from __future__ import annotations

import posixpath

from serving.picture_names import OTHER_SUFFIXES, PICTURE_SUFFIXES, is_passed_over, is_picture

__all__ = ["OTHER_SUFFIXES", "PICTURE_SUFFIXES", "ending", "is_passed_over", "is_picture", "suffix_of"]


def suffix_of(path: str) -> str:
    """Return a file's suffix in lower case, for counting kinds of files."""
    return posixpath.splitext(path)[1].lower() or "without a suffix"


def ending(path: str, limit: int) -> str:
    """Return the end of a long path, to keep a line short."""
    return path if len(path) <= limit else f"…{path[1 - limit :]}"
