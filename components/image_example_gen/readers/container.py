"""The interface of all readers of container files."""

from __future__ import annotations

import abc
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import ClassVar

import numpy as np

from common.errors import InputError
from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Block, Encoded, Rejected
from components.image_example_gen.storage.files import FoundFile
from serving.picture_files import Refused, check_size


@dataclass(frozen=True)
class Container(abc.ABC):
    """The images of one file."""

    damaged_here: ClassVar[str] = reasons.DAMAGED_HERE  # the reason for the images after an error

    path: str  # relative to the folder
    split: str | None  # the split in its name or its folder's, or None
    count: int  # number of images, according to headers
    _: KW_ONLY
    # Splits that the images themselves name, with None if some name none; empty if none does.
    row_splits: frozenset[str | None] = frozenset()
    # Splits named by folders inside, with None for images in none; empty if no folder names one.
    own_splits: frozenset[str | None] = frozenset()
    # Splits found by `label_pattern`, with None for paths without one; empty if the pattern has no group for splits.
    pattern_splits: frozenset[str | None] = frozenset()
    inner: tuple[FoundFile, ...] = ()  # members for other readers, by paths that lead through the file
    others: Counter[str] = field(default_factory=Counter, compare=False)  # members that are not used, by suffix
    notes: tuple[str, ...] = ()  # for the user, one line each
    picture_shape: tuple[int, int, int] | None = None  # height, width and channels if all images have the same

    @property
    def name(self) -> str:
        """The prefix of its images' names; an index follows."""
        return self.path

    def units(self, size: int) -> list[tuple[int, int]]:
        """Return ranges of about `size` images or fewer that can be read separately: the first index, and one past the last."""
        return [(start, min(start + size, self.count)) for start in range(0, self.count, size)]

    def read(self, folder: str, start: int, stop: int, config: DataConfig) -> Iterator[Block | Encoded | Rejected]:
        """Yield a range's images in order, and rejects. Raise InputError only if the configuration does not fit the file."""
        at = start
        try:
            if self.picture_shape is not None:
                check_size(self.picture_shape[:2], config.max_megapixels)
            for item in self._items(folder, start, stop, config):
                at += len(item.pixels) if isinstance(item, Block) else getattr(item, "pictures", 1)
                yield item
        except InputError:
            raise
        except Refused as refused:
            yield from (Rejected(f"{self.name}#{number}", refused.reason) for number in range(at, stop))
        except Exception as error:  # Python, libraries and stores raise many types of errors on damaged files
            yield Rejected(self.path, self.damaged_here.format(type(error).__name__), max(stop - at, 1))

    @abc.abstractmethod
    def _items(self, folder: str, start: int, stop: int, config: DataConfig) -> Iterator[Block | Encoded | Rejected]:
        """Yield like `read`; an error rejects the remaining images of the range."""


def splits_of(container: Container) -> frozenset[str | None]:
    """Return the splits of a container's images, with None for images in none.

    An image's own split (`row_splits`) has priority over folders within the container (`own_splits`, or `pattern_splits`), and
    these over the container's name and its folder.
    """
    rows = container.row_splits or {None}
    inside = container.pattern_splits or container.own_splits or {None}
    return frozenset(rows - {None} | ({split or container.split for split in inside} if None in rows else set()))


def unreadable(file: FoundFile, error: Exception) -> Rejected:
    """Return the reject of a file that cannot be opened or inspected."""
    return Rejected(file.path, reasons.UNREADABLE.format(getattr(error, "strerror", None) or type(error).__name__)[:110])


def blocks_and_rejects(
    name: str, first: int, labels: Sequence[str], splits: Sequence[str | None], pixels: np.ndarray, refused: Mapping[int, str]
) -> Iterator[Block | Rejected]:
    """Yield images that were read together: runs of one split as blocks, and rejects.

    Args:
        name: The prefix of their names.
        first: The index of the first one.
        labels: Their labels.
        splits: Their splits.
        pixels: uint8 or uint16 of shape [n, height, width, channels].
        refused: The reasons for the rejected ones, by index in `pixels`.
    """
    cuts = {0, len(pixels), *refused, *(place + 1 for place in refused)}
    if len(set(splits)) > 1:
        cuts.update(place for place in range(1, len(pixels)) if splits[place] != splits[place - 1])
    for start, stop in itertools.pairwise(sorted(cuts)):
        if start in refused:
            yield Rejected(f"{name}#{first + start}", refused[start])
        else:
            yield Block(name, first + start, labels[start:stop], splits[start], pixels[start:stop])
