"""A convolutional encoder and decoder: each stage halves or doubles an image of any size."""

from __future__ import annotations

import keras
import numpy as np

from trainer.config import ModelConfig
from trainer.networks.shared import ACTIVATION, Bias, Networks, dense_stack, posterior_heads, small, with_labels


def stage_sizes(height: int, width: int, stages: int) -> list[tuple[int, int]]:
    """Return the sizes of the image before each stage and after the last one. Halves are rounded up: 28, 14, 7, 4."""
    sizes = [(height, width)]
    for _ in range(stages):
        height, width = -(-height // 2), -(-width // 2)
        sizes.append((height, width))
    return sizes


def build(
    config: ModelConfig, image_shape: tuple[int, int, int], output_channels: int, output_bias: np.ndarray, labels: int
) -> Networks:
    """Build the networks; see `trainer.networks.build_networks`."""
    sizes = stage_sizes(*image_shape[:2], len(config.filters))
    usual = {"activation": ACTIVATION, "kernel_initializer": "he_normal"}

    picture = keras.Input(image_shape, name="picture")
    x = picture
    for i, filters in enumerate(config.filters):
        x = keras.layers.Conv2D(filters, 4, strides=2, padding="same", name=f"down_{i + 1}", **usual)(x)
    x, label = with_labels(keras.layers.Flatten(name="flatten")(x), labels)
    x = dense_stack(x, config.hidden[-1:], config.dropout)
    encoder = keras.Model([picture, *label] if label else picture, posterior_heads(x, config.latent_dim), name="encoder")

    code = keras.Input((config.latent_dim,), name="latents")
    x, label = with_labels(code, labels)
    x = dense_stack(x, config.hidden[-1:], config.dropout)
    smallest = (*sizes[-1], config.filters[-1])
    x = keras.layers.Dense(int(np.prod(smallest)), name="expand", **usual)(x)
    x = keras.layers.Reshape(smallest, name="unflatten")(x)
    for i, (filters, size) in enumerate(zip((*config.filters[-2::-1], config.filters[0]), sizes[-2::-1])):
        x = keras.layers.Conv2DTranspose(filters, 4, strides=2, padding="same", name=f"up_{i + 1}", **usual)(x)
        excess = [(0, 2 * small - large) for small, large in zip(sizes[len(sizes) - 1 - i], size)]
        if any(end for _, end in excess):  # an odd size was rounded up by the encoder
            x = keras.layers.Cropping2D(excess, name=f"crop_{i + 1}")(x)
    last = {"padding": "same", "use_bias": False, "kernel_initializer": small()}  # its bias, one per pixel, follows
    x = keras.layers.Conv2D(output_channels, 3, name="output", **last)(x)
    output = Bias(output_bias, name="output_bias")(x)
    decoder = keras.Model([code, *label] if label else code, output, name="decoder")
    return Networks(encoder, None, decoder)
