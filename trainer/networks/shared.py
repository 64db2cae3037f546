"""What every network ends with."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


def posterior_heads(features: keras.KerasTensor, latent_dim: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Mean and log-variance of q(z|x) from features [n, f]: each [n, latent_dim].

    Both start near the prior's for every picture, so that training starts with next to no KL divergence to pay back.
    """
    mean = keras.layers.Dense(latent_dim, kernel_initializer=small(), name="mean")(features)
    log_variance = keras.layers.Dense(latent_dim, kernel_initializer="zeros", name="log_variance")(features)
    return mean, log_variance


def small() -> keras.initializers.Initializer:
    """For a network's last layer: a tenth of the usual spread, so that what follows it starts near a constant."""
    return keras.initializers.VarianceScaling(0.01)


class Bias(keras.layers.Layer):
    """Adds a bias to each value of a picture [n, h, w, k].

    A bias per pixel starts the decoder at the mean picture, which a convolution's own bias (one per filter) cannot.

    Args:
        values: Where it starts, [h * w * k].
    """

    def __init__(self, values: np.ndarray, **kwargs):
        super().__init__(**kwargs)
        self.values = np.asarray(values, np.float32)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the weights, [h, w, k]."""
        initial = keras.initializers.Constant(self.values.reshape(input_shape[1:]))
        self.bias = self.add_weight(shape=tuple(input_shape[1:]), initializer=initial, name="bias")

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """[n, h, w, k] -> [n, h, w, k]."""
        return inputs + self.bias

    def get_config(self) -> dict[str, Any]:
        """The arguments, for Keras."""
        return {**super().get_config(), "values": self.values.tolist()}
