"""Dropout from a given seed: a resumed training drops the same values as an uninterrupted one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras
import tensorflow as tf

# The seeds of each replica's thread. None outside of training.
_SEEDS: ContextVar[Iterator[tf.Tensor] | None] = ContextVar("dropout_seeds", default=None)


@contextmanager
def dropping(seed: tf.Tensor) -> Iterator[None]:
    """Make the `Dropout` layers in this context drop values. Each call of a layer derives its own seed from the seed, int32 [2]."""
    token = _SEEDS.set(tf.random.experimental.stateless_fold_in(seed, i, alg="philox") for i in itertools.count())
    try:
        yield
    finally:
        _SEEDS.reset(token)


class Dropout(keras.layers.Layer):
    """Drop a share of the inputs and scale up the rest (Srivastava et al. 2014, section 4), but only within `dropping`.

    Keras' own layer draws from its own state, which is not among the model's weights.

    Example:
        >>> with dropping(tf.constant([0, 1])):
        ...     some = Dropout(0.5)(tf.ones([1, 1000]))
        >>> sorted(set(some.numpy().ravel()))
        [0.0, 2.0]
        >>> Dropout(0.5)(tf.ones([1, 2])).numpy()
        array([[1., 1.]], dtype=float32)
    """

    def __init__(self, rate: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        seeds = _SEEDS.get()
        if seeds is None:
            return inputs
        # Integers from Philox are the same when compiled by XLA. Its uniform floats differ.
        bits = tf.random.stateless_uniform(tf.shape(inputs), next(seeds), None, None, tf.uint32, alg="philox")
        return tf.where(bits < int(self.rate * 2**32), 0.0, inputs / (1 - self.rate))
