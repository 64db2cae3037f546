"""The IDX format of MNIST and similar data sets: numbers after a header with their type and shape."""

from __future__ import annotations

import contextlib
import gzip
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from common.errors import figure
from components.image_example_gen import reasons
from components.image_example_gen.readers.arrays.array import ArrayFile, StreamArray, check_expansion, check_shape
from components.image_example_gen.readers.beginnings import GZIP, open_unpacked, starts_with
from components.image_example_gen.storage.files import FoundFile, join, open_file
from components.image_example_gen.storage.streams import read_fully, skip
from serving.picture_files import Refused

_UNSIGNED_BYTES = b"\x00\x00\x08"
_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_PIECE = 1 << 20


@dataclass(frozen=True)
class IdxArray(StreamArray):
    """The array of an IDX file."""

    @contextlib.contextmanager
    def opened(self, folder: str, all_rows: bool) -> Iterator[BinaryIO]:
        with open_unpacked(join(folder, self.path), self.packed) as stream:
            skip(stream, 4 + 4 * len(self.shape))
            yield stream


def inspect_idx(folder: str, file: FoundFile) -> ArrayFile:
    """Read an IDX file's header. Raise Refused if it is not IDX, or the file is longer or shorter than it says."""
    path = join(folder, file.path)
    packed = starts_with(path, GZIP)
    with open_unpacked(path, packed) as stream:
        magic = stream.read(4)
        magic += read_fully(stream, 4 - len(magic)) if magic else b""
        if not magic or magic[:2] != b"\0\0" or magic[2] not in _DTYPES or not 0 < magic[3] <= 4:
            raise Refused(reasons.NO_IDX.format(magic.hex()) if magic else reasons.EMPTY)
        header = read_fully(stream, 4 * magic[3])
    shape = struct.unpack(f">{magic[3]}I", header)
    array = IdxArray(file.path, "", shape, np.dtype(_DTYPES[magic[2]]), packed=packed)
    check_shape(shape, array.dtype.itemsize)
    _check_length(path, file.size, array)
    return ArrayFile(file.path, (array,))


def write_idx(path: Path, shape: Sequence[int], blocks: Iterable[bytes]) -> None:
    """Write an IDX file under a temporary name and then rename it, so that it is complete or absent.

    Args:
        path: The destination; gzip-compressed if the name ends in .gz, without a timestamp: the same data gives the same bytes.
        shape: The shape of the data, entries first.
        blocks: The data, unsigned bytes, in any number of pieces.
    """
    temporary = path.with_name(f"{path.name}.part")
    with contextlib.ExitStack() as stack:
        stream: BinaryIO = stack.enter_context(open(temporary, "wb"))
        if path.name.lower().endswith(".gz"):
            stream = stack.enter_context(gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0))
        stream.write(_UNSIGNED_BYTES + struct.pack(f">B{len(shape)}I", len(shape), *shape))
        for block in blocks:
            stream.write(block)
    os.replace(temporary, path)


def _check_length(path: str, size: int, array: IdxArray) -> None:
    """Raise if a file is longer or shorter than its header says."""
    expected = 4 + 4 * len(array.shape) + array.bytes
    if not array.packed:
        if size >= 0 and size != expected:
            raise Refused(reasons.OTHER_LENGTH.format(figure(size), figure(expected)))
        return
    check_expansion(array, size)
    if size < 0:
        return
    with open_file(path) as stream:
        if not stream.seekable():
            return
        stream.seek(max(size - 4, 0))
        trailer = stream.read(4)  # the length modulo 2**32
    if int.from_bytes(trailer, "little") != expected % 2**32:
        _check_unpacked(path, expected)


def _check_unpacked(path: str, expected: int) -> None:
    """Raise if a compressed file expands to more or fewer bytes than its header says; this reads the whole file."""
    count = 0
    try:
        with open_unpacked(path, True) as stream:
            while piece := stream.read(min(_PIECE, expected + 1 - count)):
                count += len(piece)
    except gzip.BadGzipFile:
        raise Refused(reasons.GZIP_DAMAGED) from None
    if count != expected:
        more = reasons.UNPACKS_TO_MORE.format(figure(expected))
        raise Refused(more if count > expected else reasons.UNPACKS_TO.format(f"{count:,}", figure(expected)))
