"""A picture file found by the survey."""

from __future__ import annotations

import hashlib
from typing import NamedTuple


class Entry(NamedTuple):
    """A picture file found by the survey."""

    path: str  # relative to the folder; from a manifest also absolute, or a URI
    size: int  # in bytes; -1 if unknown
    label: str | None = None  # the label from a manifest; None if the path determines it
    split: str | None = None  # the split from a manifest; None if the path determines it


def hash_of(text: str) -> int:
    """Return a hash of a text as an integer; sums of such hashes identify sets."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest(), "big")
