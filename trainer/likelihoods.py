"""Observation models p(x|z): what the decoder's output means.

Each says how many numbers it needs per value, its log-probability in nats, its mean, and the output bias to start from.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import tensorflow as tf


class Likelihood(Protocol):
    """What the VAE asks of an observation model."""

    name: str

    def log_prob(self, x: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        """log p(x|z) per picture: x float32 [n, h, w, c] in [0, 1], parameters [n, h, w, c * k] -> float32 [n], nats."""

    def mean(self, parameters: tf.Tensor) -> tf.Tensor:
        """E[x|z]: float32 [n, h, w, c] in [0, 1]."""

    def parameters_per_value(self) -> int:
        """How many numbers (k) the decoder gives per value of a picture."""

    def initial_bias(self, mean_picture: np.ndarray) -> np.ndarray:
        """Bias [h * w * c * k] with which an untrained decoder gives the mean picture [h, w, c]."""


class Bernoulli:
    """Grey values taken as probabilities: log p(x|z) = sum_i x_i log p_i + (1 - x_i) log(1 - p_i).

    The loss of the VAE paper's Bernoulli decoder (Kingma and Welling 2014, appendix C.1, eq. 11). For values strictly
    between 0 and 1 it is a cross-entropy, not a normalised density.
    """

    name = "bernoulli"

    def log_prob(self, x: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        """See `Likelihood`; the parameters are logits."""
        return -tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=parameters), axis=[1, 2, 3])

    def mean(self, parameters: tf.Tensor) -> tf.Tensor:
        """See `Likelihood`."""
        return tf.sigmoid(parameters)

    def parameters_per_value(self) -> int:
        """See `Likelihood`."""
        return 1

    def initial_bias(self, mean_picture: np.ndarray) -> np.ndarray:
        """The logit of the mean, kept off 0 and 1 so that no pixel starts out certain."""
        p = np.clip(mean_picture.reshape(-1), 0.01, 0.99)
        return np.log(p / (1 - p)).astype(np.float32)


LIKELIHOODS: dict[str, type[Likelihood]] = {"bernoulli": Bernoulli}


def get_likelihood(name: str) -> Likelihood:
    """The observation model of that name.

    Raises:
        ValueError: No such likelihood; the message lists those there are.
    """
    if name not in LIKELIHOODS:
        raise ValueError(f"unknown likelihood {name!r}: allowed are {', '.join(LIKELIHOODS)}")
    return LIKELIHOODS[name]()
