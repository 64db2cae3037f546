"""The interface of all observation models p(x|z)."""

from __future__ import annotations

import abc
import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import keras
import numpy as np
import tensorflow as tf

# Parameters fitted to the whole batch that images are a part of, per replica's thread. None if the images are the whole batch.
_FIT: ContextVar[tf.Tensor | None] = ContextVar("batch_fit", default=None)


@contextmanager
def batch_fit(fit: tf.Tensor | None) -> Iterator[None]:
    """Make `log_prob` in training treat its images as a part of a batch.

    `fit` is the result of `Likelihood.fit_batch` for the batch. It is None for images that are a whole batch.
    """
    token = _FIT.set(fit)
    try:
        yield
    finally:
        _FIT.reset(token)


class Likelihood(keras.layers.Layer, abc.ABC):
    """The distribution of images that the decoder's output defines.

    It is a layer, because some likelihoods have weights of their own. Images x are float32 [n, h, w, c] in [0, 1], multiples of
    1/255, c being 1 or 3. The decoder's output, `parameters`, is float32 [n, h, w, output_channels].
    """

    def __init__(self, name: str, channels: int):
        super().__init__(name=name)
        self.channels = channels
        self.built = True

    @property
    def output_channels(self) -> int:
        """Return the number of parameters per pixel, for all channels together."""
        return self.channels

    @property
    def batch_numbers(self) -> int:
        """Return the number of values that `batch_sums` returns. 0 means that nothing is fitted to a batch."""
        return 0

    @property
    def fits_batches(self) -> bool:
        """Return whether `log_prob` in training depends on the whole batch."""
        return self.batch_numbers > 0

    def batch_sums(self, x: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        """Return the input of `fit_batch`: sums over images, float32 [batch_numbers]. The sums of a batch's parts add up."""
        return tf.zeros([0])

    def fit_batch(self, sums: tf.Tensor) -> tf.Tensor:
        """Return the best fit to a batch over all replicas, float32 []. Pass it to `batch_fit`. Call this once per batch."""
        return tf.zeros([])

    @staticmethod
    def given_fit() -> tf.Tensor | None:
        """Return the argument of the current `batch_fit`. Return None outside of it."""
        return _FIT.get()

    @abc.abstractmethod
    def log_prob(self, x: tf.Tensor, parameters: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return log p(x|z) of each image, summed over pixels and channels: float32 [n], nats."""

    def log_prob_of_samples(self, x: tf.Tensor, parameters: tf.Tensor, samples: int | tf.Tensor) -> tf.Tensor:
        """Return log p(x|z) of each image at k = `samples` codes: float32 [n, k], nats.

        The parameters are float32 [n * k, h, w, output_channels]. Those of an image are adjacent.
        """
        return tf.reshape(self.log_prob(tf.repeat(x, samples, axis=0), parameters), [tf.shape(x)[0], samples])

    @abc.abstractmethod
    def mean(self, parameters: tf.Tensor) -> tf.Tensor:
        """Return E[x|z]: float32 [n, h, w, c] in [0, 1]."""

    def mode(self, parameters: tf.Tensor) -> tf.Tensor:
        """Return the most likely image if that is sharper than E[x|z], else E[x|z]: float32 [n, h, w, c] in [0, 1]."""
        return self.mean(parameters)

    @abc.abstractmethod
    def sample(self, parameters: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Return a draw of x given z, float32 [n, h, w, c] in [0, 1]. The same seed, int32 [2], gives the same draw."""

    @abc.abstractmethod
    def initial_bias(self, mean_picture: np.ndarray, deviation: np.ndarray) -> np.ndarray:
        """Return the output of an untrained decoder, float32 [h * w * output_channels], which fits the images without a code.

        The mean of the training images is [h, w, c] in [0, 1]. Their standard deviation is [h, w, c], and 0 where a value never
        changes.
        """

    def reference_log_prob(self, x: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        """Return `log_prob` of the untrained model, whose `parameters` are the initial bias. A trained model has to beat it.

        It differs from `log_prob` if training has changed the likelihood's own weights.
        """
        return self.log_prob(x, parameters)

    def bits_per_dimension(self, nats: float, values: int) -> float | None:
        """Convert a negative log-likelihood, nats per image of h * w * c values, to bits per value, the length of a code.

        Return None if the likelihood is not a probability of images, because then no code has that length.
        """
        return None


def to_bits_per_dimension(nats: float, values: int) -> float:
    """Convert nats per image of `values` values to bits per value.

    Example:
        >>> round(to_bits_per_dimension(nats=2_000.0, values=28 * 28), 3)
        3.68
    """
    return nats / (values * math.log(2))
