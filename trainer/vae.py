"""The variational autoencoder: encoder, prior, decoder, and what is computed with them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from trainer.config import ModelConfig
from trainer.likelihoods import get_likelihood
from trainer.losses import ElboTerms, kl_to_standard_normal, log_normal
from trainer.networks import build_networks, latent_dim
from trainer.networks.shared import layer_sizes
from trainer.preprocessing import scale
from trainer.priors import LabelUnits, StandardNormal, VampPrior
from trainer.sampling import binarise, example_keys, reparameterise

ROWS = 512  # codes decoded at once for a bound: more gain nothing; half as many cost a tenth on dense networks
ROW_NUMBERS = 1 << 22  # in the largest layer, of all codes decoded at once: more gain nothing, and take gigabytes
UNLABELLED = -1  # the label of a picture that has none, or that is not to be seen


class TrainingData(NamedTuple):
    """What a new model is told of the pictures that it will be trained on.

    Attributes:
        mean: Their mean, float32 [h, w, c] in [0, 1]: where the decoder starts, and the model that knows nothing else, which
            every trained one has to beat.
        deviation: Their standard deviation, float32 [h, w, c].
        examples: Some of them, float32 [n, h, w, c] in [0, 1]: where pseudo-inputs start.
        labels: How many labels there are.
        example_labels: Those of the examples, int32 [n], `UNLABELLED` for none; None for none at all.
    """

    mean: np.ndarray
    deviation: np.ndarray
    examples: np.ndarray
    labels: int = 0
    example_labels: np.ndarray | None = None


class Sample(NamedTuple):
    """A sample of q(z|x), each float32 [n, latent_dim]: mean and log-variance of q where it was drawn, and the code."""

    mean: tf.Tensor
    log_variance: tf.Tensor
    z: tf.Tensor


class VAE(keras.Model):
    """A VAE with a diagonal Gaussian posterior (Kingma and Welling 2014), one level of latent variables or two.

    Codes z are in units of the prior. Of a hierarchical model, z = (z_top, z_low), and z_low is what its lower level is by the
    standards of its own prior p(. | z_top): the decoder scales and shifts it first. So the standard normal prior holds for
    every dimension, and KL divergences are what they were, for they do not depend on units. Of a conditional model the same is
    done for each label, see `LabelUnits`.

    Args:
        config: Network, latent dimensions, likelihood, prior.
        image_shape: Height, width, channels of the pictures.
        data: What it is told of the training pictures.

    Example:
        >>> grey = np.full((28, 28, 1), 0.3, "float32")
        >>> vae = VAE(ModelConfig(network="dense", latent_dim=2), grey.shape, TrainingData(grey, grey, grey[np.newaxis]))
        >>> vae.decode_mean(tf.zeros([1, 2])).shape
        TensorShape([1, 28, 28, 1])
    """

    def __init__(self, config: ModelConfig, image_shape: tuple[int, int, int], data: TrainingData):
        super().__init__(name="vae")
        self.config, self.image_shape = config, image_shape
        self.latent_dim = latent_dim(config, image_shape)
        self.binarised = config.binarisation == "dynamic"
        self.labels = data.labels if config.conditional else 0
        self.likelihood = get_likelihood(config, image_shape[2])
        self.initial_bias = self.likelihood.initial_bias(data.mean, data.deviation)
        self.encoder, self.lower_encoder, self.decoder = build_networks(
            config, image_shape, self.likelihood.output_channels, self.initial_bias, self.labels
        )
        self.top_dim = config.top_latent_dim if self.lower_encoder is not None else self.latent_dim
        self.prior: StandardNormal | VampPrior = StandardNormal()
        if config.prior == "vampprior":
            chosen = np.resize(data.examples, (config.pseudo_inputs, *image_shape))
            of = np.full(len(data.examples), UNLABELLED) if data.example_labels is None else data.example_labels
            of = np.resize(of, config.pseudo_inputs)
            self.prior = VampPrior(chosen, lambda x: self._encode_top(x, None)[:2], self.labels, of)
        self.label_units = LabelUnits(self.labels, self.top_dim) if self.labels and config.prior == "standard_normal" else None
        networks = [network for network in (self.encoder, self.lower_encoder, self.decoder) if network is not None]
        self._layer_sizes = tuple(itertools.chain.from_iterable(map(layer_sizes, networks)))
        self.built = True  # all its parts are

    def judged_at_once(self, numbers: int) -> int:
        """How many pictures, at least 1, have at most so many numbers in the largest layer: memory goes by it in judging."""
        return max(1, numbers // max(self._layer_sizes))

    def trained_at_once(self, numbers: int) -> int:
        """How many pictures, at least 1, have at most so many numbers in all layers: memory goes by them in training."""
        return max(1, numbers // sum(self._layer_sizes))

    def observe(self, levels: tf.Tensor) -> tf.Tensor:
        """Pictures as the model is judged on them: uint8 [n, h, w, c] -> float32 [n, h, w, c] in [0, 1].

        Where the configuration asks for it they are black and white, the same picture always in the same way.
        """
        return binarise(scale(levels), example_keys(levels)) if self.binarised else scale(levels)

    def encode(self, x: tf.Tensor, labels: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and log-variance of q(z|x); those of a lower level are given the mean of the level above.

        Args:
            x: float32 [n, h, w, c] in [0, 1].
            labels: int32 [n], `UNLABELLED` for pictures without; None for all of them.

        Returns:
            Two float32 [n, latent_dim].
        """
        noise = tf.zeros([tf.shape(x)[0], self.latent_dim])
        return self.sample_posterior(x, noise, labels)[:2]

    def sample_posterior(self, x: tf.Tensor, noise: tf.Tensor, labels: tf.Tensor | None = None) -> Sample:
        """Draws from q(z|x): x float32 [n, h, w, c] in [0, 1], noise draws of N(0, 1), float32 [n, latent_dim]."""
        return self._sample(self._encode_top(x, labels), noise)

    def decode(self, z: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """The likelihood's parameters: float32 [n, latent_dim] -> [n, h, w, output_channels].

        Labels are int32 [n], or float32 [n, labels] with shares of each, for pictures between two.
        """
        if not self.labels:
            return self.decoder(z)
        labels = self._one_hot(labels, z)
        if self.label_units is not None:
            top = self.label_units.from_units(z[:, : self.top_dim], labels)
            z = tf.concat([top, z[:, self.top_dim :]], axis=1)
        return self.decoder([z, labels])

    def decode_mean(self, z: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """E[x|z]: float32 [n, latent_dim] -> [n, h, w, c] in [0, 1]."""
        return self.likelihood.mean(self.decode(z, labels))

    def elbo_terms(
        self,
        x: tf.Tensor,
        noise: tf.Tensor,
        labels: tf.Tensor | None = None,
        corrupted: tf.Tensor | None = None,
        training: bool = False,
    ) -> ElboTerms:
        """The two terms of the negative ELBO with one sample per picture.

        Args:
            x: float32 [n, h, w, c] in [0, 1].
            noise: Draws of N(0, 1), float32 [n, latent_dim].
            labels: int32 [n]; None for none.
            corrupted: What the encoder sees in place of x.
            training: Passed on to the likelihood.

        Returns:
            Terms in nats. Under the standard normal prior the KL divergence is exact for the code's upper level and averaged
            over one sample of it for the lower; under a VampPrior it is an unbiased estimate, as the reconstruction term is.
        """
        return self.elbo_terms_and_parameters(x, noise, labels, corrupted, training)[0]

    def elbo_terms_and_parameters(
        self,
        x: tf.Tensor,
        noise: tf.Tensor,
        labels: tf.Tensor | None = None,
        corrupted: tf.Tensor | None = None,
        training: bool = False,
    ) -> tuple[ElboTerms, tf.Tensor]:
        """Return what `elbo_terms` does, and the likelihood's parameters at the samples, float32 [n, h, w, output_channels]."""
        q = self.sample_posterior(x if corrupted is None else corrupted, noise, labels)
        parameters = self.decode(q.z, labels)
        log_prob = self.likelihood.log_prob(x, parameters, training=training)
        return ElboTerms(reconstruction=-log_prob, kl_per_dimension=self._kl(q, labels)), parameters

    def importance_weighted(self, x: tf.Tensor, noise: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """The importance-weighted bound log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x) (Burda et al. 2016, eq. 8).

        At most `ROWS` codes at a time, and fewer of large pictures: memory does not grow with K, nor time with small batches.

        Args:
            x: float32 [n, h, w, c] in [0, 1].
            noise: Draws of N(0, 1), float32 [n, K, latent_dim].
            labels: int32 [n]; None for none.

        Returns:
            float32 [n], nats: at least the ELBO in expectation, and closer to log p(x) the larger K is.
        """
        encoded = self._encode_top(x, labels)
        count, samples = tf.shape(x)[0], tf.shape(noise)[1]
        at_once = tf.maximum(1, min(ROWS, self.judged_at_once(ROW_NUMBERS)) // tf.maximum(1, count))
        log_prior = self._log_prior()

        def add(first: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            log_weights = self._log_weights(x, labels, encoded, noise[:, first : first + at_once], log_prior)
            return first + at_once, tf.reduce_logsumexp(tf.concat([total[:, tf.newaxis], log_weights], axis=1), axis=1)

        start = tf.constant(0), tf.fill([count], -np.inf)
        _, total = tf.while_loop(lambda first, _: first < samples, add, start, parallel_iterations=1)
        return total - tf.math.log(tf.cast(samples, tf.float32))

    def log_prior(self, z: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """log p(z), of a conditional model log p(z|y): float32 [n, latent_dim] -> [n], nats."""
        return self._log_prior()(z, labels)

    def draw_codes(self, noise: tf.Tensor, seed: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Codes of the prior, made of draws of N(0, 1), float32 [n, latent_dim], a seed, int [2], and labels as in `decode`."""
        top = self.prior.draw(noise[:, : self.top_dim], seed, self.shares(labels, noise))
        return tf.concat([top, noise[:, self.top_dim :]], axis=1)

    def shares(self, labels: tf.Tensor | None, like: tf.Tensor) -> tf.Tensor | None:
        """Labels as priors take them, float32 [n, labels]; None where the model knows none."""
        return self._one_hot(labels, like) if self.labels else None

    def infer_labels(self, x: tf.Tensor) -> tf.Tensor:
        """The label under which each picture is likeliest, by the ELBO at the posterior mean: float32 [n, h, w, c] -> int32 [n].

        One label at a time, so memory does not grow with their number.
        """
        count = tf.shape(x)[0]
        elbo = lambda label: self.elbo_terms(x, tf.zeros([count, self.latent_dim]), tf.repeat(label, count)).elbo  # noqa: E731
        elbos = tf.map_fn(elbo, tf.range(self.labels), fn_output_signature=tf.float32, parallel_iterations=1)  # [labels, n]
        return tf.argmax(elbos, axis=0, output_type=tf.int32)

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
        return elbo - self.likelihood.reference_log_prob(x, tf.repeat(parameters, tf.shape(x)[0], axis=0))

    def _encode_top(self, x: tf.Tensor, labels: tf.Tensor | None) -> tuple[tf.Tensor, ...]:
        """The encoder's outputs: mean and log-variance of the upper level and, of a hierarchical model, its features."""
        if not self.labels:
            return tuple(self.encoder(x))
        labels = self._one_hot(labels, x)
        mean, log_variance, *features = self.encoder([x, labels])
        if self.label_units is not None:
            mean, log_variance = self.label_units.to_units(mean, log_variance, labels)
        return mean, log_variance, *features

    def _log_prior(self) -> Callable[[tf.Tensor, tf.Tensor | None], tf.Tensor]:
        """`log_prior`, with all that does not depend on the codes computed once."""
        top = self.prior.density()
        return lambda z, labels: top(z[:, : self.top_dim], self.shares(labels, z)) + log_normal(z[:, self.top_dim :])

    def _log_weights(
        self,
        x: tf.Tensor,
        labels: tf.Tensor | None,
        encoded: tuple[tf.Tensor, ...],
        noise: tf.Tensor,
        log_prior: Callable[[tf.Tensor, tf.Tensor | None], tf.Tensor],
    ) -> tf.Tensor:
        """log p(x|z) p(z) / q(z|x) at a code for each of the draws of N(0, 1), float32 [n, k, latent_dim]: [n, k]."""
        count, each = tf.shape(noise)[0], tf.shape(noise)[1]
        repeat = lambda values: None if values is None else tf.repeat(values, each, axis=0)  # noqa: E731
        q = self._sample(tuple(map(repeat, encoded)), tf.reshape(noise, [-1, self.latent_dim]))
        labels = repeat(labels)
        log_ratio = tf.reshape(log_prior(q.z, labels) - log_normal(q.z, q.mean, q.log_variance), [count, each])
        return self.likelihood.log_prob_of_samples(x, self.decode(q.z, labels), each) + log_ratio

    def _sample(self, encoded: tuple[tf.Tensor, ...], noise: tf.Tensor) -> Sample:
        mean, log_variance, *features = encoded
        z = reparameterise(mean, log_variance, noise[:, : self.top_dim])
        if not features:
            return Sample(mean, log_variance, z)
        low_mean, low_log_variance = self.lower_encoder([*features, z])
        low = reparameterise(low_mean, low_log_variance, noise[:, self.top_dim :])
        both = (mean, low_mean), (log_variance, low_log_variance), (z, low)
        return Sample(*(tf.concat(pair, axis=1) for pair in both))

    def _kl(self, q: Sample, labels: tf.Tensor | None) -> tf.Tensor:
        """KL(q(z|x) || p(z)) by dimension, float32 [n, latent_dim], nats; see `elbo_terms`."""
        top = self.top_dim
        upper = self.prior.kl(q.mean[:, :top], q.log_variance[:, :top], q.z[:, :top], self.shares(labels, q.z))
        if top == self.latent_dim:
            return upper
        return tf.concat([upper, kl_to_standard_normal(q.mean[:, top:], q.log_variance[:, top:])], axis=1)

    def _one_hot(self, labels: tf.Tensor | None, like: tf.Tensor) -> tf.Tensor:
        """Labels as the networks see them, float32 [n, labels]; all zeros for a picture without, and shares as they are."""
        if labels is None:
            return tf.zeros([tf.shape(like)[0], self.labels])
        labels = tf.convert_to_tensor(labels)
        return labels if labels.dtype.is_floating else tf.one_hot(labels, self.labels)
