"""The Gaussian likelihood with one standard deviation for all values of all images."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from trainer.likelihoods.base import Likelihood

LOG_TWO_PI = math.log(2 * math.pi)
MIN_SIGMA = 0.5 / 255  # half a gray level; below it, the density describes the rounding of levels and grows without bound
TYPICAL_SIGMA = 0.3  # of images' values; used only until the training images set it
RATE = 10.0  # log sigma moves this much faster than its weight, so that it gets from 0.3 to 0.03 in time
MEMORY = 0.95  # decay of the moving average: about 20 steps, which leaves about 1 % of noise


class Gaussian(Likelihood):
    """log p(x|z) = sum_i log N(x_i; m_i, sigma^2), m = sigmoid(parameters).

    Pixels have means in [0, 1], and the sigmoid keeps the decoder's means there. So the decoded image is the mean of the density
    that the model was trained with, which a clipped identity would not give. The weights behind an always black pixel also
    converge. On Fashion-MNIST the sigmoid gained 10 nats after ten epochs.

    Sigma weighs the reconstruction term against the KL divergence, as beta would (Rybkin, Daniilidis and Levine 2021). There are no
    bits per dimension, because the value of a density is not the length of a code for 256 levels.

    Args:
        channels: Channels of the images.
        sigma: `learned` is a weight like others. `optimal` is the maximum-likelihood value for the batch in training, its root
            mean squared error, and otherwise a moving average of these values. `optimal` adds up errors over replicas, which
            TensorFlow cannot do in a function compiled by XLA. So it does not work for `mirrored` with `jit_compile`.
    """

    def __init__(self, channels: int, sigma: str):
        super().__init__("gaussian", channels)
        self.optimal = sigma == "optimal"
        # In training every replica assigns the same number, so any one of them will do.
        kind = {"trainable": False, "aggregation": "only_first_replica"} if self.optimal else {"trainable": True}
        self.stored = self.add_weight(name="log_sigma", shape=(), initializer="zeros", **kind)
        self._start(TYPICAL_SIGMA)

    def log_prob(self, x: tf.Tensor, parameters: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return log p(x|z); see `Likelihood`. It is the logarithm of a density, and can be positive."""
        squares, values = _squares(x, self.mean(parameters))
        if not (self.optimal and training):
            return _log_normal(squares, values, self.log_sigma())
        given = self.given_fit()
        log_sigma = self.fit_batch(tf.stop_gradient(_sums(squares, values))) if given is None else given
        return _log_normal(squares, values, log_sigma)

    @property
    def batch_numbers(self) -> int:
        return 2 if self.optimal else 0

    def batch_sums(self, x: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        return _sums(*_squares(x, self.mean(parameters))) if self.optimal else super().batch_sums(x, parameters)

    def fit_batch(self, sums: tf.Tensor) -> tf.Tensor:
        """Return the maximum-likelihood log sigma of the batch over all replicas: sigma^2 = MSE (Rybkin et al. 2021, eq. 5).

        Sigma has no gradient. The likelihood's derivative in sigma is 0 at the maximum, so the decoder gets
        the gradient of D / 2 log MSE, D being the number of values.
        """
        if not self.optimal:
            return super().fit_batch(sums)
        replica = tf.distribute.get_replica_context()
        if replica is not None and replica.num_replicas_in_sync > 1:
            sums = replica.all_reduce(tf.distribute.ReduceOp.SUM, sums)
        log_sigma = 0.5 * tf.math.log(tf.maximum(sums[0] / sums[1], MIN_SIGMA**2))
        self.stored.assign(MEMORY * self.log_sigma() + (1 - MEMORY) * log_sigma)
        return log_sigma

    def log_sigma(self) -> tf.Tensor:
        """Return log sigma, float32 [], of values in [0, 1].

        A learned sigma has a soft lower bound, so that it can always rise again.
        """
        stored = tf.convert_to_tensor(self.stored)
        return stored if self.optimal else math.log(MIN_SIGMA) + tf.nn.softplus(RATE * stored)

    def mean(self, parameters: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(parameters)

    def sample(self, parameters: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Return a draw of x given z, clipped to [0, 1]; see `Likelihood`."""
        noise = tf.random.stateless_normal(tf.shape(parameters), seed)
        return tf.clip_by_value(self.mean(parameters) + tf.exp(self.log_sigma()) * noise, 0.0, 1.0)

    def initial_bias(self, mean_picture: np.ndarray, deviation: np.ndarray) -> np.ndarray:
        """Return the logit of the mean, kept away from 0 and 1 so that gradients flow. Set sigma to its best fit for that mean."""
        mean = np.clip(mean_picture.reshape(-1).astype(np.float64), 0.01, 0.99)
        error = np.square(deviation.reshape(-1)) + np.square(mean - mean_picture.reshape(-1))
        self._start(math.sqrt(float(error.mean())))
        return np.log(mean / (1 - mean)).astype(np.float32)

    def reference_log_prob(self, x: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        """Return `log_prob` with the initial sigma; see `Likelihood`.

        A trained sigma is too small for the errors of the mean image.
        """
        return _log_normal(*_squares(x, self.mean(parameters)), tf.constant(self.initial_log_sigma))

    def _start(self, sigma: float) -> None:
        above = max(math.log(sigma / MIN_SIGMA) if sigma > 0 else 0.0, 0.1)
        self.initial_log_sigma = math.log(MIN_SIGMA) + above
        self.stored.assign(self.initial_log_sigma if self.optimal else math.log(math.expm1(above)) / RATE)


def _squares(x: tf.Tensor, mean: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return squared errors summed over each image, float32 [n], and the number of values of an image, float32 []."""
    values = tf.cast(tf.reduce_prod(tf.shape(x)[1:]), tf.float32)
    return tf.reduce_sum(tf.math.squared_difference(x, mean), axis=[1, 2, 3]), values


def _sums(squares: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Return the sum of squared errors [n] over images, and the number of all values, float32 [2]."""
    return tf.stack([tf.reduce_sum(squares), tf.cast(tf.size(squares), tf.float32) * values])


def _log_normal(squares: tf.Tensor, values: tf.Tensor, log_sigma: tf.Tensor) -> tf.Tensor:
    """Return the log-density of images from their squared errors and numbers of values: float32 [n], nats."""
    return -0.5 * (values * (LOG_TWO_PI + 2 * log_sigma) + squares * tf.exp(-2 * log_sigma))
