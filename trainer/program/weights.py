"""Store the weights of a program: one file of bytes, and a table that says what is where."""

from __future__ import annotations

from typing import Any

import numpy as np

ALIGNMENT = 4  # bytes


class Weights:
    """The tensors of a program.

    Attributes:
        entries: `shape`, `type` and first byte (`at`) of each tensor.
    """

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, values: Any, matrices: str = "float32") -> dict[str, int]:
        """Add a tensor of any shape, and return the reference to it: {"tensor": index}.

        `matrices` is the type of tensors with at least two axes, `float16` or `float32`. Vectors are always float32, because they
        are small. So are tensors with values beyond the range of float16.

        Raises:
            ValueError: A value is not finite.
        """
        array = np.asarray(values, np.float32)
        if not np.isfinite(array).all():
            raise ValueError(f"a weight of shape {list(array.shape)} is not finite")
        fits = array.ndim > 1 and float(np.abs(array).max(initial=0)) <= float(np.finfo(np.float16).max)
        kind = matrices if fits else "float32"
        content = np.ascontiguousarray(array, np.dtype(kind).newbyteorder("<")).tobytes()
        content += bytes(-len(content) % ALIGNMENT)
        self.entries.append({"shape": list(array.shape), "type": kind, "at": self._size})
        self._parts.append(content)
        self._size += len(content)
        return {"tensor": len(self.entries) - 1}

    def to_bytes(self) -> bytes:
        """Return all tensors one after the other, little endian, each in C order."""
        return b"".join(self._parts)
