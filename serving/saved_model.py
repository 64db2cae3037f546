"""Call the signatures of a SavedModel."""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common.errors import InputError, one_line
from common.quiet import standard_error_discarded
from serving.c_api import FAILED_PRECONDITION, Session, TensorFlowError, find_library
from serving.signatures import Signature, read_signatures


class SavedModel:
    """A SavedModel, loaded by TensorFlow's C++ runtime, which TensorFlow Serving also uses.

    Args:
        folder: The SavedModel's folder.
        open_file: Opens saved_model.pb; for a folder in another file system, the function of a library that reads it.

    Attributes:
        folder: The SavedModel's folder.
        signatures: The signatures by name.

    Raises:
        InputError: The model cannot be loaded.

    Example:
        >>> SavedModel("no/such/folder")
        Traceback (most recent call last):
        common.errors.InputError: the model in no/such/folder cannot be loaded: [Errno 2] No such file or directory: 'no/such/folder/saved_model.pb'
    """

    def __init__(self, folder: str | Path, open_file: Callable[[str, str], Any] = open):
        self.folder = str(folder)
        try:
            with open_file(os.path.join(folder, "saved_model.pb"), "rb") as file:  # noqa: PTH118  a URI has no Path
                self.signatures: dict[str, Signature] = read_signatures(file.read())
            library = find_library()
            with standard_error_discarded():  # TensorFlow 2.21 logs while it is loaded, whatever TF_CPP_MIN_LOG_LEVEL says
                ctypes.CDLL(str(library))
            self._session = Session(library, self.folder)
        except (OSError, ValueError, TensorFlowError) as error:
            raise InputError(f"the model in {folder} cannot be loaded: {one_line(error)}") from error
        self._free = weakref.finalize(self, self._session.close)
        self._free.atexit = False

    def offers(self, signature: str, input_name: str | None = None) -> bool:
        """Return True if the model has a signature, and the signature has this input."""
        declared = self.signatures.get(signature)
        return declared is not None and (input_name is None or input_name in declared.inputs)

    def shape(self, signature: str, name: str) -> tuple[int | None, ...]:
        """Return the declared shape of an input or output; None for a dimension of any size.

        Raises:
            InputError: The model has no such signature, input or output.
        """
        declared = self.signatures.get(signature)
        tensors = {**declared.inputs, **declared.outputs} if declared else {}
        if declared is None or name not in tensors:
            raise InputError(f"the model in {self.folder} has no `{name}` of `{signature}`")
        return declared.shapes[tensors[name]]

    def call(self, signature: str, **inputs: Any) -> dict[str, Any]:
        """Call a signature by the names of its inputs, and return all outputs by name. Strings are bytes or lists of bytes.

        Raises:
            InputError: The model has no such signature, or lacks its variables, which TensorFlow reports only now.
            TensorFlowError: The model refuses the request, or the machine cannot answer it.
            TypeError: An input has another type than the signature declares.
        """
        declared = self.signatures.get(signature)
        if declared is None or set(declared.inputs) != set(inputs):
            raise InputError(f"the model in {self.folder} does not answer `{signature}` of {', '.join(inputs)}")
        feeds = {declared.inputs[name]: value for name, value in inputs.items()}
        try:
            return dict(zip(declared.outputs, self._session.run(feeds, list(declared.outputs.values()))))
        except TensorFlowError as error:
            if error.code != FAILED_PRECONDITION:
                raise
            raise InputError(f"the model in {self.folder} is broken: {one_line(error)}") from error

    def close(self) -> None:
        """Free the model, which garbage collection does as well."""
        self._free()
