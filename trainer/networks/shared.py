"""Layers and initializers that several networks share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from trainer.networks.dropout import Dropout

ACTIVATION = "silu"  # half a nat better than ReLU on Fashion-MNIST for the same epochs; ReLU's steps are a tenth faster

MAX_LOG_VARIANCE = 12.0  # bound in either direction: deviations from 1/400 of the prior's to 400 times it

_IN_DOUBLE: ContextVar[bool] = ContextVar("bounds_in_double", default=False)


class Networks(NamedTuple):
    """A model's networks. Those of a conditional model take labels, float32 [n, labels], as a second input.

    Attributes:
        encoder: float32 [n, h, w, c] in [0, 1] -> mean and log-variance of q(z|x), each float32 [n, latent_dim]. In a
            hierarchical model, those of the upper level, and features for the lower level.
        lower_encoder: Features and the upper level's code -> mean and log-variance of the lower level. None without a lower level.
        decoder: float32 [n, latent_dim] -> the likelihood's parameters, float32 [n, h, w, output_channels].
    """

    encoder: keras.Model
    lower_encoder: keras.Model | None
    decoder: keras.Model


def layer_sizes(network: keras.Model) -> list[int]:
    """Return the number of values that each layer of a network outputs for one image."""
    return [sum(math.prod(output.shape[1:]) for output in tf.nest.flatten(layer.output)) for layer in network.layers]


def with_labels(x: keras.KerasTensor, labels: int) -> tuple[keras.KerasTensor, list[keras.KerasTensor]]:
    """Concatenate labels to features [n, f] if there are any. Return the features, and the inputs that were added."""
    if not labels:
        return x, []
    label = keras.Input((labels,), name="label")
    return keras.layers.Concatenate(name="with_label")([x, label]), [label]


def dense_stack(x: keras.KerasTensor, hidden: Sequence[int], dropout: float) -> keras.KerasTensor:
    """Return the output of dense layers, with a residual connection between equal widths: [n, f] -> [n, hidden[-1]].

    Residual layers (He et al. 2016, section 3.1, activation first) gain two nats over plain ones on Fashion-MNIST.
    """
    x = keras.layers.Dense(hidden[0], kernel_initializer="he_normal", name="hidden_1")(x)
    for i, (before, units) in enumerate(pairwise(hidden), start=2):
        x = (Residual if units == before else Activated)(units, name=f"hidden_{i}")(x)
    x = keras.layers.Activation(ACTIVATION, name="activation")(x)
    return Dropout(dropout, name="dropout")(x) if dropout else x


class Activated(keras.layers.Layer):
    """Activation, then a dense layer: [n, f] -> [n, units]. `spread` is the variance of the weights, times the number of inputs."""

    def __init__(self, units: int, spread: float = 2.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units
        self.activation = keras.activations.get(ACTIVATION)
        # Weights are saved by name. Without one, Keras would count all dense layers of the process.
        self.dense = keras.layers.Dense(units, kernel_initializer=keras.initializers.VarianceScaling(spread), name="dense")

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return self.dense(self.activation(inputs))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "activation": ACTIVATION}


class Residual(Activated):
    """An `Activated` layer with a residual connection: [n, units] -> [n, units]."""

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(units, spread=0.2, **kwargs)  # the layer starts as a small correction

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return inputs + super().call(inputs)


def posterior_heads(features: keras.KerasTensor, latent_dim: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the mean and log-variance of q(z|x) from features [n, f]: each [n, latent_dim].

    Both start near the prior's for every image. So training starts with almost no KL divergence to remove.
    """
    mean = keras.layers.Dense(latent_dim, kernel_initializer=small(), name="mean")(features)
    log_variance = keras.layers.Dense(latent_dim, kernel_initializer="zeros", name="unbounded_log_variance")(features)
    return mean, Bounded(MAX_LOG_VARIANCE, name="log_variance")(log_variance)


@contextmanager
def bounds_in_double() -> Iterator[None]:
    """Make `bounded` compute in float64 in this context. Use it for a model that is exported.

    TensorFlow 2.16 and 2.21 approximate tanh of float32 by different polynomials: two thirds of the values differ in the last digit.
    Of float64, they differ only in digits that float32 does not have.
    """
    token = _IN_DOUBLE.set(True)
    try:
        yield
    finally:
        _IN_DOUBLE.reset(token)


def bounded(x: tf.Tensor, limit: float) -> tf.Tensor:
    """Bound values softly to (-limit, limit), and leave small ones almost unchanged: limit * tanh(x / limit), of any shape.

    The result has the type of `x`, within `bounds_in_double` as well.

    Example:
        >>> bounded(tf.constant([0.0, 1000.0]), 4.0).numpy()
        array([0., 4.], dtype=float32)
    """
    exact = keras.ops.cast(x, "float64") if _IN_DOUBLE.get() else x
    return keras.ops.cast(limit * keras.ops.tanh(exact / limit), x.dtype)


class Bounded(keras.layers.Layer):
    """Apply `bounded` to values of any shape.

    Without the bound, one unusual image could give a log-variance whose exponential is infinite, and the training would be lost.
    """

    def __init__(self, limit: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.limit = limit

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return bounded(inputs, self.limit)


def small() -> keras.initializers.Initializer:
    """Return an initializer for a network's last layer: a tenth of the usual spread, so that the output starts near a constant."""
    return keras.initializers.VarianceScaling(0.01)


def dense_output(features: keras.KerasTensor, shape: tuple[int, int, int], bias: np.ndarray) -> keras.KerasTensor:
    """Return the likelihood's parameters, [n, *shape], from features [n, f]. They start at the bias, [h * w * k]."""
    x = keras.layers.Dense(int(np.prod(shape)), use_bias=False, kernel_initializer=small(), name="output")(features)
    return Bias(bias, name="output_bias")(keras.layers.Reshape(shape, name="picture")(x))


class Bias(keras.layers.Layer):
    """Add a bias with the initial `values`, [h * w * k], to each value of an image [n, h, w, k].

    A bias per pixel starts the decoder at the mean image. A convolution's own bias, one per filter, cannot.
    """

    def __init__(self, values: np.ndarray, **kwargs: Any):
        super().__init__(**kwargs)
        self.values = np.asarray(values, np.float32)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        initial = keras.initializers.Constant(self.values.reshape(input_shape[1:]))
        self.bias = self.add_weight(shape=tuple(input_shape[1:]), initializer=initial, name="bias")

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return inputs + self.bias

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "values": self.values.tolist()}
