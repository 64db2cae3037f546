"""An array in a file: its header, and reading it row by row in bounded memory."""

from __future__ import annotations

import abc
import contextlib
import errno
import math
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, ClassVar

import numpy as np

from common.errors import figure
from components.image_example_gen import reasons
from components.image_example_gen.storage.files import one_line, printable
from components.image_example_gen.storage.streams import read_fully, skip
from serving.picture_files import Refused

MAX_ARRAYS = 10_000  # in one file
# Limits of decompression. dSprites expands to 116 times its size, an array of zeros to 1,030 times.
_MAX_EXPANSION, _ALWAYS_ALLOWED = 500, 256 << 20
_REASON_LENGTH = 118


@dataclass(frozen=True)
class Array(abc.ABC):
    """An array in a file."""

    sliced: ClassVar[bool] = False  # whether rows along the last stored axis can be read without reading everything

    path: str  # path of the file, relative to the folder
    name: str  # the array's name in the file; '' if the file is the array
    shape: tuple[int, ...]  # the shape as known to the person who saved it
    dtype: np.dtype  # the dtype of its values. Variable-length text is `U`; variable-length picture files are `V`
    turned: bool = False  # whether the first axis changes fastest, as in MATLAB and Fortran
    matlab: bool = False  # whether it is from MATLAB, where the pictures usually are the last axis
    packed: bool = False  # whether it can only be read from its beginning
    chunk: int = 1  # number of rows that are best read together
    value_names: tuple[tuple[int, str], ...] = ()  # the names of its integer values, if the file has them

    @property
    def title(self) -> str:
        """The prefix of its pictures' names; an index follows."""
        return f"{self.path}/{self.name}" if self.name else self.path

    @property
    def shown(self) -> str:
        """Its name for messages; the file's name if it has none."""
        return printable(self.name or posixpath.basename(self.path))

    @property
    def stored(self) -> tuple[int, ...]:
        """The shape in file order, with the slowest axis first."""
        return self.shape[::-1] if self.turned else self.shape

    @property
    def bytes(self) -> int:
        """Size of all values in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    @abc.abstractmethod
    def rows(self, folder: str, start: int, stop: int, step: int, last: bool = False) -> Iterator[np.ndarray]:
        """Yield rows along the first or `last` stored axis, at most `step` at a time; those before damage, then any error."""


@dataclass(frozen=True)
class StreamArray(Array):
    """An array whose values are consecutive in a stream."""

    kept_as: np.dtype | None = None  # the dtype in the file if it differs from the array's; else None

    @abc.abstractmethod
    def opened(self, folder: str, all_rows: bool) -> contextlib.AbstractContextManager[BinaryIO]:
        """Open the stream at the first value; `all_rows` announces that all of it will be read, for the checksums."""

    def finish(self, stream: BinaryIO) -> None:
        """Read past the last value: gzip and zip compare their checksums only then."""
        if stream.read(1):
            raise EOFError("it has extra bytes after its end")

    def rows(self, folder: str, start: int, stop: int, step: int, last: bool = False) -> Iterator[np.ndarray]:
        if last:
            yield from self._across(folder, start, stop, step)
            return
        size = math.prod(self.stored[1:]) * (self.kept_as or self.dtype).itemsize
        at = start
        for read, rows_at_once in ((read_fully, step), (read_slowly, 1)):  # rows before damage can be read one by one
            try:
                with self.opened(folder, start == 0 and stop == self.stored[0]) as stream:
                    skip(stream, at * size)
                    while at < stop:
                        count = min(rows_at_once, stop - at)
                        yield self._values(read(stream, count * size), count)
                        at += count
                    if stop == self.stored[0]:
                        self.finish(stream)
                    return
            except Exception:
                if at == stop or read is read_slowly:
                    raise

    def _across(self, folder: str, start: int, stop: int, step: int) -> Iterator[np.ndarray]:
        """Yield rows that lie across the file; all of it is read first, see `check_size_across`."""
        with self.opened(folder, True) as stream:
            data = read_fully(stream, math.prod(self.shape) * (self.kept_as or self.dtype).itemsize)
            self.finish(stream)
        values = np.moveaxis(self._values(data, self.stored[0]), -1, 0)
        for at in range(start, stop, step):
            yield values[at : min(at + step, stop)]

    def _values(self, data: bytes, rows: int) -> np.ndarray:
        values = np.frombuffer(data, self.kept_as or self.dtype).reshape(rows, *self.stored[1:])
        return values.astype(self.dtype, copy=False)


@dataclass(frozen=True)
class ArrayFile:
    """The arrays of one file."""

    path: str  # path of the file, relative to the folder
    arrays: tuple[Array, ...]  # the readable arrays
    unread: tuple[tuple[str, str], ...] = ()  # the names of the other arrays, with reasons


def check_shape(shape: Sequence[int], itemsize: int) -> None:
    """Raise if no array in a file can have this shape."""
    if len(shape) > 32 or any(length < 0 for length in shape) or math.prod(shape) * max(itemsize, 1) >= 2**62:
        raise Refused(reasons.IMPOSSIBLE_SHAPE.format(dimensions(shape)))


def check_expansion(array: Array, size: int) -> None:
    """Raise if an array expands to far more than a file of `size` bytes plausibly holds; -1 is an unknown size."""
    if size >= 0 and array.bytes > max(_MAX_EXPANSION * size, _ALWAYS_ALLOWED):
        raise Refused(reasons.EXPANDS.format(figure(array.bytes), _MAX_EXPANSION))


def check_size_across(array: Array, max_megabytes: float) -> None:
    """Raise if the pictures of a large array lie across the file, so that it would have to be held in memory."""
    if not array.sliced and array.bytes > max_megabytes * 1e6:
        last = "[h, w, c, n]" if array.matlab else "[n, h, w, c] in C's order"
        raise Refused(reasons.ACROSS.format(max_megabytes, last))


def dimensions(shape: Sequence[int]) -> str:
    """Return the shape in words, with large numbers rounded."""
    return " x ".join(figure(length) for length in shape[:6]) + (" x ..." if len(shape) > 6 else "") if shape else "one value"


def shortened(reason: object) -> str:
    """Return a reason in one line of less than 120 characters."""
    text = one_line(reason) if isinstance(reason, Exception) else " ".join(str(reason).split())
    text = printable("".join(letter if letter.isprintable() else "?" for letter in text))
    return text if len(text) <= _REASON_LENGTH else f"{text[: _REASON_LENGTH - 3]}..."


def reason_of(error: Exception) -> str:
    """Return why a file cannot be used, from any exception raised during its inspection."""
    if isinstance(error, Refused):
        return shortened(error.reason)
    if is_of_storage(error):
        return shortened(f"it cannot be read: {error.strerror}")
    if isinstance(error, MemoryError):
        return "damaged: its header asks for more memory than there is"
    if isinstance(error, OSError) and error.errno:
        return "damaged: its header leads out of the file"
    text = one_line(error) or type(error).__name__
    return shortened(text if text.startswith("damaged") else f"damaged: {text}")


def is_of_storage(error: Exception) -> bool:
    """Return whether an error is due to a disk or a server, not to the file's content; an invalid seek is due to the content."""
    return isinstance(error, OSError) and bool(error.strerror) and error.errno != errno.EINVAL


def read_slowly(stream: BinaryIO, size: int) -> bytes:
    """Read like `read_fully`, but request no more than needed, so as not to reach damage further on."""
    read, pieces = getattr(stream, "read1", stream.read), []
    while size:
        piece = read(min(size, 1 << 16))
        if not piece:
            raise EOFError("it ends too early")
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)
