"""The variational autoencoder: encoder, prior and decoder, and the quantities computed with them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
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

ROWS = 512  # codes decoded at once for a bound: more are no faster; half as many are a tenth slower on dense networks
ROW_NUMBERS = 1 << 22  # values in the largest layer, over all codes decoded at once: more are no faster and take gigabytes
UNLABELLED = -1  # the label of an image that has none, or whose label is hidden from the model


class TrainingData(NamedTuple):
    """Statistics and examples of the training images, from which a new model is initialized.

    Attributes:
        mean: Mean training image, float32 [h, w, c] in [0, 1]. The decoder starts from it. It is also the baseline that every
            trained model has to beat.
        deviation: Standard deviation of the training images, float32 [h, w, c].
        examples: Some training images, float32 [n, h, w, c] in [0, 1]. Pseudo-inputs start from them.
        labels: Number of labels.
        example_labels: Labels of the examples, int32 [n], `UNLABELLED` for none. None if no example has a label.
    """

    mean: np.ndarray
    deviation: np.ndarray
    examples: np.ndarray
    labels: int = 0
    example_labels: np.ndarray | None = None


class Sample(NamedTuple):
    """A sample of q(z|x): the mean and log-variance of q, and the code drawn from it, each float32 [n, latent_dim]."""

    mean: tf.Tensor
    log_variance: tf.Tensor
    z: tf.Tensor


class VAE(keras.Model):
    """A VAE with a diagonal Gaussian posterior (Kingma and Welling 2014) and one or two levels of latent variables.

    Codes z are in units of the prior. In a hierarchical model z = (z_top, z_low), and z_low is standardized by the mean and scale
    of its own prior p(. | z_top). The decoder first undoes the standardization. So the prior is standard normal in every
    dimension. KL divergences do not change, because they do not depend on units. A conditional model with a standard normal
    prior does the same for each label, see `LabelUnits`.

    Args:
        config: Network, latent dimensions, likelihood, prior.
        image_shape: Height, width, channels of the images.
        data: Statistics and examples of the training images.
        precision: Type of the networks' values, `float32`, or `bfloat16` to train with. Weights and all else are float32.

    Example:
        >>> grey = np.full((28, 28, 1), 0.3, "float32")
        >>> vae = VAE(ModelConfig(network="dense", latent_dim=2), grey.shape, TrainingData(grey, grey, grey[np.newaxis]))
        >>> vae.decode_mean(tf.zeros([1, 2])).shape
        TensorShape([1, 28, 28, 1])
    """

    def __init__(self, config: ModelConfig, image_shape: tuple[int, int, int], data: TrainingData, precision: str = "float32"):
        super().__init__(name="vae")
        self.config, self.image_shape = config, image_shape
        self.latent_dim = latent_dim(config, image_shape)
        self.binarised = config.binarisation == "dynamic"
        self.labels = data.labels if config.conditional else 0
        self.likelihood = get_likelihood(config, image_shape[2])
        self.initial_bias = self.likelihood.initial_bias(data.mean, data.deviation)
        with _policy({"float32": "float32", "bfloat16": "mixed_bfloat16"}[precision]):
            self.encoder, self.lower_encoder, self.decoder = build_networks(
                config, image_shape, self.likelihood.output_channels, self.initial_bias, self.labels
            )
        self.top_dim = config.top_latent_dim if self.lower_encoder is not None else self.latent_dim
        self.prior: StandardNormal | VampPrior = StandardNormal()
        if config.prior == "vampprior":
            chosen = np.resize(data.examples, (config.pseudo_inputs, *image_shape))
            input_labels = np.full(len(data.examples), UNLABELLED) if data.example_labels is None else data.example_labels
            input_labels = np.resize(input_labels, config.pseudo_inputs)
            self.prior = VampPrior(chosen, lambda x: self._encode_top(x, None)[:2], self.labels, input_labels)
        self.label_units = LabelUnits(self.labels, self.top_dim) if self.labels and config.prior == "standard_normal" else None
        networks = [network for network in (self.encoder, self.lower_encoder, self.decoder) if network is not None]
        self._layer_sizes = tuple(itertools.chain.from_iterable(map(layer_sizes, networks)))
        self.built = True  # all parts are built

    def judged_at_once(self, numbers: int) -> int:
        """Return how many images, at least 1, can be evaluated at once: their largest layer has at most `numbers` values.

        The largest layer determines memory in evaluation.
        """
        return max(1, numbers // max(self._layer_sizes))

    def trained_at_once(self, numbers: int) -> int:
        """Return how many images, at least 1, can be trained on at once: all their layers have at most `numbers` values together.

        All layers together determine memory in training.
        """
        return max(1, numbers // sum(self._layer_sizes))

    def observe(self, levels: tf.Tensor) -> tf.Tensor:
        """Return images as the model is evaluated on them: uint8 or uint16 [n, h, w, c] -> float32 [n, h, w, c] in [0, 1].

        If the configuration asks for binarization, images are black and white. An image is always binarized in the same way.
        """
        return binarise(scale(levels), example_keys(levels)) if self.binarised else scale(levels)

    def encode(self, x: tf.Tensor, labels: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the mean and log-variance of q(z|x), each float32 [n, latent_dim].

        The lower level of a hierarchical model is given the mean of the upper level. Images are float32 [n, h, w, c] in [0, 1].
        Labels are int32 [n], `UNLABELLED` for images without a label. They are None if no image has one.
        """
        noise = tf.zeros([tf.shape(x)[0], self.latent_dim])
        return self.sample_posterior(x, noise, labels)[:2]

    def sample_posterior(self, x: tf.Tensor, noise: tf.Tensor, labels: tf.Tensor | None = None) -> Sample:
        """Draw from q(z|x) with draws of N(0, 1), float32 [n, latent_dim]. Images and labels are as in `encode`."""
        return self._sample(self._encode_top(x, labels), noise)

    def decode(self, z: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Return the likelihood's parameters: float32 [n, latent_dim] -> [n, h, w, output_channels].

        Labels are int32 [n], or float32 [n, labels] with a share of each label for images between two labels.
        """
        if not self.labels:
            return tf.cast(self.decoder(z), tf.float32)
        labels = self._one_hot(labels, z)
        if self.label_units is not None:
            top = self.label_units.from_units(z[:, : self.top_dim], labels)
            z = tf.concat([top, z[:, self.top_dim :]], axis=1)
        return tf.cast(self.decoder([z, labels]), tf.float32)

    def decode_mean(self, z: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Return E[x|z]: float32 [n, latent_dim] -> [n, h, w, c] in [0, 1]."""
        return self.likelihood.mean(self.decode(z, labels))

    def elbo_terms(
        self,
        x: tf.Tensor,
        noise: tf.Tensor,
        labels: tf.Tensor | None = None,
        corrupted: tf.Tensor | None = None,
        training: bool = False,
    ) -> ElboTerms:
        """Return the two terms of the negative ELBO, with one sample per image.

        Args:
            x: float32 [n, h, w, c] in [0, 1].
            noise: Draws of N(0, 1), float32 [n, latent_dim].
            labels: int32 [n]. None for no labels.
            corrupted: Input of the encoder in place of x. None for x itself.
            training: Passed on to the likelihood.

        Returns:
            Terms in nats. Under the standard normal prior, the KL divergence of the upper level is exact, and that of the lower
            level is averaged over one sample of the upper level. Under a VampPrior, the KL divergence of the upper level is an
            unbiased estimate. The reconstruction term is always an unbiased estimate.
        """
        q = self.sample_posterior(x if corrupted is None else corrupted, noise, labels)
        parameters = self.decode(q.z, labels)
        log_prob = self.likelihood.log_prob(x, parameters, training=training)
        return ElboTerms(-log_prob, self._kl(q, labels), parameters)

    def importance_weighted(self, x: tf.Tensor, noise: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Return the importance-weighted bound, float32 [n], nats (Burda et al. 2016, eq. 8).

        It is log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x). In expectation it is at least the ELBO, and it comes closer to log p(x) as K grows. At most `ROWS` codes are decoded at
        once, and fewer for large images. So memory does not grow with K, and small batches are not slow.

        Args:
            x: float32 [n, h, w, c] in [0, 1].
            noise: Draws of N(0, 1), float32 [n, K, latent_dim].
            labels: int32 [n]. None for no labels.
        """
        encoded = self._encode_top(x, labels)
        count, samples = tf.shape(x)[0], tf.shape(noise)[1]
        at_once = tf.maximum(1, min(ROWS, self.judged_at_once(ROW_NUMBERS)) // tf.maximum(1, count))
        log_prior = self._log_prior()

        def add(first: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            part = noise[:, first : first + at_once]
            each = tf.shape(part)[1]
            repeat = lambda values: None if values is None else tf.repeat(values, each, axis=0)  # noqa: E731
            q, repeated = self._sample(tuple(map(repeat, encoded)), tf.reshape(part, [-1, self.latent_dim])), repeat(labels)
            log_ratio = tf.reshape(log_prior(q.z, repeated) - log_normal(q.z, q.mean, q.log_variance), [count, each])
            log_weights = self.likelihood.log_prob_of_samples(x, self.decode(q.z, repeated), each) + log_ratio
            return first + at_once, tf.reduce_logsumexp(tf.concat([total[:, tf.newaxis], log_weights], axis=1), axis=1)

        start = tf.constant(0), tf.fill([count], -np.inf)
        _, total = tf.while_loop(lambda first, _: first < samples, add, start, parallel_iterations=1)
        return total - tf.math.log(tf.cast(samples, tf.float32))

    def log_prior(self, z: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Return log p(z), or log p(z|y) for a conditional model: float32 [n, latent_dim] -> [n], nats."""
        return self._log_prior()(z, labels)

    def draw_codes(self, noise: tf.Tensor, seed: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Draw codes from the prior: float32 [n, latent_dim].

        The noise has the same shape and holds draws of N(0, 1). The seed is int [2]. Labels are as in `decode`.
        """
        top = self.prior.draw(noise[:, : self.top_dim], seed, self.shares(labels, noise))
        return tf.concat([top, noise[:, self.top_dim :]], axis=1)

    def shares(self, labels: tf.Tensor | None, like: tf.Tensor) -> tf.Tensor | None:
        """Return labels as the priors take them, float32 [n, labels]. Return None for a model that is not conditional."""
        return self._one_hot(labels, like) if self.labels else None

    def infer_labels(self, x: tf.Tensor) -> tf.Tensor:
        """Return each image's most likely label by the ELBO at the posterior mean: float32 [n, h, w, c] -> int32 [n].

        Labels are tried one at a time, so memory does not grow with their number.
        """
        count = tf.shape(x)[0]
        elbo = lambda label: self.elbo_terms(x, tf.zeros([count, self.latent_dim]), tf.repeat(label, count)).elbo  # noqa: E731
        elbos = tf.map_fn(elbo, tf.range(self.labels), fn_output_signature=tf.float32, parallel_iterations=1)  # [labels, n]
        return tf.argmax(elbos, axis=0, output_type=tf.int32)

    def gain(self, x: tf.Tensor, elbo: tf.Tensor) -> tf.Tensor:
        """Return the number of nats, float32 [n], by which the ELBO exceeds the log-likelihood under the mean training image.

        Images are float32 [n, h, w, c] in [0, 1]. The ELBO is float32 [n], nats. A model that has learned nothing gains nothing. So
        an absolute bound on the gain is valid for any data.
        """
        parameters = tf.reshape(self.initial_bias, [1, *self.image_shape[:2], -1])
        return elbo - self.likelihood.reference_log_prob(x, tf.repeat(parameters, tf.shape(x)[0], axis=0))

    def _encode_top(self, x: tf.Tensor, labels: tf.Tensor | None) -> tuple[tf.Tensor, ...]:
        """Return the mean and log-variance of the upper level and, for a hierarchical model, the encoder's features."""
        if not self.labels:
            return _floats(self.encoder(x))
        labels = self._one_hot(labels, x)
        mean, log_variance, *features = _floats(self.encoder([x, labels]))
        if self.label_units is not None:
            mean, log_variance = self.label_units.to_units(mean, log_variance, labels)
        return mean, log_variance, *features

    def _log_prior(self) -> Callable[[tf.Tensor, tf.Tensor | None], tf.Tensor]:
        """Return `log_prior` as a function, with everything that does not depend on the codes computed once."""
        top = self.prior.density()
        return lambda z, labels: top(z[:, : self.top_dim], self.shares(labels, z)) + log_normal(z[:, self.top_dim :])

    def _sample(self, encoded: tuple[tf.Tensor, ...], noise: tf.Tensor) -> Sample:
        mean, log_variance, *features = encoded
        z = reparameterise(mean, log_variance, noise[:, : self.top_dim])
        if not features:
            return Sample(mean, log_variance, z)
        low_mean, low_log_variance = _floats(self.lower_encoder([*features, z]))
        low = reparameterise(low_mean, low_log_variance, noise[:, self.top_dim :])
        both = (mean, low_mean), (log_variance, low_log_variance), (z, low)
        return Sample(*(tf.concat(pair, axis=1) for pair in both))

    def _kl(self, q: Sample, labels: tf.Tensor | None) -> tf.Tensor:
        """Return KL(q(z|x) || p(z)) by dimension, float32 [n, latent_dim], nats; see `elbo_terms`."""
        top = self.top_dim
        upper = self.prior.kl(q.mean[:, :top], q.log_variance[:, :top], q.z[:, :top], self.shares(labels, q.z))
        if top == self.latent_dim:
            return upper
        return tf.concat([upper, kl_to_standard_normal(q.mean[:, top:], q.log_variance[:, top:])], axis=1)

    def _one_hot(self, labels: tf.Tensor | None, like: tf.Tensor) -> tf.Tensor:
        """Return one-hot labels, float32 [n, labels]: all zeros for an unlabeled image. Shares are returned unchanged."""
        if labels is None:
            return tf.zeros([tf.shape(like)[0], self.labels])
        labels = tf.convert_to_tensor(labels)
        return labels if labels.dtype.is_floating else tf.one_hot(labels, self.labels)


@contextmanager
def _policy(name: str) -> Iterator[None]:
    """Within the context, Keras builds layers of this policy for types."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _floats(values: Iterable[tf.Tensor]) -> tuple[tf.Tensor, ...]:
    return tuple(tf.cast(value, tf.float32) for value in values)
