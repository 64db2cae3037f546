"""Start from another model's weights: a .npz file without pickles, which names them by their network and layer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from serving.manifest import WEIGHTS

OTHER_LAYERS = "it has other layers"


def save_weights(model: keras.Model, folder: Path) -> None:
    """Write all weights of a model beside its export, by the names of their network and layer."""
    np.savez(folder / WEIGHTS, **named_weights(model))


def load_weights(model: keras.Model, folder: Path) -> str:
    """Set the weights of a built model to those that `save_weights` wrote to a folder: all of them, or none.

    Returns:
        The reason why the weights do not fit; '' if they were loaded.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        return "it has left no weights"
    with np.load(path, allow_pickle=False) as saved:
        if set(_named(model)) != set(saved.files):  # before anything is read
            return OTHER_LAYERS
        return assign_weights(model, {name: saved[name] for name in saved.files})


def assign_weights(model: keras.Model, values: Mapping[str, np.ndarray]) -> str:
    """Set the weights of a built model by the names in `save_weights`. The result is that of `load_weights`."""
    variables = _named(model)
    if set(variables) != set(values):
        return OTHER_LAYERS
    others = [name for name, value in values.items() if value.shape != tuple(variables[name].shape)]
    if others:
        return f"its {others[0]} has another shape"
    for name, value in values.items():
        variables[name].assign(value)
    return ""


def named_weights(model: keras.Model) -> dict[str, np.ndarray]:
    """Return all weights as arrays by the names in `save_weights`."""
    return {name: np.asarray(variable) for name, variable in _named(model).items()}


def _named(model: keras.Model) -> dict[str, keras.Variable]:
    """Return all weights by name: that of the network, then the path in it. Encoder and decoder have layers of the same names."""
    named: dict[str, keras.Variable] = {}
    seen: set[int] = set()
    for prefix, weights in [*((f"{part.name}/", part.weights) for part in model.layers), ("", model.weights)]:
        for variable in weights:
            name = f"{prefix}{variable.path}"
            if id(variable) in seen:
                continue
            if name in named:
                raise ValueError(f"two weights have the name {name}")
            seen.add(id(variable))
            named[name] = variable
    return named
