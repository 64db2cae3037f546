"""The Gaussian likelihood with one standard deviation for all values of all pictures."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from trainer.likelihoods.base import Likelihood

LOG_TWO_PI = math.log(2 * math.pi)
MIN_SIGMA = 0.5 / 255  # half a grey level: below that the density describes how levels were rounded, and grows without bound
TYPICAL_SIGMA = 0.3  # of pictures' values; only where no pictures say so
RATE = 10.0  # weight times that is log sigma: in steps of ten learning rates it gets from 0.3 to 0.03 in time
MEMORY = 0.95  # of the moving average: about 20 steps, which leaves some 1 % of noise


class Gaussian(Likelihood):
    """log p(x|z) = sum_i log N(x_i; m_i, sigma^2), m = sigmoid(parameters).

    Means of pixels are in [0, 1], and the sigmoid keeps the decoder's there: what it decodes is the mean of the density that
    it was trained with (an identity, clipped, is not), and the weights behind an ever black pixel find rest. Ten epochs on
    Fashion-MNIST came to 10 nats more by it.

    One sigma weighs the whole reconstruction against the KL divergence, as beta would (Rybkin, Daniilidis and Levine 2021).

    There are no bits per dimension: a density's value says nothing of a code for 256 levels.

    Args:
        channels: Of the pictures.
        sigma: `learned`: a weight like others. `optimal`: in training that of the maximum likelihood for the batch, its root
            mean squared error; else a moving average of them. Replicas add up their errors for that, which TensorFlow cannot do
            within a function compiled by XLA: not for `mirrored` with `jit_compile`.
    """

    def __init__(self, channels: int, sigma: str):
        super().__init__("gaussian", channels)
        self.optimal = sigma == "optimal"
        # In training every replica assigns the same number: which of them counts does not matter.
        kind = {"trainable": False, "aggregation": "only_first_replica"} if self.optimal else {"trainable": True}
        self.stored = self.add_weight(name="log_sigma", shape=(), initializer="zeros", **kind)
        self._start(TYPICAL_SIGMA)

    def log_prob(self, x: tf.Tensor, parameters: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See `Likelihood`; of a density, positive where sigma is small."""
        squares, values = _squares(x, self.mean(parameters))
        if not (self.optimal and training):
            return _log_normal(squares, values, self.log_sigma())
        given = self.given_fit()
        log_sigma = self.fit_batch(tf.stop_gradient(_sums(squares, values))) if given is None else given
        return _log_normal(squares, values, log_sigma)

    @property
    def batch_numbers(self) -> int:
        """See `Likelihood`."""
        return 2 if self.optimal else 0

    def batch_sums(self, x: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        """See `Likelihood`: squared errors, and how many."""
        return _sums(*_squares(x, self.mean(parameters))) if self.optimal else super().batch_sums(x, parameters)

    def fit_batch(self, sums: tf.Tensor) -> tf.Tensor:
        """log sigma that maximises the likelihood of the batch, of all replicas' pictures: sigma^2 = MSE (eq. 5 there).

        No gradient: the likelihood's in sigma is 0 at its maximum, so the decoder's is the one of D / 2 log MSE without it.
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
        """log sigma, float32 [], of values in [0, 1]; bounded softly where it is learned, so that it can always rise again."""
        stored = tf.convert_to_tensor(self.stored)
        return stored if self.optimal else math.log(MIN_SIGMA) + tf.nn.softplus(RATE * stored)

    def mean(self, parameters: tf.Tensor) -> tf.Tensor:
        """See `Likelihood`."""
        return tf.sigmoid(parameters)

    def sample(self, parameters: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """See `Likelihood`; clipped to [0, 1]."""
        noise = tf.random.stateless_normal(tf.shape(parameters), seed)
        return tf.clip_by_value(self.mean(parameters) + tf.exp(self.log_sigma()) * noise, 0.0, 1.0)

    def initial_bias(self, mean_picture: np.ndarray, deviation: np.ndarray) -> np.ndarray:
        """The logit of the mean, kept off 0 and 1 so that gradients pass; sigma starts as what fits best beside it."""
        mean = np.clip(mean_picture.reshape(-1).astype(np.float64), 0.01, 0.99)
        error = np.square(deviation.reshape(-1)) + np.square(mean - mean_picture.reshape(-1))
        self._start(math.sqrt(float(error.mean())))
        return np.log(mean / (1 - mean)).astype(np.float32)

    def reference_log_prob(self, x: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        """See `Likelihood`; with the sigma that it started with. A trained one is too small for the mean picture's errors."""
        return _log_normal(*_squares(x, self.mean(parameters)), tf.constant(self.initial_log_sigma))

    def _start(self, sigma: float) -> None:
        above = max(math.log(sigma / MIN_SIGMA) if sigma > 0 else 0.0, 0.1)
        self.initial_log_sigma = math.log(MIN_SIGMA) + above
        self.stored.assign(self.initial_log_sigma if self.optimal else math.log(math.expm1(above)) / RATE)


def _squares(x: tf.Tensor, mean: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Squared errors summed over each picture, float32 [n], and how many values a picture has, float32 []."""
    values = tf.cast(tf.reduce_prod(tf.shape(x)[1:]), tf.float32)
    return tf.reduce_sum(tf.math.squared_difference(x, mean), axis=[1, 2, 3]), values


def _sums(squares: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Squared errors, [n], of pictures of `values` values each: their sum over pictures, and how many values, float32 [2]."""
    return tf.stack([tf.reduce_sum(squares), tf.cast(tf.size(squares), tf.float32) * values])


def _log_normal(squares: tf.Tensor, values: tf.Tensor, log_sigma: tf.Tensor) -> tf.Tensor:
    """The log-density of pictures of `values` values each with these squared errors: float32 [n], nats."""
    return -0.5 * (values * (LOG_TWO_PI + 2 * log_sigma) + squares * tf.exp(-2 * log_sigma))
