"""A picture file found by the survey."""

from __future__ import annotations

import hashlib
from typing import NamedTuple


class Entry(NamedTuple):
    """A picture file found by the survey.

    Attributes:
        path: Relative to the folder; from a manifest also absolute, or a URI.
        size: In bytes; -1 if unknown.
        label: The label from a manifest; None if the path determines it.
        split: The split from a manifest; None if the path determines it.
    """

    path: str
    size: int
    label: str | None = None
    split: str | None = None


def hash_of(text: str) -> int:
    """Return a hash of a text as an integer; sums of such hashes identify sets."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest(), "big")
