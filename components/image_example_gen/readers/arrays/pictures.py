"""The pictures of an array, with their labels, as blocks of pixels or as picture files."""

from __future__ import annotations

import abc
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from common.errors import InputError
from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Block, Encoded, Rejected
from components.image_example_gen.readers.arrays.array import Array, is_of_storage
from components.image_example_gen.readers.arrays.labels import LabelArray
from components.image_example_gen.readers.arrays.layout import Layout
from components.image_example_gen.readers.arrays.levels import Levels
from components.image_example_gen.readers.container import Container
from components.image_example_gen.readers.own_labels import split_said
from serving.picture_files import Refused, check_size

_BLOCK_BYTES = 1 << 20  # of pixels read at once
_FILES = 16  # picture files read at once
_FILE_SIGNATURES = (
    (0, b"\x89PNG\r\n"),
    (0, b"\xff\xd8\xff"),
    (0, b"GIF8"),
    (0, b"BM"),
    (0, b"II*\0"),
    (0, b"MM\0*"),
    (0, b"RIFF"),
    (0, b"qoif"),
    (4, b"ftyp"),
    (4, b"jP  "),
    *((0, b"P%d" % number) for number in range(1, 7)),
)


@dataclass(frozen=True)
class ArrayContainer(Container):
    """The pictures of one array; see `Container`.

    Attributes:
        array: The array.
        layout: The array's axes.
        labels: The array with their labels, or None.
        splits: The array with their splits, or None.
    """

    array: Array
    layout: Layout
    labels: LabelArray | None = None
    split: str | None = None
    notes: tuple[str, ...] = ()
    splits: LabelArray | None = None
    row_splits: frozenset[str | None] = frozenset()

    @property
    def path(self) -> str:
        """Path of the file, relative to the folder."""
        return self.array.path

    @property
    def name(self) -> str:
        """The prefix of its pictures' names; an index follows."""
        return self.array.title

    @property
    def count(self) -> int:
        """The number of pictures."""
        return self.layout.count

    @property
    def packed(self) -> bool:
        """True if it can only be read from its beginning, or as a whole."""
        return self.array.packed or (self.layout.is_last(self.array) and not self.array.sliced)

    def units(self, size: int) -> list[tuple[int, int]]:
        """Divide the pictures into ranges of at most `size`, in whole chunks if chunks are smaller."""
        if self.packed:
            return [(0, self.count)]
        chunk = self.array.chunk
        size = size // chunk * chunk or size
        return [(start, min(start + size, self.count)) for start in range(0, self.count, size)]

    def read(self, folder: str, start: int, stop: int, config: DataConfig) -> Iterator[Block | Encoded | Rejected]:
        """Yield the pictures `start` to `stop`, about a megabyte at a time, and rejects.

        Raises:
            InputError: The configuration does not name all labels.
        """
        at = start
        labels = itertools.repeat("")
        if self.labels is not None:
            labels = self.labels.texts(folder, start, stop, config.label_names)
        said = itertools.repeat("") if self.splits is None else self.splits.texts(folder, start, stop, ())
        try:
            self.check(config)
            for values in self.array.rows(folder, start, stop, self.step, self.layout.is_last(self.array)):
                texts = list(itertools.islice(labels, len(values)))
                if len(texts) < len(values):
                    raise EOFError("the labels end too early")
                if self.splits is None:
                    yield from self.items(at, values, texts, config)
                else:
                    yield from self._by_split(at, values, texts, list(itertools.islice(said, len(values))), config)
                at += len(values)
        except Refused as refused:
            yield from (Rejected(f"{self.name}#{number}", refused.reason) for number in range(at, stop))
        except InputError:
            raise
        except Exception as error:
            broken = reasons.ARRAY_UNREADABLE if is_of_storage(error) else reasons.ARRAY_DAMAGED
            unknown = at == stop  # somewhere in the data already read
            yield Rejected(self.name, reasons.ARRAY_CHECKSUM if unknown else broken, stop - at, spoils=unknown)

    def _by_split(
        self, at: int, values: np.ndarray, texts: Sequence[str | None], said: Sequence[str | None], config: DataConfig
    ) -> Iterator[Block | Encoded | Rejected]:
        """Yield pictures with their own splits: consecutive ones of one split together."""
        if len(said) < len(values):
            raise EOFError("the splits end too early")
        first = 0
        for split, run in itertools.groupby(said, lambda text: split_said(text or "")):
            last = first + len(list(run))
            for item in self.items(at + first, values[first:last], texts[first:last], config):
                yield item if isinstance(item, Rejected) else replace(item, split=split or self.split)
            first = last

    @abc.abstractmethod
    def check(self, config: DataConfig) -> None:
        """Raise if the header says that the pictures are too large, before any is read.

        Raises:
            Refused: They are too large.
        """

    @property
    @abc.abstractmethod
    def step(self) -> int:
        """Maximum number of pictures to hold."""

    @abc.abstractmethod
    def items(
        self, at: int, values: np.ndarray, texts: Sequence[str | None], config: DataConfig
    ) -> Iterator[Block | Encoded | Rejected]:
        """Yield the items of pictures that were read together.

        Args:
            at: The index of the first one.
            values: The values as they are stored.
            texts: Their labels; None for a rejected picture.
            config: How pictures are read.
        """


@dataclass(frozen=True)
class ArrayPictures(ArrayContainer):
    """Pictures stored as numbers.

    Attributes:
        levels: The conversion to levels.
    """

    levels: Levels = field(default_factory=Levels)

    @property
    def picture_shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return self.layout.picture

    def check(self, config: DataConfig) -> None:
        check_size(self.picture_shape[:2], config.max_megapixels)

    @property
    def step(self) -> int:
        return max(1, _BLOCK_BYTES // max(self.layout.values * self.array.dtype.itemsize, 1))

    def items(self, at: int, values: np.ndarray, texts: Sequence[str | None], config: DataConfig) -> Iterator[Block | Rejected]:
        pixels, refused = self.levels.apply(self.layout.pictures(values, self.array.turned))
        if None in texts:
            refused |= {place: reasons.NOT_ONE_OF_SEVERAL for place, text in enumerate(texts) if text is None}
        first = 0
        for place in (*sorted(refused), len(values)):
            if place > first:
                yield Block(self.name, at + first, texts[first:place], self.split, pixels[first:place])
            if place < len(values):
                yield Rejected(f"{self.name}#{at + place}", refused[place])
            first = place + 1


@dataclass(frozen=True)
class FilePictures(ArrayContainer):
    """Pictures stored as picture files, one per element."""

    def check(self, config: DataConfig) -> None:
        """Do nothing: the decoder checks each file."""

    @property
    def step(self) -> int:
        return _FILES

    def items(self, at: int, values: np.ndarray, texts: Sequence[str | None], config: DataConfig) -> Iterator[Encoded | Rejected]:
        most = config.max_file_megabytes * 1e6
        for number, (value, text) in enumerate(zip(values, texts, strict=True), at):
            path = f"{self.name}#{number}"
            if value.nbytes > most:
                yield Rejected(path, reasons.TOO_LARGE.format(config.max_file_megabytes))
            elif text is None:
                yield Rejected(path, reasons.NOT_ONE_OF_SEVERAL)
            else:
                yield Encoded(path, text, self.split, value.tobytes())


def holds_files(folder: str, array: Array) -> bool:
    """Return whether the first element of an array starts like a picture file."""
    try:
        for values in array.rows(folder, 0, 1, 1):
            begin = values[0].tobytes()[:16]
            return any(begin[at : at + len(mark)] == mark for at, mark in _FILE_SIGNATURES)
    except Exception:
        return False
    return False


def first_pictures(folder: str, pictures: ArrayPictures, most: int, most_bytes: int) -> Iterator[np.ndarray]:
    """Return the stored values of the first pictures, at most `most` pictures and `most_bytes` bytes."""
    row = max(1, pictures.layout.values * pictures.array.dtype.itemsize)
    count = min(pictures.count, most, max(1, most_bytes // row))
    step = max(1, min(_BLOCK_BYTES // row, count))
    return pictures.array.rows(folder, 0, count, step, pictures.layout.is_last(pictures.array))
