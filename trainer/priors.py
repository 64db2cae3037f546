"""Priors p(z): where codes of new pictures come from, and what the KL divergence is taken to."""

from __future__ import annotations

import math
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from trainer.losses import kl_to_standard_normal, log_normal
from trainer.sampling import reparameterise

Posterior = tuple[tf.Tensor, tf.Tensor]  # mean and log-variance, each float32 [..., d]


class StandardNormal:
    """p(z) = N(0, 1) in every dimension (Kingma and Welling 2014)."""

    def log_prob(self, z: tf.Tensor) -> tf.Tensor:
        """log p(z): float32 [n, d] -> [n], nats."""
        return log_normal(z)

    def kl(self, mean: tf.Tensor, log_variance: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        """KL(q || p) of a diagonal Gaussian q, float32 [n, d] per dimension, nats; exact, `z` is not needed."""
        return kl_to_standard_normal(mean, log_variance)

    def draw(self, noise: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Codes made of draws of N(0, 1), float32 [n, d]: the noise itself."""
        return noise


class VampPrior(keras.layers.Layer):
    """A mixture of the posteriors of learned pseudo-inputs: p(z) = 1/K sum_k q(z|u_k) (Tomczak and Welling 2018, eq. 9).

    Args:
        pseudo_inputs: Pictures to start from, float32 [K, h, w, c] in [0, 1].
        encode: The encoder, from pictures to the posterior's mean and log-variance, each [K, d].
    """

    def __init__(self, pseudo_inputs: np.ndarray, encode: Callable[[tf.Tensor], Posterior]):
        super().__init__(name="vampprior")
        inside = np.clip(pseudo_inputs, 0.02, 0.98)  # a sigmoid keeps them in [0, 1] as they are learned
        initial = keras.initializers.Constant(np.log(inside / (1 - inside)))
        self.pseudo_inputs = self.add_weight(shape=pseudo_inputs.shape, initializer=initial, name="pseudo_inputs")
        self.built = True
        self._encode = encode

    def components(self) -> Posterior:
        """Means and log-variances of the mixture's components, each float32 [K, d]."""
        return self._encode(tf.sigmoid(self.pseudo_inputs.value))

    def log_prob(self, z: tf.Tensor) -> tf.Tensor:
        """log p(z): float32 [n, d] -> [n], nats."""
        mean, log_variance = self.components()
        precision = tf.exp(-log_variance)
        # (z - m)^2 / s^2 multiplied out: two matrix products in place of a tensor [n, K, d].
        squares = (
            tf.matmul(tf.square(z), precision, transpose_b=True)
            - 2.0 * tf.matmul(z, mean * precision, transpose_b=True)
            + tf.reduce_sum(tf.square(mean) * precision, axis=1)
        )
        constant = tf.reduce_sum(log_variance, axis=1) + math.log(2 * math.pi) * mean.shape[1]
        return tf.reduce_logsumexp(-0.5 * (squares + constant), axis=1) - math.log(mean.shape[0])

    def kl(self, mean: tf.Tensor, log_variance: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        """An unbiased estimate of KL(q || p), nats: log q(z|x) - log p(z) at a sample z of q, float32 [n, d].

        A mixture has no KL divergence in closed form, and its dimensions are not independent: the estimate is spread evenly
        over them.
        """
        kl = log_normal(z, mean, log_variance) - self.log_prob(z)
        return tf.repeat(kl[:, tf.newaxis] / z.shape[1], z.shape[1], axis=1)

    def draw(self, noise: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Codes, float32 [n, d]: a component by the seed, int [2]; within it, draws of N(0, 1), float32 [n, d]."""
        mean, log_variance = self.components()
        uniform = tf.random.stateless_uniform([tf.shape(noise)[0]], seed, maxval=mean.shape[0], dtype=tf.int32)
        return reparameterise(tf.gather(mean, uniform), tf.gather(log_variance, uniform), noise)


class Mixture:
    """A Gaussian mixture with full covariances, as a density to draw codes from (Ghosh et al. 2020, section 4).

    Args:
        weights: float [K], summing to 1.
        means: float [K, d].
        covariances: float [K, d, d].
    """

    def __init__(self, weights: np.ndarray, means: np.ndarray, covariances: np.ndarray):
        self.log_weights = tf.constant(np.log(weights), tf.float32)
        self.means = tf.constant(means, tf.float32)
        self.factors = tf.constant(np.linalg.cholesky(covariances), tf.float32)

    @classmethod
    def fit(cls, codes: np.ndarray, components: int, seed: int) -> Mixture:
        """Fits the mixture by expectation maximisation (scikit-learn's GaussianMixture).

        Args:
            codes: Samples of the aggregate posterior, float [n, d].
            components: At the most; each gets at least 2 d + 2 codes, or its covariance would mean nothing.
            seed: Of the first means.
        """
        from sklearn.mixture import GaussianMixture

        room = max(1, len(codes) // (2 * codes.shape[1] + 2))
        mixture = GaussianMixture(min(components, room), reg_covar=1e-4, max_iter=50, tol=1e-2, random_state=seed)
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a mixture that could still be fitted a little better is fine
            mixture.fit(np.asarray(codes, np.float64))
        return cls(mixture.weights_, mixture.means_, mixture.covariances_)

    def draw(self, noise: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Codes, float32 [n, d]: a component by the seed, int [2]; within it, draws of N(0, 1), float32 [n, d]."""
        chosen = tf.random.stateless_categorical(self.log_weights[tf.newaxis], tf.shape(noise)[0], seed)[0]
        return tf.gather(self.means, chosen) + tf.linalg.matvec(tf.gather(self.factors, chosen), noise)
