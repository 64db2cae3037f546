"""A dense encoder and decoder: on small pictures the best that a CPU second buys."""

from __future__ import annotations

import keras
import numpy as np

from trainer.config import ModelConfig
from trainer.networks.shared import Bias, posterior_heads, small


def build(
    config: ModelConfig, image_shape: tuple[int, int, int], parameters_per_value: int, output_bias: np.ndarray
) -> tuple[keras.Model, keras.Model]:
    """The pair; see `trainer.networks.build_networks`."""
    height, width, channels = image_shape
    outputs = (height, width, channels * parameters_per_value)

    picture = keras.Input(image_shape, name="picture")
    x = keras.layers.Flatten(name="flatten")(picture)
    for i, units in enumerate(config.hidden):
        x = keras.layers.Dense(units, activation="relu", kernel_initializer="he_normal", name=f"hidden_{i + 1}")(x)
    encoder = keras.Model(picture, posterior_heads(x, config.latent_dim), name="encoder")

    code = keras.Input((config.latent_dim,), name="latents")
    x = code
    for i, units in enumerate(reversed(config.hidden)):
        x = keras.layers.Dense(units, activation="relu", kernel_initializer="he_normal", name=f"hidden_{i + 1}")(x)
    x = keras.layers.Dense(int(np.prod(outputs)), use_bias=False, kernel_initializer=small(), name="output")(x)
    x = keras.layers.Reshape(outputs, name="picture")(x)
    decoder = keras.Model(code, Bias(output_bias, name="output_bias")(x), name="decoder")
    return encoder, decoder
