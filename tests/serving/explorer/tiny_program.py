"""A small program of a decoder, linear with random weights, and the same in NumPy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from serving.explorer.program import PROGRAM, WEIGHTS

DIM = 4
SHAPE = (6, 8, 3)


def weights(labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the kernel [DIM + labels, pixels] and the bias [pixels]."""
    rng, pixels = np.random.default_rng(0), int(np.prod(SHAPE))
    return rng.normal(0, 1.5, (DIM + labels, pixels)).astype(np.float32), rng.normal(0, 0.5, pixels).astype(np.float32)


def make(labels: Sequence[str] = ()) -> tuple[dict[str, Any], bytes]:
    """Return a program and its weights."""
    kernel, bias = weights(len(labels))
    pixels = len(bias)
    inputs, shapes = [0], [[DIM]]
    layers: list[dict[str, Any]] = []
    if labels:
        inputs, shapes = [0, 1], [[DIM], [len(labels)], [DIM + len(labels)]]
        layers.append({"op": "concatenate", "inputs": [0, 1], "output": 2})
    shapes += [[pixels], list(SHAPE)]
    last = len(shapes) - 2
    layers += [
        {"op": "dense", "inputs": [last - 1], "output": last, "kernel": {"tensor": 0}, "bias": {"tensor": 1}},
        {"op": "reshape", "inputs": [last], "output": last + 1},
    ]
    program = {
        "schema": 1,
        "image_shape": list(SHAPE),
        "latent_dim": DIM,
        "labels": list(labels),
        "label_shares": [1.0] * len(labels),
        "sampled": False,
        "pixels": {"likelihood": "bernoulli", "show": "mean"},
        "decoder": {"inputs": inputs, "output": last + 1, "shapes": shapes, "layers": layers},
        "label_units": None,
        "density": {"kind": "normal"},
        "tensors": [
            {"shape": list(kernel.shape), "type": "float32", "at": 0},
            {"shape": list(bias.shape), "type": "float32", "at": kernel.nbytes},
        ],
    }
    return program, kernel.tobytes() + bias.tobytes()


def decode(codes: np.ndarray, labels: np.ndarray | None = None, known: int = 0) -> np.ndarray:
    """Decode codes [n, DIM] with labels, int [n], as the program does: uint8 [n, *SHAPE]."""
    kernel, bias = weights(known)
    inputs = codes if labels is None else np.concatenate([codes, np.eye(known)[labels]], axis=1)
    pixels = 1 / (1 + np.exp(-(inputs.astype(np.float64) @ kernel + bias)))
    return np.round(255 * pixels).astype(np.uint8).reshape(-1, *SHAPE)


def save(folder: Path, labels: Sequence[str] = ()) -> None:
    """Write the program into the folder of a model."""
    program, content = make(labels)
    (folder / PROGRAM).parent.mkdir(parents=True)
    (folder / PROGRAM).write_text(json.dumps(program), encoding="utf-8")
    (folder / WEIGHTS).write_bytes(content)
