"""The interface of all readers of container files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from common.errors import InputError
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Block, Encoded, Rejected


class Container(Protocol):
    """The pictures of one file.

    Attributes:
        path: Path of the file, relative to the folder.
        split: The split in its name or its folder's, or None.
    """

    path: str
    split: str | None

    @property
    def count(self) -> int:
        """The number of pictures, according to headers."""

    def units(self, size: int) -> list[tuple[int, int]]:
        """Return ranges of about `size` pictures or fewer that can be read separately: the first index, and one past the last."""

    def read(self, folder: str, start: int, stop: int, config: DataConfig) -> Iterator[Block | Encoded | Rejected]:
        """Yield the pictures of a range in order, and rejects; no content of the file raises an error."""


def splits_of(container: Container) -> frozenset[str | None]:
    """Return the splits of a container's pictures, with None for pictures in none.

    A picture's own split (`row_splits`) has priority over folders within the container (`own_splits`, or those found by a pattern,
    `told`), and these over the container's name and its folder.
    """
    rows = getattr(container, "row_splits", frozenset()) or {None}
    inside = getattr(container, "told", None) or getattr(container, "own_splits", None) or {None}
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
        reason = f"damaged here ({type(error).__name__}): what follows in it is lost"
        yield Rejected(container.path, reason, max(stop - start - read, 1))
