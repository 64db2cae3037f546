"""What reading yields, before it is decoded: picture files, blocks of pixels, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Encoded:
    """A picture file's bytes.

    Attributes:
        path: Where they came from, relative to the folder.
        label: The picture's label; '' where there is none.
        split: The split that its folder, file or manifest says, or None.
        data: The bytes.
        reencoded_from: The format in which it was found where `data` was made from it, as of a page of a TIFF; else ''.
    """

    path: str
    label: str
    split: str | None
    data: bytes
    reencoded_from: str = ""


@dataclass(frozen=True)
class Block:
    """Pictures of one size that come as pixels.

    Attributes:
        path: The file that they came from, relative to the folder.
        first: The place of the first one in it.
        labels: Their labels.
        split: Their split, or None.
        pixels: uint8 of shape [n, height, width, channels], 0 to 255, with 1 to 4 channels.
    """

    path: str
    first: int
    labels: Sequence[str]
    split: str | None
    pixels: np.ndarray


@dataclass(frozen=True)
class Rejected:
    """A picture that was refused, or a file or folder that is not read.

    Attributes:
        path: Relative to the folder.
        reason: Why, in a person's words.
        pictures: How many pictures are lost with it.
        spoils: Whether those that were read from the same file before are not to be trusted either, as by a wrong checksum.
    """

    path: str
    reason: str
    pictures: int = 1
    spoils: bool = False
