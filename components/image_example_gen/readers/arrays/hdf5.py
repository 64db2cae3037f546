"""Read HDF5 files, including MATLAB 7.3, by slices of datasets. Links to other files are never followed."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from components.image_example_gen import reasons
from components.image_example_gen.readers.arrays.array import Array, ArrayFile, check_expansion, check_shape
from components.image_example_gen.readers.arrays.hdf5_process import Hdf5DamagedError, ask
from components.image_example_gen.storage.files import FoundFile, is_remote, join, open_file
from serving.picture_files import Refused

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HELD = 16 << 20  # bytes read at once for large chunks


@dataclass(frozen=True)
class Hdf5Array(Array):
    """A dataset."""

    chunks: tuple[int, ...] = ()  # the shape of its chunks in file order; () if it is not chunked
    address: str = ""  # the dataset's full name in the file
    kept: str = ""  # the dtype in the file

    sliced = True

    def rows(self, folder: str, start: int, stop: int, step: int, last: bool = False) -> Iterator[np.ndarray]:
        axis = len(self.stored) - 1 if last else 0
        held = self._rows_held(axis)
        held *= max(1, step // held)
        request = {"do": "rows", "address": self.address, "axis": axis}
        with _local(join(folder, self.path)) as path:
            for at in range(start, stop, held):
                end = min(at + held, stop)
                answer, data = ask({**request, "path": path, "start": at, "stop": end})
                values = np.frombuffer(data, self.kept).reshape(answer["shape"]).astype(self.dtype, copy=False)
                for piece in range(0, end - at, step):
                    yield values[piece : piece + step]

    def _rows_held(self, axis: int) -> int:
        """Return the number of rows to read at once, so that a chunk is decompressed only once; within bounds."""
        if not self.chunks:
            return 1
        row = math.prod(self.stored) // max(self.stored[axis], 1) * max(np.dtype(self.kept).itemsize, 1)
        return min(self.chunks[axis], max(1, _HELD // max(row, 1)))


@dataclass(frozen=True)
class Hdf5Values(Hdf5Array):
    """A dataset of variable-length values: text (dtype U) or picture files (V)."""

    def rows(self, folder: str, start: int, stop: int, step: int, last: bool = False) -> Iterator[np.ndarray]:
        with _local(join(folder, self.path)) as path:
            for at in range(start, stop, step):
                request = {"do": "values", "address": self.address, "path": path, "start": at, "stop": min(at + step, stop)}
                answer, data = ask(request)
                values, offset = np.empty(len(answer["sizes"]), object), 0
                for place, size in enumerate(answer["sizes"]):
                    value = data[offset : offset + size]
                    values[place] = value.decode("utf-8", "replace") if self.dtype.kind == "U" else np.frombuffer(value, np.uint8)
                    offset += size
                yield values


@contextlib.contextmanager
def _local(path: str) -> Iterator[str]:
    """Yield a local path of the file; a remote file or archive member is copied to a temporary file."""
    if not is_remote(path) and os.path.isfile(path):
        yield os.path.abspath(path)
        return
    with tempfile.NamedTemporaryFile(suffix=".h5") as copy:
        with open_file(path) as stream:
            shutil.copyfileobj(stream, copy, 1 << 20)
        copy.flush()
        yield copy.name


def is_hdf5(path: str) -> bool:
    """Return whether a file is HDF5: at its start, or after the 512 bytes that MATLAB puts first."""
    with open_file(path) as stream:
        begin = stream.read(520)
    return begin[:8] == _SIGNATURE or begin[512:520] == _SIGNATURE


def inspect_hdf5(folder: str, file: FoundFile) -> ArrayFile:
    """List the datasets of an HDF5 file, those in groups with the groups' names. Raise Refused if it is not HDF5, or damaged."""
    path = join(folder, file.path)
    if not is_hdf5(path):
        raise Refused(reasons.NO_HDF5)
    try:
        with _local(path) as local:
            answer, _ = ask({"do": "inspect", "path": local})
            copied = local != os.path.abspath(path)
    except Hdf5DamagedError as error:
        raise Refused(str(error)) from error
    arrays: list[Array] = []
    unread = [(name, reason) for name, reason in answer["unread"]]
    for result in answer["found"]:
        try:
            arrays.append(_array(file.path, result, copied))
        except Refused as refused:
            unread.append((result["name"], refused.reason))
    return ArrayFile(file.path, tuple(arrays), tuple(unread))


def _array(path: str, found: dict, copied: bool) -> Hdf5Array:
    turned, dtype, chunks = found["matlab"], np.dtype(found["dtype"]), tuple(found["chunks"])
    shape = tuple(found["shape"][::-1] if turned else found["shape"])
    check_shape(shape, dtype.itemsize)
    names = tuple((number, name) for number, name in found["names"])
    facts = (turned, turned, copied, chunks[0] if chunks else 1, names, chunks, found["address"], found["kept"])
    array = (Hdf5Values if found["heap"] else Hdf5Array)(path, found["name"], shape, dtype, *facts)
    if dtype.itemsize:
        check_expansion(array, max(found["bytes"], 1))
    return array
