"""What every observation model p(x|z) has to say of itself."""

from __future__ import annotations

import abc
import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import keras
import numpy as np
import tensorflow as tf

# What is fitted to the batch that pictures are a part of, by each replica's thread; None where they are all of it.
_FIT: ContextVar[tf.Tensor | None] = ContextVar("batch_fit", default=None)


@contextmanager
def batch_fit(fit: tf.Tensor | None) -> Iterator[None]:
    """Has `log_prob` take its pictures for a part of a batch, in training.

    Args:
        fit: What `Likelihood.fit_batch` gave for the batch; None for pictures that are all of a batch.
    """
    token = _FIT.set(fit)
    try:
        yield
    finally:
        _FIT.reset(token)


class Likelihood(keras.layers.Layer, abc.ABC):
    """What the decoder's output means: a distribution of pictures.

    A layer, for some have weights of their own. Pictures x are float32 [n, h, w, c] in [0, 1], multiples of 1/255; the
    decoder's output, `parameters`, is float32 [n, h, w, output_channels].

    Args:
        name: As the configuration says it.
        channels: Of the pictures, 1 or 3.
    """

    def __init__(self, name: str, channels: int):
        super().__init__(name=name)
        self.channels = channels
        self.built = True

    @property
    def output_channels(self) -> int:
        """How many numbers the decoder gives per pixel, for all channels together."""
        return self.channels

    @property
    def batch_numbers(self) -> int:
        """How many numbers `batch_sums` gives; 0 where nothing is fitted to a batch."""
        return 0

    @property
    def fits_batches(self) -> bool:
        """Whether in training `log_prob` depends on the batch that a picture is in."""
        return self.batch_numbers > 0

    def batch_sums(self, x: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        """What `fit_batch` asks for: sums over pictures, float32 [batch_numbers], which parts of a batch add up."""
        return tf.zeros([0])

    def fit_batch(self, sums: tf.Tensor) -> tf.Tensor:
        """What fits a batch best, of all replicas; once for each batch. Goes to `batch_fit`."""
        return tf.zeros([])

    @staticmethod
    def given_fit() -> tf.Tensor | None:
        """What `batch_fit` was given; None outside of it."""
        return _FIT.get()

    @abc.abstractmethod
    def log_prob(self, x: tf.Tensor, parameters: tf.Tensor, training: bool = False) -> tf.Tensor:
        """log p(x|z) of each picture, summed over pixels and channels: float32 [n], nats."""

    def log_prob_of_samples(self, x: tf.Tensor, parameters: tf.Tensor, samples: int | tf.Tensor) -> tf.Tensor:
        """Return log p(x|z) of each picture at several codes.

        Args:
            x: float32 [n, h, w, c] in [0, 1].
            parameters: Those at k codes of each picture, a picture's one after the other, float32 [n * k, h, w, output_channels].
            samples: k.

        Returns:
            float32 [n, k], nats.
        """
        return tf.reshape(self.log_prob(tf.repeat(x, samples, axis=0), parameters), [tf.shape(x)[0], samples])

    @abc.abstractmethod
    def mean(self, parameters: tf.Tensor) -> tf.Tensor:
        """E[x|z]: float32 [n, h, w, c] in [0, 1]."""

    @abc.abstractmethod
    def sample(self, parameters: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """A draw of x given z, float32 [n, h, w, c] in [0, 1]; the same seed, int32 [2], gives the same draw."""

    @abc.abstractmethod
    def initial_bias(self, mean_picture: np.ndarray, deviation: np.ndarray) -> np.ndarray:
        """The output with which an untrained decoder starts: a fair density of pictures of which nothing else is known.

        Args:
            mean_picture: Mean of the training pictures, [h, w, c] in [0, 1].
            deviation: Their standard deviation, [h, w, c]; 0 where a value never changes.

        Returns:
            float32 [h * w * output_channels].
        """

    def reference_log_prob(self, x: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        """`log_prob` of the untrained model, whose `parameters` are the initial bias: what a trained one has to beat.

        Another figure than `log_prob` where training has changed weights of the likelihood's own.
        """
        return self.log_prob(x, parameters)

    def bits_per_dimension(self, nats: float, values: int) -> float | None:
        """A negative log-likelihood as the length of a code.

        Args:
            nats: Of a picture.
            values: How many numbers a picture has, h * w * c.

        Returns:
            Bits per number; None where the likelihood is not a probability of pictures, so that no code has that length.
        """
        return None


def to_bits_per_dimension(nats: float, values: int) -> float:
    """Nats per picture of `values` numbers in bits per number."""
    return nats / (values * math.log(2))
