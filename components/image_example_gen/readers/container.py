"""The interface of all readers of container files."""

from __future__ import annotations

import abc
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from common.errors import InputError
from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Block, Encoded, Rejected
from components.image_example_gen.storage.files import FoundFile


class Container(abc.ABC):
    """The images of one file.

    Attributes:
        path: Path of the file, relative to the folder.
        split: The split in its name or its folder's, or None.
        count: Number of images, according to headers.
        row_splits: The splits that the images themselves name, with None if some name none; empty if none does.
        own_splits: The splits named by folders inside, with None for images in none; empty if no folder names one.
        told: The splits found by `label_pattern`, with None for paths without one; empty if the pattern has no group for splits.
        inner: The members for other readers, by paths that lead through the file.
        others: Members that are not used, by suffix.
        notes: Notes for the user, one line each.
        picture_shape: Height, width and channels if all images have the same; else None.
    """

    path: str
    split: str | None
    count: int
    row_splits: frozenset[str | None] = frozenset()
    own_splits: frozenset[str | None] = frozenset()
    told: frozenset[str | None] = frozenset()
    inner: tuple[FoundFile, ...] = ()
    others: Counter[str] = Counter()
    notes: tuple[str, ...] = ()
    picture_shape: tuple[int, int, int] | None = None

    def units(self, size: int) -> list[tuple[int, int]]:
        """Return ranges of about `size` images or fewer that can be read separately: the first index, and one past the last."""
        return [(start, min(start + size, self.count)) for start in range(0, self.count, size)]

    @abc.abstractmethod
    def read(self, folder: str, start: int, stop: int, config: DataConfig) -> Iterator[Block | Encoded | Rejected]:
        """Yield the images of a range in order, and rejects; no content of the file raises an error.

        Raises:
            InputError: The configuration does not fit the file.
        """


@dataclass(frozen=True)
class FileContainer(Container):
    """A container with these facts as fields; see `Container`."""

    path: str
    split: str | None
    count: int
    row_splits: frozenset[str | None] = field(default=frozenset(), kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)


def splits_of(container: Container) -> frozenset[str | None]:
    """Return the splits of a container's images, with None for images in none.

    An image's own split (`row_splits`) has priority over folders within the container (`own_splits`, or those found by a pattern,
    `told`), and these over the container's name and its folder.
    """
    rows = container.row_splits or {None}
    inside = container.told or container.own_splits or {None}
    return frozenset(rows - {None} | ({split or container.split for split in inside} if None in rows else set()))


def read_guarded(
    container: Container, folder: str, start: int, stop: int, config: DataConfig
) -> Iterator[Block | Encoded | Rejected]:
    """Read a range of a container. An unexpected error of its reader ends it as a reject, and does not stop the run.

    Raises:
        InputError: The configuration does not fit the file.
    """
    read = 0
    try:
        for item in container.read(folder, start, stop, config):
            read += len(item.pixels) if isinstance(item, Block) else getattr(item, "pictures", 1)
            yield item
    except InputError:
        raise
    except Exception as error:
        reason = reasons.DAMAGED_HERE.format(type(error).__name__)
        yield Rejected(container.path, reason, max(stop - start - read, 1))
