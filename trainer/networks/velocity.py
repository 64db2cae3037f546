"""The velocity network of a flow: residual layers conditioned on time, over whole codes or over the grid of their places."""

from __future__ import annotations

import math

import keras
import numpy as np

from trainer.networks.shared import ACTIVATION, Bias
from trainer.networks.spatial import FromPatches, ToPatches

WIDTHS = (128, 1024)  # bounds of a layer's width over codes without places, which is 4 times the code's dimensions
LAYERS = 4
FINE, COARSE = 96, 192  # widths over the grid, and over the grid of its 2x2 patches, which connects distant places
COARSE_LAYERS = 3
CONDITION = 128  # dimensions of the embedding of time and label
FREQUENCIES = 32


def build_velocity(dim: int, grid: tuple[int, int, int] | None, labels: int, seed: int) -> keras.Model:
    """Build the network, which takes codes [n, dim], times [n, 1] in [0, 1], and, if there are labels, their shares [n, labels].

    Its output, float32 [n, dim], is all zeros until it is trained. The seed determines the weights. `grid` is the rows, columns and
    channels of a spatial code. It is None for a code without places.
    """
    make = _Layers(seed)
    u, t = keras.Input((dim,), name="u"), keras.Input((1,), name="t")
    label = [keras.Input((labels,), name="label")] if labels else []
    condition = make.dense(CONDITION, "time")(Waves(name="waves")(t))
    condition = make.dense(CONDITION, "told")(keras.layers.Activation(ACTIVATION)(condition))
    if labels:
        condition = keras.layers.Add()([condition, make.dense(CONDITION, "told_label")(label[0])])
    condition = keras.layers.Activation(ACTIVATION)(condition)
    velocity = _over_places(u, condition, grid, make) if grid else _over_all(u, condition, make)
    return keras.Model([u, t, *label], velocity, name="velocity")


def _over_all(u: keras.KerasTensor, condition: keras.KerasTensor, make: _Layers) -> keras.KerasTensor:
    """Return the output of dense residual layers: codes [n, d] and their condition [n, CONDITION] -> [n, d]."""
    dim = u.shape[1]
    width = int(np.clip(4 * dim, *WIDTHS))
    x = make.dense(width, "first")(u)
    for i in range(1, LAYERS + 1):
        x = make.residual(x, condition, make.dense(width, f"layer_{i}", 1 / LAYERS), f"layer_{i}")
    return keras.layers.Dense(dim, kernel_initializer="zeros", name="last")(make.activated(x, "last"))


def _over_places(
    u: keras.KerasTensor, condition: keras.KerasTensor, grid: tuple[int, int, int], make: _Layers
) -> keras.KerasTensor:
    """Return the output of convolutions over the grid and over its patches: [n, d] and [n, CONDITION] -> [n, d]."""
    size, channels = grid[:2], grid[2]
    x = make.convolution(FINE, "first")(keras.layers.Reshape(grid, name="grid")(u))
    x = Bias(np.zeros((*size, FINE)), name="place")(x)
    fine = x = make.residual(x, condition, make.convolution(FINE, "fine_1", 1 / LAYERS), "fine_1")
    x = make.dense(COARSE, "coarser")(ToPatches(2, name="patches")(x))
    for i in range(1, COARSE_LAYERS + 1):
        x = make.residual(x, condition, make.convolution(COARSE, f"coarse_{i}", 1 / LAYERS), f"coarse_{i}")
        x = make.mixed(x, f"mixed_{i}")
    x = FromPatches(2, size, name="finer")(make.dense(4 * FINE, "to_finer")(make.activated(x, "to_finer")))
    x = keras.layers.Add(name="both")([fine, x])
    x = make.residual(x, condition, make.convolution(FINE, "fine_2", 1 / LAYERS), "fine_2")
    last = keras.layers.Conv2D(channels, 3, padding="same", kernel_initializer="zeros", name="last")
    return keras.layers.Reshape((u.shape[1],), name="flat")(last(make.activated(x, "last")))


class _Layers:
    """Create layers whose weights are drawn from one seed, in the order of creation."""

    def __init__(self, seed: int):
        self._seeds = np.random.SeedSequence(seed)

    def _start(self, spread: float) -> keras.initializers.Initializer:
        (seed,) = self._seeds.spawn(1)[0].generate_state(1)
        return keras.initializers.VarianceScaling(spread, seed=int(seed))

    def dense(self, units: int, name: str, spread: float = 1.0) -> keras.layers.Layer:
        """Return a dense layer, which is the same at each place of a grid."""
        return keras.layers.Dense(units, kernel_initializer=self._start(spread), name=f"{name}_dense")

    def convolution(self, units: int, name: str, spread: float = 1.0) -> keras.layers.Layer:
        """Return a 3x3 convolution."""
        return keras.layers.Conv2D(units, 3, padding="same", kernel_initializer=self._start(spread), name=f"{name}_convolution")

    def activated(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        """Return x after layer normalization (Ba et al. 2016) and the activation."""
        return keras.layers.Activation(ACTIVATION)(keras.layers.LayerNormalization(name=f"{name}_norm")(x))

    def residual(
        self, x: keras.KerasTensor, condition: keras.KerasTensor, layer: keras.layers.Layer, name: str
    ) -> keras.KerasTensor:
        """Normalize x, add the condition, apply the activation and the layer, and add the result to x."""
        width = x.shape[-1]
        condition = self.dense(width, f"{name}_told")(condition)
        if len(x.shape) == 4:
            condition = keras.layers.Reshape((1, 1, width))(condition)
        y = keras.layers.Add()([keras.layers.LayerNormalization(name=f"{name}_norm")(x), condition])
        return keras.layers.Add()([x, layer(keras.layers.Activation(ACTIVATION)(y))])

    def mixed(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        """Add to each place a weighted sum of all places; all channels share the weights (Tolstikhin et al. 2021, eq. 1)."""
        rows, columns, width = x.shape[1:]
        y = keras.layers.Reshape((rows * columns, width))(keras.layers.LayerNormalization(name=f"{name}_norm")(x))
        y = self.dense(rows * columns, name, 1 / LAYERS)(keras.layers.Permute((2, 1))(y))
        y = keras.layers.Reshape((rows, columns, width))(keras.layers.Permute((2, 1))(y))
        return keras.layers.Add()([x, y])


class Waves(keras.layers.Layer):
    """Embed times, [n, 1] in [0, 1], as sines and cosines of rising frequencies: [n, 2 * FREQUENCIES]."""

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        angles = inputs * (math.pi * np.exp(np.linspace(0, math.log(64), FREQUENCIES))).astype(np.float32)
        return keras.ops.concatenate([keras.ops.sin(angles), keras.ops.cos(angles)], axis=1)
