"""The variational autoencoder: encoder, prior, decoder, and what is computed with them."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from trainer.config import ModelConfig
from trainer.likelihoods import get_likelihood
from trainer.losses import ElboTerms, kl_to_standard_normal, log_normal
from trainer.networks import build_networks
from trainer.sampling import reparameterise


class VAE(keras.Model):
    """A VAE with a diagonal Gaussian posterior and a standard normal prior (Kingma and Welling 2014).

    Args:
        config: Network, latent dimensions and likelihood.
        image_shape: Height, width, channels of the pictures.
        mean_picture: Mean of the training pictures, float32 [h, w, c] in [0, 1]: where the decoder starts, and the model
            that knows nothing else, which every trained one has to beat.

    Example:
        >>> vae = VAE(ModelConfig(network="dense", latent_dim=2), (28, 28, 1), np.full((28, 28, 1), 0.3, "float32"))
        >>> vae.decode_mean(tf.zeros([1, 2])).shape
        TensorShape([1, 28, 28, 1])
    """

    def __init__(self, config: ModelConfig, image_shape: tuple[int, int, int], mean_picture: np.ndarray):
        super().__init__(name="vae")
        self.image_shape, self.latent_dim = image_shape, config.latent_dim
        self.likelihood = get_likelihood(config.likelihood)
        self.initial_bias = self.likelihood.initial_bias(mean_picture)
        self.encoder, self.decoder = build_networks(
            config, image_shape, self.likelihood.parameters_per_value(), self.initial_bias
        )
        self.built = True  # both networks are

    def encode(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and log-variance of q(z|x): x float32 [n, h, w, c] in [0, 1] -> two float32 [n, latent_dim]."""
        return tuple(self.encoder(x))

    def decode_mean(self, z: tf.Tensor) -> tf.Tensor:
        """E[x|z]: float32 [n, latent_dim] -> [n, h, w, c] in [0, 1]."""
        return self.likelihood.mean(self.decoder(z))

    def kl_per_dimension(self, x: tf.Tensor) -> tf.Tensor:
        """KL(q(z|x) || p(z)) of each latent dimension, float32 [n, latent_dim], nats."""
        return kl_to_standard_normal(*self.encode(x))

    def elbo_terms(self, x: tf.Tensor, noise: tf.Tensor) -> ElboTerms:
        """The two terms of the negative ELBO with one sample per picture.

        Args:
            x: float32 [n, h, w, c] in [0, 1].
            noise: Draws of N(0, 1), float32 [n, latent_dim].

        Returns:
            Terms of float32 [n], nats. The KL divergence is exact, the reconstruction term an unbiased estimate.
        """
        mean, log_variance = self.encode(x)
        parameters = self.decoder(reparameterise(mean, log_variance, noise))
        kl = tf.reduce_sum(kl_to_standard_normal(mean, log_variance), axis=1)
        return ElboTerms(reconstruction=-self.likelihood.log_prob(x, parameters), kl=kl)

    def importance_weighted(self, x: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """The importance-weighted bound log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x) (Burda et al. 2016, eq. 8).

        One sample at a time, so memory does not grow with K.

        Args:
            x: float32 [n, h, w, c] in [0, 1].
            noise: Draws of N(0, 1), float32 [n, K, latent_dim].

        Returns:
            float32 [n], nats: at least the ELBO in expectation, and closer to log p(x) the larger K is.
        """
        mean, log_variance = self.encode(x)

        def log_weight(draws: tf.Tensor) -> tf.Tensor:
            z = reparameterise(mean, log_variance, draws)
            log_joint = self.likelihood.log_prob(x, self.decoder(z)) + log_normal(z)
            return log_joint - log_normal(z, mean, log_variance)

        log_weights = tf.map_fn(log_weight, tf.transpose(noise, [1, 0, 2]), parallel_iterations=1)  # [K, n]
        samples = tf.cast(tf.shape(log_weights)[0], tf.float32)
        return tf.reduce_logsumexp(log_weights, axis=0) - tf.math.log(samples)

    def gain(self, x: tf.Tensor, elbo: tf.Tensor) -> tf.Tensor:
        """Nats by which the ELBO beats the likelihood of the mean training picture.

        A model that has learned nothing gains nothing: an absolute bound that holds for any data.

        Args:
            x: float32 [n, h, w, c] in [0, 1].
            elbo: float32 [n], nats.

        Returns:
            float32 [n], nats.
        """
        parameters = tf.reshape(self.initial_bias, [1, *self.image_shape[:2], -1])
        return elbo - self.likelihood.log_prob(x, tf.repeat(parameters, tf.shape(x)[0], axis=0))
