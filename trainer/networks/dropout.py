"""Dropout by a seed that is handed in: a training that goes on after it was killed drops what it would have dropped."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras
import tensorflow as tf

# What each replica's thread draws from; None but in training.
_SEEDS: ContextVar[Iterator[tf.Tensor] | None] = ContextVar("dropout_seeds", default=None)


@contextmanager
def dropping(seed: tf.Tensor) -> Iterator[None]:
    """Has the `Dropout` layers that are called within leave something out.

    Args:
        seed: int32 [2]; each call of a layer has one of its own made of it.
    """
    token = _SEEDS.set(tf.random.experimental.stateless_fold_in(seed, i, alg="philox") for i in itertools.count())
    try:
        yield
    finally:
        _SEEDS.reset(token)


class Dropout(keras.layers.Layer):
    """Leaves out a share of what it is given, and scales up the rest (Srivastava et al. 2014, section 4); nothing but within
    `dropping`.

    Keras' own layer draws from a state of its own, which is none of a model's weights.

    Args:
        rate: The share, 0 to below 1.

    Example:
        >>> with dropping(tf.constant([0, 1])):
        ...     some = Dropout(0.5)(tf.ones([1, 1000]))
        >>> np.unique(some)
        array([0., 2.], dtype=float32)
        >>> Dropout(0.5)(tf.ones([1, 2])).numpy()
        array([[1., 1.]], dtype=float32)
    """

    def __init__(self, rate: float, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Of any shape."""
        seeds = _SEEDS.get()
        if seeds is None:
            return inputs
        # By whole numbers and Philox, which are the same compiled by XLA; its uniform floats are others.
        bits = tf.random.stateless_uniform(tf.shape(inputs), next(seeds), None, None, tf.uint32, alg="philox")
        return tf.where(bits < int(self.rate * 2**32), 0.0, inputs / (1 - self.rate))

    def get_config(self) -> dict[str, Any]:
        """The arguments, for Keras."""
        return {**super().get_config(), "rate": self.rate}
