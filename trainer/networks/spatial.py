"""A network for color images: a grid of places with shared weights, and a code with numbers for each place.

A place is a patch of pixels. Convolutions at the grid's resolution are matrix products, which a CPU computes fastest. A layer
has the same number of weights for large and small images.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer.config import ModelConfig
from trainer.networks.dropout import Dropout
from trainer.networks.shared import ACTIVATION, MAX_LOG_VARIANCE, Bias, Bounded, Networks, small


def grid_of(patch: int, image_shape: tuple[int, int, int]) -> tuple[int, int]:
    """Return the rows and columns of places, each of `patch` x `patch` pixels, that cover an image."""
    return -(-image_shape[0] // patch), -(-image_shape[1] // patch)


def latent_dim(config: ModelConfig, image_shape: tuple[int, int, int]) -> int:
    """Return the number of dimensions of a code: `latent_channels` for each place of the grid, row by row."""
    rows, columns = grid_of(config.patch, image_shape)
    return rows * columns * config.latent_channels


def build(
    config: ModelConfig, image_shape: tuple[int, int, int], output_channels: int, output_bias: np.ndarray, labels: int
) -> Networks:
    """Build the networks; see `trainer.networks.build_networks`."""
    grid, dim = grid_of(config.patch, image_shape), latent_dim(config, image_shape)

    picture = keras.Input(image_shape, name="picture")
    x = ToPatches(config.patch, name="patches")(picture)
    x, label = _with_label(_dense(config.width, "into_width")(x), labels)
    x = _blocks(x, config)
    mean = keras.layers.Conv2D(config.latent_channels, 1, kernel_initializer=small(), name="mean_grid")(x)
    log_variance = keras.layers.Conv2D(config.latent_channels, 1, kernel_initializer="zeros", name="unbounded_log_variance")(x)
    log_variance = Bounded(MAX_LOG_VARIANCE, name="log_variance_grid")(log_variance)
    posterior = [keras.layers.Reshape((dim,), name=name)(x) for name, x in (("mean", mean), ("log_variance", log_variance))]
    encoder = keras.Model([picture, *label] if label else picture, posterior, name="encoder")

    code = keras.Input((dim,), name="latents")
    x = keras.layers.Reshape((*grid, config.latent_channels), name="grid")(code)
    usual = {"padding": "same", "kernel_initializer": "he_normal"}
    x, label = _with_label(keras.layers.Conv2D(config.width, 3, name="into_width", **usual)(x), labels)
    x = _blocks(x, config)
    last = {"use_bias": False, "kernel_initializer": small()}  # its bias, one per pixel, follows
    x = keras.layers.Conv2D(output_channels * config.patch**2, 1, name="output", **last)(x)
    x = FromPatches(config.patch, image_shape[:2], name="picture")(x)
    output = Bias(output_bias, name="output_bias")(x)
    decoder = keras.Model([code, *label] if label else code, output, name="decoder")
    return Networks(encoder, None, decoder)


def _dense(units: int, name: str) -> keras.layers.Layer:
    """Return a dense layer that is the same at each place."""
    return keras.layers.Conv2D(units, 1, kernel_initializer="he_normal", name=name)


def _with_label(x: keras.KerasTensor, labels: int) -> tuple[keras.KerasTensor, list[keras.KerasTensor]]:
    """Add a projection of the label to features [n, rows, columns, f], equal at each place. Return them and the added inputs."""
    if not labels:
        return x, []
    label = keras.Input((labels,), name="label")
    embedding = keras.layers.Dense(x.shape[-1], name="told_label")(label)
    return keras.layers.Add(name="with_label")([x, keras.layers.Reshape((1, 1, x.shape[-1]), name="everywhere")(embedding)]), [
        label
    ]


def _blocks(x: keras.KerasTensor, config: ModelConfig) -> keras.KerasTensor:
    """Return the output of residual layers and an activation: [n, rows, columns, width], the same shape."""
    for i in range(1, config.blocks + 1):
        x = ResidualConvolution(config.width, name=f"residual_{i}")(x)
    x = keras.layers.Activation(ACTIVATION, name="activation")(x)
    return Dropout(config.dropout, name="dropout")(x) if config.dropout else x


class ResidualConvolution(keras.layers.Layer):
    """Activation, then a 3x3 convolution, with a residual connection (He et al. 2016b, figure 4e): [n, h, w, filters]."""

    def __init__(self, filters: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.filters = filters
        self.activation = keras.activations.get(ACTIVATION)
        start = keras.initializers.VarianceScaling(0.2)  # the layer starts as a small correction
        self.convolution = keras.layers.Conv2D(filters, 3, padding="same", kernel_initializer=start, name="convolution")

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return inputs + self.convolution(self.activation(inputs))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "activation": ACTIVATION}


class ToPatches(keras.layers.Layer):
    """Split images into a grid of patches: [n, h, w, c] -> [n, rows, columns, patch * patch * c].

    If a side is not a multiple of the patch's side in pixels, the last row or column of pixels is repeated.
    """

    def __init__(self, patch: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.patch = patch

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        for axis, places in enumerate(grid_of(self.patch, inputs.shape[1:]), start=1):
            if places * self.patch > inputs.shape[axis]:
                inputs = tf.gather(inputs, np.minimum(np.arange(places * self.patch), inputs.shape[axis] - 1), axis=axis)
        return tf.nn.space_to_depth(inputs, self.patch) if self.patch > 1 else inputs


class FromPatches(keras.layers.Layer):
    """Assemble images of height and width `size` from patches: [n, rows, columns, patch * patch * k] -> [n, h, w, k]."""

    def __init__(self, patch: int, size: tuple[int, int], **kwargs: Any):
        super().__init__(**kwargs)
        self.patch, self.size = patch, tuple(size)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        pictures = tf.nn.depth_to_space(inputs, self.patch) if self.patch > 1 else inputs
        return pictures[:, : self.size[0], : self.size[1]]
