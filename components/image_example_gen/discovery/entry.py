"""A picture file that was found."""

from __future__ import annotations

import hashlib
from typing import NamedTuple


class Entry(NamedTuple):
    """A picture file that was found.

    Attributes:
        path: Relative to the folder; or absolute, or a URI, from a manifest.
        size: In bytes; -1 where it is not known.
        label: What a manifest says; None where its path is to say.
        split: The same for its split.
    """

    path: str
    size: int
    label: str | None = None
    split: str | None = None


def hash_of(text: str) -> int:
    """A number that tells texts apart; sums of them tell sets apart."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest(), "big")
