"""Golden answers: requests to a model, and the answers of the trainer's own model in memory.

The serving check sends the same requests to the exported model, in a process without TensorFlow's Python and without the project.
So this module needs only NumPy.

A file holds one array per value, named "<signature>/<input or output>". NumPy stores strings only with pickle or without their
trailing zero bytes. So they are stored as "...#bytes" uint8 [n, longest], padded with zeros, and "...#lengths" int64 [n].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

Value = np.ndarray | list[bytes]
Tensors = dict[str, dict[str, Value]]

INPUTS = "inputs.npz"
ANSWERS = "answers.npz"


def save_golden(folder: str | Path, inputs: Mapping[str, Mapping], answers: Mapping[str, Mapping]) -> None:
    """Write requests and answers, by signature and name, to inputs.npz and answers.npz in `folder`, which is created if needed."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder / INPUTS, inputs)
    write_tensors(folder / ANSWERS, answers)


def load_golden(folder: str | Path) -> tuple[Tensors, Tensors]:
    """Return the requests and answers that `save_golden` wrote; see `read_tensors`."""
    return read_tensors(Path(folder) / INPUTS), read_tensors(Path(folder) / ANSWERS)


def write_tensors(file: str | Path, tensors: Mapping[str, Mapping[str, np.ndarray | Sequence[bytes]]]) -> None:
    """Write values by signature and name to one npz file."""
    arrays: dict[str, np.ndarray] = {}
    for signature, values in tensors.items():
        for name, value in values.items():
            key = f"{signature}/{name}"
            if isinstance(value, (list, tuple)):
                arrays[f"{key}#bytes"], arrays[f"{key}#lengths"] = _pad(value)
            else:
                arrays[key] = np.asarray(value)
    np.savez(file, **arrays)


def read_tensors(file: str | Path) -> Tensors:
    """Read the file that `write_tensors` wrote.

    Raises:
        OSError: The file is missing.
        ValueError: The file is damaged.
    """
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
    except OSError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise different errors for damage
        raise ValueError(f"{file} is damaged: {error}") from error
    tensors: Tensors = {}
    for key, array in arrays.items():
        signature, _, name = key.rpartition("/")
        name, _, part = name.partition("#")
        if part == "lengths":
            continue
        value = _unpad(array, arrays[f"{signature}/{name}#lengths"]) if part else array
        tensors.setdefault(signature, {})[name] = value
    return tensors


def _pad(strings: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Return strings as uint8 [n, longest] and their lengths, int64 [n]."""
    lengths = np.array([len(string) for string in strings], np.int64)
    padded = np.zeros((len(strings), lengths.max(initial=0)), np.uint8)
    for row, string in zip(padded, strings):
        row[: len(string)] = np.frombuffer(string, np.uint8)
    return padded, lengths


def _unpad(padded: np.ndarray, lengths: np.ndarray) -> list[bytes]:
    return [row[:length].tobytes() for row, length in zip(padded, lengths)]
