"""The negative ELBO and its terms, in nats per image."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class ElboTerms(NamedTuple):
    """The two terms of the negative ELBO, in nats.

    Attributes:
        reconstruction: -log p(x|z) at a sample z of q(z|x), float32 [n].
        kl_per_dimension: KL(q(z|x) || p(z)) by latent dimension, float32 [n, d].
        parameters: The likelihood's parameters at the samples, float32 [n, h, w, output_channels].
    """

    reconstruction: tf.Tensor
    kl_per_dimension: tf.Tensor
    parameters: tf.Tensor | None = None

    @property
    def kl(self) -> tf.Tensor:
        """Return the KL divergence, float32 [n]."""
        return tf.reduce_sum(self.kl_per_dimension, axis=1)

    @property
    def elbo(self) -> tf.Tensor:
        """Return the evidence lower bound, float32 [n]; higher is better (Kingma and Welling 2014, eq. 3)."""
        return -(self.reconstruction + self.kl)


def kl_to_standard_normal(mean: tf.Tensor, log_variance: tf.Tensor) -> tf.Tensor:
    """Return KL(N(mean, exp(log_variance)) || N(0, 1)) per dimension (Kingma and Welling 2014, appendix B).

    It is float32 [n, d], nats, never negative, of means and log-variances, each float32 [n, d].

    Example:
        >>> kl_to_standard_normal(tf.constant([[0.0, 1.0]]), tf.constant([[0.0, 0.0]])).numpy()
        array([[0. , 0.5]], dtype=float32)
    """
    # expm1, because exp(v) - 1 - v of a small v would be rounding error of either sign.
    return 0.5 * (tf.square(mean) + tf.math.expm1(log_variance) - log_variance)


def vae_loss(terms: ElboTerms, beta: tf.Tensor | float, free_bits: float = 0.0, paid: tf.Tensor | None = None) -> tf.Tensor:
    """Return the training loss, reconstruction + beta * KL (Higgins et al. 2017, eq. 4): float32 [], nats, the sum over the batch.

    Args:
        terms: The terms of the ELBO.
        beta: Weight of the KL divergence, []. 1 makes the loss the negative ELBO.
        free_bits: Minimum KL divergence that each dimension is charged, in nats, mean over the batch (Kingma et al. 2016,
            eq. 15). Below the minimum, shutting the dimension down gains nothing.
        paid: Dimensions whose mean over the whole batch is above `free_bits`, bool [d]. It is given if these images are a part
            of a batch. The gradient is then correct, but the loss lacks the constant of the other dimensions.
    """
    kl = tf.reduce_sum(terms.kl_per_dimension, axis=0)
    if paid is not None:
        kl = tf.where(paid, kl, 0.0)
    elif free_bits:
        kl = tf.maximum(kl, free_bits * tf.cast(tf.shape(terms.reconstruction)[0], tf.float32))
    return tf.reduce_sum(terms.reconstruction) + beta * tf.reduce_sum(kl)


def log_normal(z: tf.Tensor, mean: tf.Tensor | float = 0.0, log_variance: tf.Tensor | float = 0.0) -> tf.Tensor:
    """Return log N(z; mean, exp(log_variance)), summed over the last axis: float32 [..., d] -> [...], nats."""
    log_two_pi = tf.constant(1.8378770664093453, z.dtype)
    log_variance = tf.convert_to_tensor(log_variance, z.dtype)
    inner = log_two_pi + log_variance + tf.square(z - mean) * tf.exp(-log_variance)
    return -0.5 * tf.reduce_sum(inner, axis=-1)
