"""The items that readers yield before decoding: picture files, blocks of pixels, and rejects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Encoded:
    """The bytes of a picture file.

    Attributes:
        path: Their source, relative to the folder.
        label: The picture's label; '' for none.
        split: The split named by its folder, file or manifest, or None.
        data: The bytes.
        reencoded_from: The original format if `data` was made from it, as for a page of a TIFF; else ''.
    """

    path: str
    label: str
    split: str | None
    data: bytes
    reencoded_from: str = ""


@dataclass(frozen=True)
class Block:
    """Pictures of one size given as pixels.

    Attributes:
        path: Their file, relative to the folder.
        first: The index of the first one in the file.
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
    """A rejected picture, or a file or folder that is not read.

    Attributes:
        path: Relative to the folder.
        reason: The reason, in plain words.
        pictures: Number of pictures lost with it.
        spoils: Whether pictures read earlier from the same file must be discarded too, as after a wrong checksum.
    """

    path: str
    reason: str
    pictures: int = 1
    spoils: bool = False
