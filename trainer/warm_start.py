"""Start from another model's weights: a .npz file without pickles, which identifies them by their variables' paths."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

WEIGHTS = "weights.npz"


def save_weights(model: keras.Model, folder: Path) -> None:
    """Write all weights of a model beside its export, by the paths of its variables."""
    np.savez(folder / WEIGHTS, **{variable.path: np.asarray(variable) for variable in model.weights})


def load_weights(model: keras.Model, folder: Path) -> str:
    """Set the weights of a built model to those that `save_weights` wrote to a folder: all of them, or none.

    Returns:
        The reason why the weights do not fit; '' if they were loaded.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        return "it has left no weights"
    with np.load(path, allow_pickle=False) as saved:
        variables = {variable.path: variable for variable in model.weights}
        if set(variables) != set(saved.files):
            return "it has other layers"
        values = {name: saved[name] for name in saved.files}
    others = [name for name, value in values.items() if value.shape != tuple(variables[name].shape)]
    if others:
        return f"its {others[0]} has another shape"
    for name, value in values.items():
        variables[name].assign(value)
    return ""
