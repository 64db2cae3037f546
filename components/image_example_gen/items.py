"""The picture files that the survey finds, and the items that readers yield: picture files, blocks of pixels, and rejects."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Entry(NamedTuple):
    """A picture file found by the survey."""

    path: str  # relative to the folder; from a manifest also absolute, or a URI
    size: int  # in bytes; -1 if unknown
    label: str | None = None  # the label from a manifest; None if the path determines it
    split: str | None = None  # the split from a manifest; None if the path determines it


@dataclass(frozen=True)
class Encoded:
    """The bytes of a picture file."""

    path: str  # their source, relative to the folder
    label: str  # the picture's label; '' for none
    split: str | None  # the split named by its folder, file or manifest, or None
    data: bytes
    reencoded_from: str = ""  # the original format if `data` was made from it, as for a page of a TIFF; else ''


@dataclass(frozen=True)
class Block:
    """Pictures of one size given as pixels."""

    path: str  # their file, relative to the folder
    first: int  # the index of the first one in the file
    labels: Sequence[str]
    split: str | None
    pixels: np.ndarray  # uint8 of shape [n, height, width, channels], 0 to 255, with 1 to 4 channels


@dataclass(frozen=True)
class Rejected:
    """A rejected picture, or a file or folder that is not read."""

    path: str  # relative to the folder
    reason: str  # the reason, in plain words
    pictures: int = 1  # number of pictures lost with it
    spoils: bool = False  # whether pictures read earlier from the same file must be discarded too, as after a wrong checksum


def hash_of(text: str) -> int:
    """Return a hash of a text as an integer; sums of such hashes identify sets."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest(), "big")
