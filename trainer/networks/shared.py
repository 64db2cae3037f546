"""What every network begins and ends with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from trainer.networks.dropout import Dropout

ACTIVATION = "silu"  # half a nat better than ReLU on Fashion-MNIST after as many epochs; steps of ReLU are a tenth faster

MOST_LOG_VARIANCE = 12.0  # either way: deviations from a four-hundredth of the prior's to four hundred times


class Networks(NamedTuple):
    """A model's networks; those of a conditional model take labels, float32 [n, labels], as a second input.

    Attributes:
        encoder: float32 [n, h, w, c] in [0, 1] -> mean and log-variance of q(z|x), each float32 [n, latent_dim]; of a
            hierarchical model those of the upper level, and features for the lower.
        lower_encoder: Features and the upper level's code -> mean and log-variance of the lower level; None without one.
        decoder: float32 [n, latent_dim] -> the likelihood's parameters, float32 [n, h, w, output_channels].
    """

    encoder: keras.Model
    lower_encoder: keras.Model | None
    decoder: keras.Model


def layer_sizes(network: keras.Model) -> list[int]:
    """How many numbers each layer of a network gives for one picture."""
    return [sum(math.prod(output.shape[1:]) for output in tf.nest.flatten(layer.output)) for layer in network.layers]


def with_labels(x: keras.KerasTensor, labels: int) -> tuple[keras.KerasTensor, list[keras.KerasTensor]]:
    """Features [n, f] with the labels beside them where there are any, and the inputs that this adds."""
    if not labels:
        return x, []
    label = keras.Input((labels,), name="label")
    return keras.layers.Concatenate(name="with_label")([x, label]), [label]


def dense_stack(x: keras.KerasTensor, hidden: Sequence[int], dropout: float) -> keras.KerasTensor:
    """Dense layers, each added to what it was given where both are of one width: [n, f] -> [n, hidden[-1]].

    Residual layers (He et al. 2016, section 3.1, activation first) are worth two nats on Fashion-MNIST over plain ones.
    """
    x = keras.layers.Dense(hidden[0], kernel_initializer="he_normal", name="hidden_1")(x)
    for i, (before, units) in enumerate(zip(hidden, hidden[1:]), start=2):
        x = (Residual if units == before else Activated)(units, name=f"hidden_{i}")(x)
    x = keras.layers.Activation(ACTIVATION, name="activation")(x)
    return Dropout(dropout, name="dropout")(x) if dropout else x


class Activated(keras.layers.Layer):
    """Activation, then a dense layer: [n, f] -> [n, units].

    Args:
        units: Numbers that it gives.
        spread: Variance of its weights, times the numbers that it is given.
    """

    def __init__(self, units: int, spread: float = 2.0, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.activation = keras.activations.get(ACTIVATION)
        self.dense = keras.layers.Dense(units, kernel_initializer=keras.initializers.VarianceScaling(spread))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the weights."""
        self.dense.build(input_shape)

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """[n, f] -> [n, units]."""
        return self.dense(self.activation(inputs))

    def get_config(self) -> dict[str, Any]:
        """The arguments, for Keras."""
        return {**super().get_config(), "units": self.units, "activation": ACTIVATION}


class Residual(Activated):
    """The same, added to what it was given: [n, units] -> [n, units].

    Args:
        units: Numbers that it is given and gives.
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(units, spread=0.2, **kwargs)  # so that it starts as a small correction

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """[n, units] -> [n, units]."""
        return inputs + super().call(inputs)


def posterior_heads(features: keras.KerasTensor, latent_dim: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Mean and log-variance of q(z|x) from features [n, f]: each [n, latent_dim].

    Both start near the prior's for every picture, so that training starts with next to no KL divergence to pay back.
    """
    mean = keras.layers.Dense(latent_dim, kernel_initializer=small(), name="mean")(features)
    log_variance = keras.layers.Dense(latent_dim, kernel_initializer="zeros", name="unbounded_log_variance")(features)
    return mean, Bounded(MOST_LOG_VARIANCE, name="log_variance")(log_variance)


class Bounded(keras.layers.Layer):
    """Keeps numbers between -most and most, the small ones as they are: most * tanh(x / most), of any shape.

    An exponential of what one odd picture makes of a log-variance would be infinite, and the training lost with it.

    Args:
        most: The bound.
    """

    def __init__(self, most: float, **kwargs):
        super().__init__(**kwargs)
        self.most = most

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Of any shape."""
        return self.most * keras.ops.tanh(inputs / self.most)

    def get_config(self) -> dict[str, Any]:
        """The arguments, for Keras."""
        return {**super().get_config(), "most": self.most}


def small() -> keras.initializers.Initializer:
    """For a network's last layer: a tenth of the usual spread, so that what follows it starts near a constant."""
    return keras.initializers.VarianceScaling(0.01)


def dense_output(features: keras.KerasTensor, shape: tuple[int, int, int], bias: np.ndarray) -> keras.KerasTensor:
    """The likelihood's parameters, [n, *shape], from features [n, f]; they start at the bias, [h * w * k]."""
    x = keras.layers.Dense(int(np.prod(shape)), use_bias=False, kernel_initializer=small(), name="output")(features)
    return Bias(bias, name="output_bias")(keras.layers.Reshape(shape, name="picture")(x))


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
