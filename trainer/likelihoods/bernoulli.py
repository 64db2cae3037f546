"""The Bernoulli likelihood, for black and white images or for gray values taken as probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from trainer.likelihoods.base import Likelihood, to_bits_per_dimension


class Bernoulli(Likelihood):
    """log p(x|z) = sum_i x_i log p_i + (1 - x_i) log(1 - p_i), with the logits of p as parameters.

    It is the decoder of the VAE paper (Kingma and Welling 2014, appendix C.1, eq. 11). For gray values it is a
    cross-entropy, not a normalized density. Set `binary` if every value of x is 0 or 1. It is a probability then.
    """

    def __init__(self, channels: int, binary: bool = False):
        super().__init__("bernoulli", channels)
        self.binary = binary

    def log_prob(self, x: tf.Tensor, parameters: tf.Tensor, training: bool = False) -> tf.Tensor:
        return -tf.reduce_sum(cross_entropy(x, parameters), axis=[1, 2, 3])

    def log_prob_of_samples(self, x: tf.Tensor, parameters: tf.Tensor, samples: int | tf.Tensor) -> tf.Tensor:
        """Return log p(x|z) at several codes; see `Likelihood`.

        Black and white images are not repeated. With the logit t, the term of a black value is -log(1 + e^t), and that of a white
        value is the same with -t. That saves two passes over [n, k, h, w, c] and the copies of x.
        """
        if not self.binary:
            return super().log_prob_of_samples(x, parameters, samples)
        signs = tf.reshape(1.0 - 2.0 * x, [tf.shape(x)[0], 1, math.prod(x.shape[1:])])  # [n, 1, h * w * c]
        logits = tf.reshape(parameters, [tf.shape(x)[0], samples, signs.shape[2]])
        return -tf.reduce_sum(tf.nn.softplus(signs * logits), axis=2)

    def mean(self, parameters: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(parameters)

    def sample(self, parameters: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Return a draw of x given z, of which every value is 0 or 1; see `Likelihood`."""
        return tf.cast(tf.random.stateless_uniform(tf.shape(parameters), seed) < tf.sigmoid(parameters), tf.float32)

    def initial_bias(self, mean_picture: np.ndarray, deviation: np.ndarray) -> np.ndarray:
        """Return the logit of the mean, kept away from 0 and 1 so that no pixel starts out certain."""
        p = np.clip(mean_picture.reshape(-1), 0.01, 0.99)
        return np.log(p / (1 - p)).astype(np.float32)

    def bits_per_dimension(self, nats: float, values: int) -> float | None:
        """Return bits per value for black and white images. Return None for gray ones, whose cross-entropy is not a code length."""
        return to_bits_per_dimension(nats, values) if self.binary else None


@tf.custom_gradient
def cross_entropy(x: tf.Tensor, logits: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
    """Return -x log p - (1 - x) log(1 - p) for p = sigmoid(logits), float32 of any shape, nats.

    It is computed as log(1 + e^t) - x t, whose gradient is sigmoid(t) - x. That takes five passes over the images, where
    TensorFlow's own function takes twenty.
    """

    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return -upstream * logits, upstream * (tf.sigmoid(logits) - x)

    return tf.nn.softplus(logits) - x * logits, gradients
