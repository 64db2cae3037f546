"""The pictures of an array, with their labels, as blocks of pixels or as picture files."""

from __future__ import annotations

import abc
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from common.errors import InputError
from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Block, Encoded, Rejected
from components.image_example_gen.readers.arrays.array import Array, is_of_storage
from components.image_example_gen.readers.arrays.labels import LabelArray
from components.image_example_gen.readers.arrays.layout import Layout
from components.image_example_gen.readers.arrays.levels import Levels
from components.image_example_gen.readers.container import Container, blocks_and_rejects
from components.image_example_gen.readers.own_labels import split_said
from serving.picture_files import Refused

_BLOCK_BYTES = 1 << 20  # of pixels read at once
_FILES = 16  # picture files read at once
_FILE_SIGNATURES = re.compile(rb"\x89PNG\r\n|\xff\xd8\xff|GIF8|BM|II\*\0|MM\0\*|RIFF|qoif|P[1-6]|.{4}(ftyp|jP  )", re.DOTALL)


@dataclass(frozen=True)
class ArrayContainer(Container):
    """The pictures of one array; see `Container`."""

    array: Array
    layout: Layout
    labels: LabelArray | None = None  # the array with their labels
    splits: LabelArray | None = field(default=None, kw_only=True)  # the array with their splits

    @property
    def name(self) -> str:
        return self.array.title

    def units(self, size: int) -> list[tuple[int, int]]:
        """Divide the pictures into ranges of at most `size`, in whole chunks if chunks are smaller."""
        if self.array.packed or (self.layout.is_last(self.array) and not self.array.sliced):
            return [(0, self.count)]
        return super().units(size // self.array.chunk * self.array.chunk or size)

    def _items(self, folder: str, start: int, stop: int, config: DataConfig) -> Iterator[Block | Encoded | Rejected]:
        """Yield about a megabyte at a time."""
        at, labels, splits = start, itertools.repeat(""), itertools.repeat(self.split)
        if self.labels is not None:
            labels = self.labels.texts(folder, start, stop, config.label_names)
        if self.splits is not None:
            splits = (split_said(text or "") or self.split for text in self.splits.texts(folder, start, stop, ()))
        try:
            for values in self.array.rows(folder, start, stop, self.step, self.layout.is_last(self.array)):
                texts, own = (list(itertools.islice(each, len(values))) for each in (labels, splits))
                if min(len(texts), len(own)) < len(values):
                    raise EOFError("the labels or splits end too early")
                yield from self.convert(at, values, texts, own, config)
                at += len(values)
        except (InputError, Refused):
            raise
        except Exception as error:
            broken = reasons.ARRAY_UNREADABLE if is_of_storage(error) else reasons.ARRAY_DAMAGED
            unknown = at == stop  # somewhere in the data already read
            yield Rejected(self.name, reasons.ARRAY_CHECKSUM if unknown else broken, stop - at, spoils=unknown)

    @property
    @abc.abstractmethod
    def step(self) -> int:
        """Maximum number of pictures to hold."""

    @abc.abstractmethod
    def convert(
        self, at: int, values: np.ndarray, texts: Sequence[str | None], splits: Sequence[str | None], config: DataConfig
    ) -> Iterator[Block | Encoded | Rejected]:
        """Yield pictures that were read together: those from `at` on, of which `texts` are the labels, None for a reject."""


@dataclass(frozen=True)
class ArrayPictures(ArrayContainer):
    """Pictures stored as numbers."""

    levels: Levels = field(default_factory=Levels)

    @property
    def step(self) -> int:
        return max(1, _BLOCK_BYTES // max(self.layout.values * self.array.dtype.itemsize, 1))

    def convert(
        self, at: int, values: np.ndarray, texts: Sequence[str | None], splits: Sequence[str | None], config: DataConfig
    ) -> Iterator[Block | Rejected]:
        pixels, refused = self.levels.apply(self.layout.pictures(values, self.array.turned))
        if None in texts:
            refused |= {place: reasons.NOT_ONE_OF_SEVERAL for place, text in enumerate(texts) if text is None}
        yield from blocks_and_rejects(self.name, at, texts, splits, pixels, refused)


@dataclass(frozen=True)
class FilePictures(ArrayContainer):
    """Pictures stored as picture files, one per element."""

    @property
    def step(self) -> int:
        return _FILES

    def convert(
        self, at: int, values: np.ndarray, texts: Sequence[str | None], splits: Sequence[str | None], config: DataConfig
    ) -> Iterator[Encoded | Rejected]:
        for number, (value, text, split) in enumerate(zip(values, texts, splits, strict=True), at):
            path = f"{self.name}#{number}"
            if value.nbytes > config.max_file_megabytes * 1e6:
                yield Rejected(path, reasons.TOO_LARGE.format(config.max_file_megabytes))
            elif text is None:
                yield Rejected(path, reasons.NOT_ONE_OF_SEVERAL)
            else:
                yield Encoded(path, text, split, value.tobytes())


def holds_files(folder: str, array: Array) -> bool:
    """Return whether the first element of an array starts like a picture file."""
    try:
        for values in array.rows(folder, 0, 1, 1):
            return _FILE_SIGNATURES.match(values[0].tobytes()[:16]) is not None
    except Exception:
        return False
    return False


def first_pictures(folder: str, pictures: ArrayPictures, max_pictures: int, max_bytes: int) -> Iterator[np.ndarray]:
    """Yield the stored values of the first pictures, within both limits."""
    row = max(1, pictures.layout.values * pictures.array.dtype.itemsize)
    count = min(pictures.count, max_pictures, max(1, max_bytes // row))
    step = max(1, min(_BLOCK_BYTES // row, count))
    return pictures.array.rows(folder, 0, count, step, pictures.layout.is_last(pictures.array))
