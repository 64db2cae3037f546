"""Read variable-length values in an HDF5 file: text, and picture files.

They are in "global heaps"; the dataset only holds their locations. HDF5's own library loops forever on a damaged heap, so this
module reads heaps itself. The format is in "HDF5 File Format Specification 3.0", III.E (Global Heap) and IV.B (variable-length
data).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from components.image_example_gen import reasons
from components.image_example_gen.storage.streams import read_fully

if TYPE_CHECKING:
    import h5py

_PLACE = np.dtype([("size", "<u4"), ("address", "<u8"), ("index", "<u4")])
_HEAP, _OBJECT = struct.Struct("<4sB3xQ"), struct.Struct("<H6xQ")
_MAX_HEAP, _MAX_CHUNK = 1 << 29, 1 << 26  # bytes; Python allocates the whole requested size
_DEFLATE, _SHUFFLE, _CHECKSUM = 1, 2, 3  # filters


class NotReadError(Exception):
    """Why part of a file is not read, in plain words."""


def filters_of(dataset: h5py.Dataset) -> list[tuple]:
    """Return number, flags, parameters and name of each filter that packs a dataset, in order."""
    plist = dataset.id.get_create_plist()
    return [plist.get_filter(index) for index in range(plist.get_nfilters())]


def check_heap(opened: h5py.File, dataset: h5py.Dataset) -> None:
    """Raise if a dataset of variable-length values is stored in an unsupported way."""
    import h5py

    filters = {number for number, *_ in filters_of(dataset)}
    if len(dataset.shape) != 1 or opened.id.get_create_plist().get_sizes() != (8, 8):
        raise NotReadError(reasons.HDF5_SEVERAL_DIMENSIONS)
    if filters - {_DEFLATE, _SHUFFLE, _CHECKSUM} or dataset.id.get_create_plist().get_layout() == h5py.h5d.COMPACT:
        raise NotReadError(reasons.HDF5_PACKED_VALUES)


def heap_values(opened: h5py.File, dataset: h5py.Dataset, stream: BinaryIO, start: int, stop: int) -> Iterator[bytes]:
    """Yield the values `start` to `stop` of a dataset that passes `check_heap`, from the bytes of its file (`stream`)."""
    base = opened.userblock_size
    address, values = None, {}
    for place in _places(dataset, stream, start, stop):
        size, at, index = (int(number) for number in place)
        if not size:
            yield b""
            continue
        if at != address:
            address, values = at, _heap(stream, base + at)
        value = values[index]
        if len(value) < size:
            raise ValueError("a value is shorter than the dataset says")
        yield bytes(value[:size])


def _places(dataset: h5py.Dataset, stream: BinaryIO, start: int, stop: int) -> Iterator[np.void]:
    """Yield the locations of the values."""
    if dataset.chunks is None:
        offset = dataset.id.get_offset()
        if offset is None:
            yield from np.zeros(stop - start, _PLACE)
            return
        stream.seek(offset + start * _PLACE.itemsize)
        yield from np.frombuffer(read_fully(stream, (stop - start) * _PLACE.itemsize), _PLACE)
        return
    (rows,) = dataset.chunks
    for begin in range(start // rows * rows, stop, rows):
        places = _chunk(dataset, stream, begin, rows)
        yield from places[max(start - begin, 0) : min(stop - begin, rows)]


def _chunk(dataset: h5py.Dataset, stream: BinaryIO, begin: int, rows: int) -> np.ndarray:
    info = dataset.id.get_chunk_info_by_coord((begin,))
    if info.byte_offset is None:
        return np.zeros(rows, _PLACE)
    length = rows * _PLACE.itemsize
    if info.size > _MAX_CHUNK or length > _MAX_CHUNK:
        raise ValueError("a chunk is too large")
    stream.seek(info.byte_offset)
    data = read_fully(stream, info.size)
    for index, (number, *_) in reversed(list(enumerate(filters_of(dataset)))):
        if info.filter_mask >> index & 1:
            continue
        if number == _DEFLATE:
            data = zlib.decompressobj().decompress(data, length + 4)
        elif number == _CHECKSUM:
            data = data[:-4]
        else:
            data = np.frombuffer(data, np.uint8).reshape(_PLACE.itemsize, -1).T.tobytes()
    return np.frombuffer(data, _PLACE, rows)


def _heap(stream: BinaryIO, at: int) -> dict[int, memoryview]:
    """Return the values of the heap at a position in the file, by index."""
    stream.seek(at)
    mark, version, size = _HEAP.unpack(read_fully(stream, _HEAP.size))
    if mark != b"GCOL" or version != 1 or not _HEAP.size <= size <= _MAX_HEAP:
        raise ValueError("no heap")
    data = memoryview(read_fully(stream, size - _HEAP.size))
    values, at = {}, 0
    while at + _OBJECT.size <= len(data):
        index, length = _OBJECT.unpack_from(data, at)
        if not index:  # the rest is free
            break
        at += _OBJECT.size
        values[index] = data[at : at + length]
        at += length + -length % 8
    return values
