"""The process that reads HDF5 files: a damaged file can crash HDF5's library, which must not end a run.

It imports only NumPy and h5py, to start quickly. `hdf5_process` starts it, and describes the protocol.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import struct
import sys
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from components.image_example_gen import reasons
from components.image_example_gen.readers.arrays.hdf5_heap import NotReadError, check_heap, filters_of, heap_values

_REPLY = struct.Struct("<IQ")  # lengths of the JSON and of the bytes after it
_FILTERS = {1, 2, 3, 4, 5, 6, 32000}  # deflate, shuffle, fletcher32, szip, nbit, scale-offset, lzf; others would load plugins
_DEEPEST, _MAX_FOUND = 16, 10_000  # nesting of groups; number of groups and datasets
_MAX_CHUNK = 1 << 29
_MAX_ATTRIBUTE = 64
_MAX_NAMES, _MAX_LETTERS = 10_000, 200  # of an enumeration
_MAX_MEMORY = 8 << 30
_OPEN = 4  # open files
_MATLAB_NUMBERS = b"logical double single int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()


def serve() -> None:
    """Answer requests from standard input until it ends: one JSON object per line."""
    _bound()
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # keep output printed by libraries out of the answers
    files: dict[tuple, h5py.File] = {}
    for line in sys.stdin.buffer:
        try:
            answer, data = _answer(json.loads(line), files)
        except NotReadError as error:
            answer, data = {"refused": str(error)}, b""
        except Exception as error:
            answer, data = {"damaged": "truncated" in str(error)}, b""
        text = json.dumps(answer).encode()
        out.write(_REPLY.pack(len(text), len(data)) + text)
        out.write(data)
        out.flush()


def _bound() -> None:
    """Limit the memory that a damaged header can request, and disable core dumps, if the system supports it."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY, _MAX_MEMORY))


def _answer(request: dict[str, Any], files: dict[tuple, h5py.File]) -> tuple[dict[str, Any], bytes | memoryview]:
    file = _opened(request["path"], files)
    if request["do"] == "inspect":
        return _inspect(file), b""
    dataset = file[request["address"]]
    start, stop = request["start"], request["stop"]
    if request["do"] == "values":
        with open(request["path"], "rb") as stream:
            values = list(heap_values(file, dataset, stream, start, stop))
        return {"sizes": [len(value) for value in values]}, b"".join(values)
    axis = request["axis"]
    rows = dataset[(slice(None),) * axis + (slice(start, stop),)]
    rows = np.ascontiguousarray(np.moveaxis(rows, axis, 0))
    return {"shape": rows.shape}, rows.reshape(-1).view(np.uint8).data


def _opened(path: str, files: dict[tuple, h5py.File]) -> h5py.File:
    """Return the file, which stays open for a while; reading needs no lock."""
    stat = os.stat(path)
    key = (path, stat.st_ino, stat.st_size, stat.st_mtime_ns)
    if key not in files:
        # h5py would return the old content of an open file, even if it was rewritten.
        same = [old for old in files if old[0] == path or old[1] == stat.st_ino]
        for old in same or list(itertools.islice(files, max(0, len(files) - _OPEN + 1))):
            files.pop(old).close()
        files[key] = h5py.File(path, "r", locking=False)
    return files[key]


def _inspect(file: h5py.File) -> dict[str, Any]:
    result, unread = [], []
    for name, dataset in _datasets(file):
        try:
            if isinstance(dataset, str):
                raise NotReadError(dataset)
            result.append(_described(name, dataset))
        except NotReadError as error:
            unread.append((name, str(error)))
        except Exception:
            unread.append((name, reasons.HDF5_DAMAGED))
    return {"found": result, "unread": unread}


def _datasets(opened: h5py.File) -> Iterator[tuple[str, h5py.Dataset | str]]:
    """Yield each dataset with its name, or why it is not read; links to other files are never followed."""
    visited = set()
    waiting: list[tuple[str, h5py.Group, int]] = [("", opened, 0)]
    while waiting:
        prefix, group, depth = waiting.pop(0)
        for key in group:
            name = f"{prefix}{key}"
            if len(visited) > _MAX_FOUND:
                raise NotReadError(reasons.HDF5_MANY.format(_MAX_FOUND))
            try:
                link = group.get(key, getlink=True)
                if isinstance(link, h5py.ExternalLink):
                    yield name, reasons.HDF5_LINK
                if not isinstance(link, h5py.HardLink) or key.startswith("#"):
                    continue
                result = group[key]
                place = h5py.h5o.get_info(result.id).addr
            except Exception:
                yield name, reasons.HDF5_DAMAGED
                continue
            if place in visited:
                continue
            visited.add(place)
            if isinstance(result, h5py.Dataset):
                yield name, result
            elif isinstance(result, h5py.Group) and depth < _DEEPEST:
                waiting.append((f"{name}/", result, depth + 1))


def _described(name: str, dataset: h5py.Dataset) -> dict[str, Any]:
    """Return the facts about a dataset."""
    _check_storage(dataset)
    if dataset.shape is None or _attribute(dataset, "MATLAB_empty"):
        raise NotReadError(reasons.HDF5_EMPTY)
    matlab = _attribute(dataset, "MATLAB_class")
    dtype = _dtype(dataset, matlab)
    chunks = dataset.chunks or ()
    if chunks and math.prod(chunks) * max(dataset.dtype.itemsize, 1) > _MAX_CHUNK:
        raise NotReadError(reasons.HDF5_CHUNKS)
    heap = dataset.dtype.kind == "O"
    if heap:
        check_heap(dataset.file, dataset)
    dtypes = {"dtype": dtype.str, "kept": dataset.dtype.str, "matlab": matlab is not None, "heap": heap, "names": _names(dataset)}
    sizes = {"shape": dataset.shape, "chunks": chunks, "bytes": dataset.id.get_storage_size()}
    return {"name": name, "address": dataset.name, **dtypes, **sizes}


def _names(dataset: h5py.Dataset) -> list[tuple[int, str]]:
    """Return the names of an enumeration's numbers; empty for other types, and for too many names to be labels."""
    names = h5py.check_enum_dtype(dataset.dtype) or {}
    return sorted((int(number), str(name)[:_MAX_LETTERS]) for name, number in names.items()) if len(names) <= _MAX_NAMES else []


def _attribute(dataset: h5py.Dataset, name: str) -> bytes | int | None:
    """Return an attribute of fixed length, or None; variable-length attributes are in a heap."""
    if name not in dataset.attrs:
        return None
    kind = h5py.h5a.open(dataset.id, name.encode()).get_type()
    text = isinstance(kind, h5py.h5t.TypeStringID) and not kind.is_variable_str()
    if not (text or isinstance(kind, h5py.h5t.TypeIntegerID)) or kind.get_size() > _MAX_ATTRIBUTE:
        return None
    value = dataset.attrs[name]
    return bytes(value) if text else int(value)


def _check_storage(dataset: h5py.Dataset) -> None:
    """Raise if values are in another file, or need a plugin to decompress."""
    if dataset.external:
        raise NotReadError(reasons.HDF5_EXTERNAL)
    if dataset.is_virtual:
        raise NotReadError(reasons.HDF5_VIRTUAL)
    for number, _, _, label in filters_of(dataset):
        if number not in _FILTERS:
            raise NotReadError(reasons.HDF5_FILTER.format(label.decode("utf-8", "replace") or number))


def _dtype(dataset: h5py.Dataset, matlab: bytes | int | None) -> np.dtype:
    """Return the dtype of the values: variable-length text is U, picture files are V."""
    dtype = dataset.dtype
    if matlab is not None:
        if matlab not in _MATLAB_NUMBERS:
            raise NotReadError(reasons.NO_NUMBERS)
        return np.dtype("?") if matlab == b"logical" and dtype.itemsize == 1 else dtype
    if h5py.check_string_dtype(dtype):
        return np.dtype("U") if dtype.kind == "O" else dtype
    element = h5py.check_vlen_dtype(dtype)
    if (element is not None and element == np.uint8) or (dtype.kind == "V" and not dtype.fields and not dtype.subdtype):
        return np.dtype("V")
    if dtype.kind not in "biuf":
        raise NotReadError(reasons.HDF5_RECORDS if dtype.kind in "VO" else reasons.HDF5_TYPE.format(dtype.name))
    return dtype
