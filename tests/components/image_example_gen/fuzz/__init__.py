"""Damages files of every format that is read: their fields, their pieces, and their bytes."""
