"""NumPy's .npy and .npz files, read as streams; never pickles."""

from __future__ import annotations

import contextlib
import lzma
import math
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy_format

from components.image_example_gen.readers.idx import damaged
from components.image_example_gen.storage.files import one_line, open_file, open_seekable, printable
from trainer.errors import InputError

DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, NotImplementedError)
_PIECE = 1 << 24  # Python makes room for all that is asked for, and a damaged header may ask for anything


@contextlib.contextmanager
def open_npy(path: str, member: str = "") -> Iterator[BinaryIO]:
    """Opens a .npy file, or a member of a .npz file, for reading from its header on."""
    if not member:
        with open_file(path) as stream:
            yield stream
        return
    with open_seekable(path) as stream, zipfile.ZipFile(stream) as archive, archive.open(member) as inside:
        yield inside


def members_of(path: str, size: int) -> dict[str, int]:
    """The arrays in a .npz file, as the names of its members; of a .npy file there is but one, without a name.

    Args:
        path: The file.
        size: Its size in bytes; -1 where it is not known.

    Returns:
        Of each array its size in bytes, unpacked and with its header.

    Raises:
        InputError: It is no .npz file.
    """
    if path.lower().endswith(".npy"):
        return {"": size}
    try:
        with open_seekable(path) as stream, zipfile.ZipFile(stream) as archive:
            return {info.filename: info.file_size for info in archive.infolist() if info.filename.endswith(".npy")}
    except DAMAGED as error:
        raise damaged(path, error) from error


def read_header(stream: BinaryIO, where: str) -> tuple[tuple[int, ...], np.dtype]:
    """Reads an array's header and leaves the stream at the array's first byte.

    Args:
        stream: At its beginning.
        where: What it is, for the message.

    Returns:
        The array's shape and dtype.

    Raises:
        InputError: It is none, holds Python objects, or lies in memory in Fortran's order.
    """
    try:
        version = npy_format.read_magic(stream)
        read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
    except ValueError as error:
        raise InputError(f"{printable(where)} is no array of NumPy's: {one_line(error)}") from error
    if any(length < 0 for length in shape):
        raise InputError(f"{printable(where)} is no array of NumPy's: it has the shape {shape}")
    if dtype.hasobject:
        raise InputError(f"{printable(where)} holds Python objects (a pickle), which are never loaded: save plain numbers")
    if fortran and len(shape) > 1:
        raise InputError(f"{printable(where)} is in Fortran's order: save numpy.ascontiguousarray of it")
    return shape, dtype


def inspect(path: str, member: str, size: int) -> tuple[tuple[int, ...], np.dtype]:
    """The shape and the dtype of an array, of which only the header is read.

    Raises:
        InputError: It is none, see `read_header`; or it holds less than its header says.
    """
    where = f"{path}/{member}" if member else path
    try:
        with open_npy(path, member) as stream:
            shape, dtype = read_header(stream, where)
    except DAMAGED as error:
        raise damaged(where, error) from error
    expected = math.prod(shape) * dtype.itemsize
    if 0 <= size < expected:
        raise InputError(f"{printable(where)} holds {size:,} bytes where its header says {expected:,}: fetch it again")
    return shape, dtype


def read_array(path: str, member: str) -> np.ndarray:
    """A whole array; for labels.

    Raises:
        InputError: It cannot be read to its end.
    """
    where = f"{path}/{member}" if member else path
    try:
        with open_npy(path, member) as stream:
            shape, dtype = read_header(stream, where)
            data = read_fully(stream, math.prod(shape) * dtype.itemsize)
    except DAMAGED as error:
        raise damaged(where, error) from error
    return np.frombuffer(data, dtype).reshape(shape)


def read_fully(stream: BinaryIO, size: int) -> bytes:
    """So many bytes of a stream that may give fewer at a time.

    Raises:
        EOFError: It has no more.
    """
    pieces = []
    while size:
        piece = stream.read(min(size, _PIECE))
        if not piece:
            raise EOFError("it ends too early")
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
