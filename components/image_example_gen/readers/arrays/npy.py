"""Read NumPy's .npy and .npz files as streams; pickles are never loaded."""

from __future__ import annotations

import contextlib
import re
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from common.errors import figure
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
from components.image_example_gen.storage.files import FoundFile, join, open_file, open_seekable
from components.image_example_gen.storage.streams import read_fully, skip
from serving.picture_files import Refused

_MAGIC = b"\x93NUMPY"
_MAX_HEADER = 10_000  # bytes; NumPy's own limit
_ENCRYPTED = 1
_LOCAL_HEADER = struct.Struct("<26xHH")  # of a zip member: lengths of its name and of its extra field
# A header is a Python literal. Evaluating a damaged one can crash Python, so regular expressions find its three values.
_DESCR = re.compile(r"'descr': *'([<>|=]?[a-zA-Z?]\d{0,9})'")
_FIELDS = re.compile(r"'descr': *\[")
_ORDER = re.compile(r"'fortran_order': *(True|False)")
# The comma between two numbers is required: if it were optional, digits could be split in exponentially many ways.
_SHAPE = re.compile(r"'shape': *\(((?: *-?\d{1,30}L? *,)* *(?:-?\d{1,30}L? *)?)\)")


@dataclass(frozen=True)
class NpyArray(StreamArray):
    """The array of a .npy file, or of a member of a .npz file."""

    offset: int = 0  # offset of the first value in the .npy data
    member: str = ""  # the member's name in the .npz file; '' in a .npy file

    @contextlib.contextmanager
    def opened(self, folder: str, all_rows: bool) -> Iterator[BinaryIO]:
        path = join(folder, self.path)
        if not self.member:
            with open_file(path) as stream:
                skip(stream, self.offset)
                yield stream
            return
        with open_seekable(path) as stream, zipfile.ZipFile(stream) as archive:
            info = archive.getinfo(self.member)
            if self.packed or all_rows:
                with archive.open(info) as inside:
                    skip(inside, self.offset)
                    yield inside
                return
            stream.seek(info.header_offset)
            lengths = _LOCAL_HEADER.unpack(read_fully(stream, _LOCAL_HEADER.size))
            begin = info.header_offset + _LOCAL_HEADER.size + sum(lengths)
            stream.seek(begin + self.offset)
            yield _Bounded(stream, begin + info.file_size)


class _Bounded:
    """A stream that ends at the end of an uncompressed member."""

    def __init__(self, stream: BinaryIO, end: int):
        self.stream, self.end = stream, end

    def read(self, size: int) -> bytes:
        return self.stream.read(max(0, min(size, self.end - self.stream.tell())))

    def seek(self, offset: int, whence: int) -> int:
        return self.stream.seek(offset, whence)


def inspect_npy(folder: str, file: FoundFile) -> ArrayFile:
    """Read the header of a .npy file. Raise Refused if it is not a .npy file, or holds less than its header says."""
    with open_file(join(folder, file.path)) as stream:
        return ArrayFile(file.path, (_array(stream, file.path, file.size),))


def inspect_npz(folder: str, file: FoundFile) -> ArrayFile:
    """Read the headers of all arrays in a .npz file; an unusable array does not hide the others."""
    arrays: dict[str, Array] = {}
    unread: dict[str, str] = {}
    with open_seekable(join(folder, file.path)) as stream, _opened(stream, file.size) as archive:
        members = [name for name in dict.fromkeys(archive.namelist()) if name.endswith(".npy")]
        if len(members) > MAX_ARRAYS:
            raise Refused(reasons.NPZ_ARRAYS.format(len(members), MAX_ARRAYS))
        for member in members:
            try:
                arrays[member] = _member(archive, member, file)
            except Exception as error:
                unread[member.removesuffix(".npy")] = reason_of(error)
    return ArrayFile(file.path, tuple(arrays.values()), tuple(unread.items()))


def _opened(stream: BinaryIO, size: int) -> zipfile.ZipFile:
    begin = stream.read(2)
    try:
        return zipfile.ZipFile(stream)
    except zipfile.BadZipFile:
        if begin == b"PK" and size > 0:
            raise Refused(reasons.NPZ_WITHOUT_LIST.format(size)) from None
        raise


def _member(archive: zipfile.ZipFile, member: str, file: FoundFile) -> NpyArray:
    info = archive.getinfo(member)
    if info.flag_bits & _ENCRYPTED:
        raise Refused(reasons.NPZ_ENCRYPTED)
    with archive.open(info) as inside:
        array = _array(inside, file.path, info.file_size, member, info.compress_type != zipfile.ZIP_STORED)
    check_expansion(array, file.size)
    return array


def _array(stream: BinaryIO, path: str, size: int, member: str = "", packed: bool = False) -> NpyArray:
    text, offset = _header(stream)
    shape, fortran, dtype = _parsed(text)
    check_shape(shape, dtype.itemsize)
    turned, name = fortran and len(shape) > 1, member.removesuffix(".npy")
    array = NpyArray(path, name, shape, dtype, turned, packed=packed, offset=offset, member=member)
    if 0 <= size < offset + array.bytes:
        raise Refused(reasons.OTHER_LENGTH.format(figure(size), figure(offset + array.bytes)))
    return array


def _header(stream: BinaryIO) -> tuple[str, int]:
    """Return the text of a header, and the offset of the values."""
    begin = read_fully(stream, 8)
    if begin[:6] != _MAGIC:
        raise Refused(reasons.NO_NUMPY)
    length_size = 2 if begin[6] == 1 else 4
    length = int.from_bytes(read_fully(stream, length_size), "little")
    if length > _MAX_HEADER:
        raise Refused(reasons.NO_NUMPY_LENGTH.format(length))
    text = read_fully(stream, length).decode("utf-8" if begin[6] == 3 else "latin1")
    return text, 8 + length_size + length


def _parsed(header: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Return shape, whether the order is Fortran's, and dtype."""
    header = header.replace('"', "'")
    if _FIELDS.search(header):
        raise Refused(reasons.NUMPY_RECORDS)
    descr, order, shape = (pattern.search(header) for pattern in (_DESCR, _ORDER, _SHAPE))
    if not (descr and order and shape):
        raise Refused(reasons.NO_NUMPY_HEADER)
    try:
        dtype = np.dtype(descr[1])
    except (TypeError, ValueError) as error:
        raise Refused(reasons.NO_NUMPY_HEADER) from error
    if dtype.hasobject:
        raise Refused(reasons.NUMPY_OBJECTS)
    if dtype.kind not in "biufSU":
        raise Refused(reasons.NUMPY_TYPE.format(dtype.name))
    return tuple(int(length) for length in re.findall(r"-?\d+", shape[1])), order[1] == "True", dtype
