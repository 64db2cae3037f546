"""Which files are taken for pictures, by their names; the serving commands take the same ones."""

from __future__ import annotations

from serving.picture_names import OTHER_SUFFIXES, PICTURE_SUFFIXES, is_passed_over, is_picture

__all__ = ["OTHER_SUFFIXES", "PICTURE_SUFFIXES", "is_passed_over", "is_picture"]
