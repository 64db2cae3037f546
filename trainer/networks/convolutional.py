"""A convolutional encoder and decoder: each stage halves (doubles) the picture, whatever its size."""

from __future__ import annotations

import keras
import numpy as np

from trainer.config import ModelConfig
from trainer.networks.shared import Bias, posterior_heads, small


def stage_sizes(height: int, width: int, stages: int) -> list[tuple[int, int]]:
    """Sizes of the picture before each stage and after the last, halves rounded up: 28, 14, 7, 4."""
    sizes = [(height, width)]
    for _ in range(stages):
        height, width = -(-height // 2), -(-width // 2)
        sizes.append((height, width))
    return sizes


def build(
    config: ModelConfig, image_shape: tuple[int, int, int], parameters_per_value: int, output_bias: np.ndarray
) -> tuple[keras.Model, keras.Model]:
    """The pair; see `trainer.networks.build_networks`."""
    height, width, channels = image_shape
    sizes = stage_sizes(height, width, len(config.filters))
    relu = {"activation": "relu", "kernel_initializer": "he_normal"}

    picture = keras.Input(image_shape, name="picture")
    x = picture
    for i, filters in enumerate(config.filters):
        x = keras.layers.Conv2D(filters, 4, strides=2, padding="same", name=f"down_{i + 1}", **relu)(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(config.hidden[-1], name="hidden", **relu)(x)
    encoder = keras.Model(picture, posterior_heads(x, config.latent_dim), name="encoder")

    code = keras.Input((config.latent_dim,), name="latents")
    x = keras.layers.Dense(config.hidden[-1], name="hidden", **relu)(code)
    smallest = (*sizes[-1], config.filters[-1])
    x = keras.layers.Dense(int(np.prod(smallest)), name="expand", **relu)(x)
    x = keras.layers.Reshape(smallest, name="unflatten")(x)
    for i, (filters, size) in enumerate(zip((*config.filters[-2::-1], config.filters[0]), sizes[-2::-1])):
        x = keras.layers.Conv2DTranspose(filters, 4, strides=2, padding="same", name=f"up_{i + 1}", **relu)(x)
        excess = [(0, 2 * small - large) for small, large in zip(sizes[len(sizes) - 1 - i], size)]
        if any(end for _, end in excess):  # an odd size was rounded up on the way down
            x = keras.layers.Cropping2D(excess, name=f"crop_{i + 1}")(x)
    last = {"padding": "same", "use_bias": False, "kernel_initializer": small()}  # its bias is one per pixel, below
    x = keras.layers.Conv2D(channels * parameters_per_value, 3, name="output", **last)(x)
    decoder = keras.Model(code, Bias(output_bias, name="output_bias")(x), name="decoder")
    return encoder, decoder
