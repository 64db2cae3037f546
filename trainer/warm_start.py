"""Start from another model's weights: a .npz file without pickles, which names them by their network and layer."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

WEIGHTS = "weights.npz"


def save_weights(model: keras.Model, folder: Path) -> None:
    """Write all weights of a model beside its export, by the names of their network and layer."""
    np.savez(folder / WEIGHTS, **{name: np.asarray(variable) for name, variable in _named(model).items()})


def load_weights(model: keras.Model, folder: Path) -> str:
    """Set the weights of a built model to those that `save_weights` wrote to a folder: all of them, or none.

    Returns:
        The reason why the weights do not fit; '' if they were loaded.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        return "it has left no weights"
    with np.load(path, allow_pickle=False) as saved:
        variables = _named(model)
        if set(variables) != set(saved.files):
            return "it has other layers"
        values = {name: saved[name] for name in saved.files}
    others = [name for name, value in values.items() if value.shape != tuple(variables[name].shape)]
    if others:
        return f"its {others[0]} has another shape"
    for name, value in values.items():
        variables[name].assign(value)
    return ""


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
