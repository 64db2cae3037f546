"""Run a SavedModel with TensorFlow's C++ runtime through its C API, without `import tensorflow`.

TensorFlow Serving uses the same loader, so a signature that answers here also answers there. The loader starts in a fraction of a
second; TensorFlow's Python package takes several. The file depends only on numpy and ctypes: the serving check runs it in a process
that cannot import this project.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
from collections.abc import Mapping, Sequence
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any

import numpy as np

INVALID_ARGUMENT = 3  # TF_Code of a request that the model's graph refuses, such as an undecodable picture.
FAILED_PRECONDITION = 9  # TF_Code of a model whose variables were not restored.

_STRING = 7  # TF_DataType of strings; those below are numeric.
_DTYPES = {1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 9: "int64", 10: "bool"}
_TSTRING_BYTES = 24  # sizeof(TF_TString), fixed by TensorFlow's binary interface.


class _Output(ctypes.Structure):
    """TF_Output: one output of one operation. Passed by value."""

    _fields_ = [("operation", c_void_p), ("index", c_int)]


_TENSORS = [POINTER(_Output), POINTER(c_void_p), c_int]  # places in the graph, their tensors, and the number of both
_FUNCTIONS = {  # name: (return type, argument types)
    "TF_Version": (c_char_p, []),
    "TF_NewStatus": (c_void_p, []),
    "TF_DeleteStatus": (None, [c_void_p]),
    "TF_GetCode": (c_int, [c_void_p]),
    "TF_Message": (c_char_p, [c_void_p]),
    "TF_NewGraph": (c_void_p, []),
    "TF_DeleteGraph": (None, [c_void_p]),
    "TF_NewSessionOptions": (c_void_p, []),
    "TF_DeleteSessionOptions": (None, [c_void_p]),
    "TF_LoadSessionFromSavedModel": (c_void_p, [c_void_p, c_void_p, c_char_p, POINTER(c_char_p), c_int, *[c_void_p] * 3]),
    "TF_DeleteSession": (None, [c_void_p, c_void_p]),
    "TF_GraphOperationByName": (c_void_p, [c_void_p, c_char_p]),
    "TF_OperationOutputType": (c_int, [_Output]),
    "TF_SessionRun": (None, [c_void_p, c_void_p, *_TENSORS, *_TENSORS, c_void_p, c_int, c_void_p, c_void_p]),
    "TF_AllocateTensor": (c_void_p, [c_int, POINTER(c_int64), c_int, c_size_t]),
    "TF_DeleteTensor": (None, [c_void_p]),
    "TF_TensorType": (c_int, [c_void_p]),
    "TF_NumDims": (c_int, [c_void_p]),
    "TF_Dim": (c_int64, [c_void_p, c_int]),
    "TF_TensorData": (c_void_p, [c_void_p]),
    "TF_TensorByteSize": (c_size_t, [c_void_p]),
    "TF_StringInit": (None, [c_void_p]),
    "TF_StringCopy": (None, [c_void_p, c_char_p, c_size_t]),
    "TF_StringDealloc": (None, [c_void_p]),
    "TF_StringGetDataPointer": (c_void_p, [c_void_p]),
    "TF_StringGetSize": (c_size_t, [c_void_p]),
}


def _numpy_type(dtype: int) -> str:
    if dtype not in _DTYPES:
        raise TypeError(f"tensors of type {dtype} (TF_DataType) are not supported")
    return _DTYPES[dtype]


class TensorFlowError(RuntimeError):
    """An error that TensorFlow reported, with its TF_Code, e.g. `INVALID_ARGUMENT`, and its message, often several lines."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code


def find_library() -> Path:
    """Return the path of TensorFlow's shared library in the installed package, without importing the package.

    Raises:
        FileNotFoundError: TensorFlow is not installed, or its package has no such library.

    Example:
        >>> find_library().name.startswith("libtensorflow_cc")
        True
    """
    spec = importlib.util.find_spec("tensorflow")
    folders = spec.submodule_search_locations if spec else []
    for library in (file for folder in folders or [] for file in sorted(Path(folder).glob("libtensorflow_cc*"))):
        return library
    raise FileNotFoundError("TensorFlow's library libtensorflow_cc was not found: install tensorflow 2.16 or later")


class Session:
    """A loaded and restored SavedModel with tag "serve".

    Args:
        library: Path of TensorFlow's shared library, from `find_library`.
        model: The SavedModel's folder.

    Raises:
        TensorFlowError: The model cannot be loaded.
    """

    def __init__(self, library: str | Path, model: str | Path):
        self._c = ctypes.CDLL(str(library))
        for name, (returns, takes) in _FUNCTIONS.items():
            function = getattr(self._c, name)
            function.restype, function.argtypes = returns, takes
        self.tensorflow_version: str = self._c.TF_Version().decode()
        self._status = self._c.TF_NewStatus()
        self._graph = self._c.TF_NewGraph()
        options = self._c.TF_NewSessionOptions()
        tags = (c_char_p * 1)(b"serve")
        self._session = self._c.TF_LoadSessionFromSavedModel(
            options, None, os.fsencode(model), tags, 1, self._graph, None, self._status
        )
        self._c.TF_DeleteSessionOptions(options)
        self._raise_if_failed()

    def run(
        self, feeds: Mapping[str, np.ndarray | bytes | Sequence[bytes]], fetches: Sequence[str]
    ) -> list[np.ndarray | list[bytes]]:
        """Run the graph once.

        Args:
            feeds: Values by tensor name ("serving_default_latents:0"): arrays for numbers; bytes or flat lists of bytes for
                strings. Numbers are cast to the tensor's dtype by NumPy's "same_kind" rule: only precision may be lost.
            fetches: Names of the tensors to compute.

        Returns:
            One value per fetch, in order: an array, or a flattened list of bytes for strings.

        Raises:
            TensorFlowError: The graph failed, or has no tensor of that name.
            TypeError: A value does not match its tensor's type, or a tensor's type is not supported here.
        """
        sources = [self._output(name) for name in feeds]
        targets = [self._output(name) for name in fetches]
        given: list[int] = []
        answers: Any = (c_void_p * len(targets))()
        try:
            for source, value in zip(sources, feeds.values()):
                given.append(self._tensor(value, self._c.TF_OperationOutputType(source)))
            inputs = (_Output * len(sources))(*sources), (c_void_p * len(given))(*given), len(given)
            outputs = (_Output * len(targets))(*targets), answers, len(targets)
            self._c.TF_SessionRun(self._session, None, *inputs, *outputs, None, 0, None, self._status)
            self._raise_if_failed()
            return [self._value(tensor) for tensor in answers]
        finally:
            for tensor in given:
                self._delete_given(tensor)
            for tensor in filter(None, answers):
                self._c.TF_DeleteTensor(tensor)

    def close(self) -> None:
        """Free the model. The session cannot be used afterwards."""
        self._c.TF_DeleteSession(self._session, self._status)
        self._c.TF_DeleteGraph(self._graph)
        self._c.TF_DeleteStatus(self._status)

    def _raise_if_failed(self) -> None:
        code = self._c.TF_GetCode(self._status)
        if code:
            raise TensorFlowError(code, self._c.TF_Message(self._status).decode(errors="replace"))

    def _output(self, name: str) -> _Output:
        operation, _, index = name.partition(":")
        handle = self._c.TF_GraphOperationByName(self._graph, operation.encode())
        if not handle:
            raise TensorFlowError(INVALID_ARGUMENT, f"the graph has no tensor {name}")
        return _Output(handle, int(index or 0))

    def _tensor(self, value: np.ndarray | bytes | Sequence[bytes], dtype: int) -> int:
        """Copy `value` into a new tensor of `dtype`. The caller deletes it."""
        if dtype == _STRING:
            return self._string_tensor(value)
        # order="C" instead of ascontiguousarray, which turns a scalar into a vector.
        array = np.asarray(value).astype(_numpy_type(dtype), casting="same_kind", order="C")
        tensor = self._c.TF_AllocateTensor(dtype, (c_int64 * array.ndim)(*array.shape), array.ndim, array.nbytes)
        ctypes.memmove(self._c.TF_TensorData(tensor), array.ctypes.data, array.nbytes)
        return tensor

    def _string_tensor(self, value: bytes | np.ndarray | Sequence[bytes]) -> int:
        if isinstance(value, np.ndarray) and value.ndim == 0:
            value = value.item()
        dimensions, values = ((), [value]) if isinstance(value, bytes) else ((len(value),), value)
        if not all(isinstance(item, bytes) for item in values):
            raise TypeError("a string tensor takes bytes or a list of bytes")
        shape = (c_int64 * len(dimensions))(*dimensions)
        tensor = self._c.TF_AllocateTensor(_STRING, shape, len(dimensions), _TSTRING_BYTES * len(values))
        for address, value in zip(self._string_addresses(tensor), values):
            self._c.TF_StringInit(address)
            self._c.TF_StringCopy(address, value, len(value))
        return tensor

    def _string_addresses(self, tensor: int) -> range:
        start = self._c.TF_TensorData(tensor) or 0  # No memory is allocated for zero strings.
        return range(start, start + self._c.TF_TensorByteSize(tensor), _TSTRING_BYTES)

    def _delete_given(self, tensor: int) -> None:
        if self._c.TF_TensorType(tensor) == _STRING:  # Deleting the tensor frees its array, but not the strings.
            for address in self._string_addresses(tensor):
                self._c.TF_StringDealloc(address)
        self._c.TF_DeleteTensor(tensor)

    def _value(self, tensor: int) -> np.ndarray | list[bytes]:
        dtype = self._c.TF_TensorType(tensor)
        if dtype == _STRING:
            return [
                ctypes.string_at(self._c.TF_StringGetDataPointer(address), self._c.TF_StringGetSize(address))
                for address in self._string_addresses(tensor)
            ]
        shape = [self._c.TF_Dim(tensor, axis) for axis in range(self._c.TF_NumDims(tensor))]
        array = np.empty(shape, _numpy_type(dtype))
        ctypes.memmove(array.ctypes.data, self._c.TF_TensorData(tensor), array.nbytes)
        return array
