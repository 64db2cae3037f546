"""What all readers of files of many pictures give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from common.errors import InputError
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Block, Encoded, Rejected


class Container(Protocol):
    """The pictures of one file.

    Attributes:
        path: Of the file, relative to the folder.
        split: The split that its name or its folder says, or None.
    """

    path: str
    split: str | None

    @property
    def count(self) -> int:
        """The number of pictures, as far as headers say it."""

    def units(self, size: int) -> list[tuple[int, int]]:
        """Ranges of at most about `size` pictures that can be read by themselves: the first one, and one behind the last."""

    def read(self, folder: str, start: int, stop: int, config: DataConfig) -> Iterator[Block | Encoded | Rejected]:
        """Yields the pictures of a range in their order, and what is refused; nothing in the file makes it raise."""


def splits_of(container: Container) -> frozenset[str | None]:
    """The splits that the pictures of a container belong to, None among them for pictures in none.

    What a picture itself says (`row_splits`) goes before the folders within the container (`own_splits`, or what a pattern
    finds in them, `told`), and these before the container's name and its folder.
    """
    rows = getattr(container, "row_splits", frozenset()) or {None}
    inside = getattr(container, "told", None) or getattr(container, "own_splits", None) or {None}
    return frozenset(rows - {None} | ({split or container.split for split in inside} if None in rows else set()))


def read_guarded(
    container: Container, folder: str, start: int, stop: int, config: DataConfig
) -> Iterator[Block | Encoded | Rejected]:
    """Reads a range of a container. What its reader did not foresee ends it as a refusal, and not the run.

    Raises:
        InputError: The configuration does not go with the file.
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
