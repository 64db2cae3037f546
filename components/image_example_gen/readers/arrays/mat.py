"""Read MATLAB's .mat files, versions 5 to 7.2, as streams; objects and functions are never loaded.

The format is in MathWorks' "MAT-File Format". A file of version 7.3 is HDF5.
"""

from __future__ import annotations

import contextlib
import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from components.image_example_gen import reasons
from components.image_example_gen.readers.arrays.array import (
    MAX_ARRAYS,
    Array,
    ArrayFile,
    StreamArray,
    check_expansion,
    check_shape,
    reason_of,
)
from components.image_example_gen.storage.files import FoundFile, join, open_seekable
from components.image_example_gen.storage.streams import read_fully, skip
from serving.picture_files import Refused

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_COMPLEX, _LOGICAL = 0x0800, 0x0200
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8", 16: "u1", 17: "u2"}
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_CHARACTERS = 4
_OTHERS = {1: "cells", 2: "a struct", 3: "an object", 5: "a sparse matrix", 16: "a function", 17: "an object"}
_MAX_DIMENSIONS, _MAX_NAME, _MAX_TEXT = 32, 1 << 12, 1 << 20
_PIECE = 1 << 16


@dataclass(frozen=True)
class MatArray(StreamArray):
    """A numeric variable of a .mat file."""

    element: int = 0  # offset of its element's data in the file
    length: int = 0  # length of that data in bytes
    offset: int = 0  # offset of the first value in the decompressed data

    @contextlib.contextmanager
    def opened(self, folder: str, all_rows: bool) -> Iterator[BinaryIO]:
        with open_seekable(join(folder, self.path)) as stream:
            stream.seek(self.element)
            inside = _Inflated(stream, self.length) if self.packed else stream
            skip(inside, self.offset)
            yield inside

    def finish(self, stream: BinaryIO) -> None:
        """Read the padding and the checksum after a compressed variable."""
        if isinstance(stream, _Inflated):
            stream.read(_PIECE)


@dataclass(frozen=True)
class MatText(MatArray):
    """A variable of characters: texts of one length, one per row."""

    width: int = 1  # length of the texts

    def rows(self, folder: str, start: int, stop: int, step: int, last: bool = False) -> Iterator[np.ndarray]:
        with self.opened(folder, True) as stream:
            data = read_fully(stream, self.shape[0] * self.width * self.kept_as.itemsize)
        codes = np.frombuffer(data, self.kept_as).reshape(self.width, self.shape[0]).T
        for at in range(start, stop, step):
            rows = codes[at : min(at + step, stop)]
            yield np.array(["".join(map(chr, row)).rstrip(" \0") for row in rows.tolist()])


class _Inflated:
    """A zlib stream within a file, decompressed as it is read."""

    def __init__(self, stream: BinaryIO, length: int):
        self.stream, self.left = stream, length
        self.zlib, self.count = zlib.decompressobj(), 0

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer at the end."""
        pieces = []
        while size and (piece := self._piece(size, _PIECE)):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def read1(self, size: int) -> bytes:
        """Return up to `size` bytes, and read no more of the file than needed."""
        return self._piece(size, 64)

    def tell(self) -> int:
        return self.count

    def _piece(self, size: int, step: int) -> bytes:
        """Return the next bytes; none at the end."""
        while not self.zlib.eof:
            data = self.zlib.unconsumed_tail
            if not data:
                data = self.stream.read(min(step, self.left))
                self.left -= len(data)
            piece = self.zlib.decompress(data, size)
            self.count += len(piece)
            if piece:
                return piece
            if not data:
                raise EOFError("it ends too early")
        return b""


def inspect_mat(folder: str, file: FoundFile) -> ArrayFile:
    """List the numeric variables of a .mat file of version 5. Raise Refused if it is another version, or not a .mat file."""
    arrays: list[Array] = []
    unread: list[tuple[str, str]] = []
    with open_seekable(join(folder, file.path)) as stream:
        size = stream.seek(0, 2)
        stream.seek(0)
        order = _byte_order(stream.read(_HEADER))
        at = _HEADER
        while at < size:
            if len(arrays) + len(unread) > MAX_ARRAYS:
                raise Refused(reasons.MATLAB_VARIABLES.format(MAX_ARRAYS))
            stream.seek(at)
            try:
                kind, length, _ = _tag(stream, order)
            except EOFError:
                unread.append(("", "it is cut short"))
                break
            result = _variable(stream, order, file.path, kind, at + 8, length)
            if isinstance(result, MatArray):
                try:
                    _check(result, size)
                    arrays.append(result)
                except Refused as refused:
                    unread.append((result.name, refused.reason))
            elif result:
                unread.append(result)
            at += 8 + length + (0 if kind == _COMPRESSED else -length % 8)
    return ArrayFile(file.path, tuple(arrays), tuple(unread))


def _check(array: MatArray, size: int) -> None:
    if array.packed:
        check_expansion(array, size)
    elif array.element + array.offset + math.prod(array.shape) * (array.kept_as or array.dtype).itemsize > size:
        raise Refused(reasons.CUT_SHORT)


def _byte_order(header: bytes) -> str:
    """Return the byte order of the file, `<` or `>`."""
    order = {b"IM": "<", b"MI": ">"}.get(header[126:128])
    if order is None:
        old = len(header) >= 20 and 0 in header[:4] and header[:4] != b"\0\0\0\0"
        raise Refused(reasons.MATLAB_4 if old or header[:20].count(0) > 10 else reasons.NO_MATLAB)
    if struct.unpack(f"{order}H", header[124:126])[0] >> 8 != 1:
        raise Refused(reasons.MATLAB_UNKNOWN)
    return order


def _tag(stream: BinaryIO, order: str) -> tuple[int, int, bytes | None]:
    """Return an element's type and length, and its data if it is stored in the tag itself."""
    tag = read_fully(stream, 8)
    kind, length = struct.unpack(f"{order}II", tag)
    if kind >> 16:
        return kind & 0xFFFF, min(kind >> 16, 4), tag[4 : 4 + min(kind >> 16, 4)]
    return kind, length, None


def _variable(stream: BinaryIO, order: str, path: str, kind: int, at: int, length: int) -> MatArray | tuple[str, str] | None:
    """Return the variable in the element at `at`; or its name and why it is not read; or None if the element is not a variable."""
    if kind not in (_MATRIX, _COMPRESSED):
        return None
    try:
        if kind == _MATRIX:
            return _matrix(stream, order, path, at, length, False)
        inside = _Inflated(stream, length)
        if _tag(inside, order)[0] != _MATRIX:
            return None
        return _matrix(inside, order, path, at, length, True)
    except Exception as error:
        return "", reason_of(error)


def _matrix(stream: BinaryIO | _Inflated, order: str, path: str, at: int, length: int, packed: bool) -> MatArray | tuple[str, str]:
    flags = struct.unpack(f"{order}I", _element(stream, order, 16)[:4])[0]
    dims = _element(stream, order, 4 * _MAX_DIMENSIONS)
    shape = struct.unpack(f"{order}{len(dims) // 4}i", dims[: len(dims) // 4 * 4])
    name = _element(stream, order, _MAX_NAME).decode("latin1")
    number = flags & 0xFF
    if number in _OTHERS:
        return name, f"it holds {_OTHERS[number]}, which is not read"
    if flags & _COMPLEX:
        return name, "it holds complex numbers: save plain ones"
    kind, size, data = _tag(stream, order)
    if (number not in _CLASSES and number != _CHARACTERS) or kind not in _STORED:
        return name, reasons.NO_NUMBERS
    offset = stream.tell() - (0 if packed else at) - (0 if data is None else 4)
    kept = np.dtype(order + _STORED[kind])
    check_shape(shape, 8)
    if size != math.prod(shape) * kept.itemsize:
        return name, "its length is not what its shape says: download it again"
    place = {"element": at, "length": length, "offset": offset, "packed": packed}
    if number == _CHARACTERS:
        if len(shape) != 2 or math.prod(shape) > _MAX_TEXT:
            return name, "it holds text of more than two dimensions or a million letters: it is not read"
        dtype = np.dtype(f"U{max(shape[1], 1)}")
        return MatText(path, name, shape[:1], dtype, matlab=True, kept_as=kept, width=shape[1], **place)
    dtype = np.dtype("?") if flags & _LOGICAL else np.dtype(order + _CLASSES[number])
    kept = None if kept == dtype else kept
    return MatArray(path, name, shape, dtype, turned=True, matlab=True, kept_as=kept, **place)


def _element(stream: BinaryIO | _Inflated, order: str, max_size: int) -> bytes:
    """Return the data of a small element, and skip its padding."""
    _, length, data = _tag(stream, order)
    if data is not None:
        return data
    if length > max_size:
        raise Refused(reasons.MATLAB_HEADER)
    data = read_fully(stream, length)
    read_fully(stream, -length % 8)
    return data
