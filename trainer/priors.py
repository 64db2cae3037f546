"""Priors p(z): the distributions that new codes are drawn from and that the KL divergence is taken to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import keras
import numpy as np
import tensorflow as tf

from trainer.losses import kl_to_standard_normal, log_normal
from trainer.networks.shared import bounded
from trainer.sampling import reparameterise

Posterior = tuple[tf.Tensor, tf.Tensor]  # mean and log-variance, each float32 [..., d]
Density = Callable[..., tf.Tensor]  # z, float32 [n, d], and shares of labels or None -> log p(z), [n], nats
MAX_LOG_SCALE = 4.0  # bound in either direction: deviations of a label's prior from 1/50 to 50 times the others'
LIKELIER = 5.0  # initial log-ratio of the weights of a label's own pseudo-inputs to those of others
TINY = 1e-12  # keeps the gradient of a zero weight finite


# The VampPrior whose components are given, and the components; see `components_encoded`.
_COMPONENTS: ContextVar[tuple[VampPrior | None, tuple[np.ndarray, ...]]] = ContextVar("components", default=(None, ()))


@contextmanager
def components_encoded(prior: StandardNormal | VampPrior) -> Iterator[None]:
    """Encode the components of a VampPrior once for the whole context. Use it for a model whose weights no longer change.

    A function that is traced in the context holds the components as constants. Encoding 500 pseudo-inputs costs as much as
    decoding 500 codes, which every request to an exported model would otherwise pay. It has no effect on a `StandardNormal`.
    """
    if not isinstance(prior, VampPrior):
        yield
        return
    with tf.init_scope():
        encoded = tuple(part.numpy() for part in prior.components())
    token = _COMPONENTS.set((prior, encoded))
    try:
        yield
    finally:
        _COMPONENTS.reset(token)


class StandardNormal:
    """p(z) = N(0, 1) in every dimension (Kingma and Welling 2014)."""

    def density(self) -> Density:
        """Return `log_prob`, with everything that does not depend on z computed once."""
        return self.log_prob

    def log_prob(self, z: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Return log p(z): float32 [n, d] -> [n], nats."""
        return log_normal(z)

    def kl(self, mean: tf.Tensor, log_variance: tf.Tensor, z: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Return KL(q || p) of a diagonal Gaussian q, float32 [n, d] per dimension, nats. It is exact and does not use `z`."""
        return kl_to_standard_normal(mean, log_variance)

    def draw(self, noise: tf.Tensor, seed: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Return codes from draws of N(0, 1), float32 [n, d]: the noise itself."""
        return noise


class LabelUnits(keras.layers.Layer):
    """A learned prior for each label, p(z|y) = N(m_y, s_y^2), and the conversion to and from its units (Sohn et al. 2015, eq. 4).

    Without it a code can contain its image's label. If a code from the prior contradicts the requested label, the decoder may then
    follow the code. With it the codes of a label are drawn from that label's region. In its units, z = (z_y - m_y) / s_y, every
    label has the standard normal prior, and KL divergences do not change. The prior of an unlabeled image is N(0, 1).
    """

    def __init__(self, labels: int, dim: int):
        super().__init__(name="label_units")
        self.mean = self.add_weight(shape=(labels, dim), initializer="zeros", name="mean")
        self.unbounded_log_scale = self.add_weight(shape=(labels, dim), initializer="zeros", name="unbounded_log_scale")
        self.built = True

    def to_units(self, mean: tf.Tensor, log_variance: tf.Tensor, labels: tf.Tensor) -> Posterior:
        """Convert a posterior to units of the labels' priors: float32 [n, d] twice, and shares of labels, float32 [n, labels]."""
        shift, log_scale = self._of(labels)
        return (mean - shift) * tf.exp(-log_scale), log_variance - 2.0 * log_scale

    def from_units(self, z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Convert codes, float32 [n, d], back from units of the labels' priors; `labels` as in `to_units`."""
        shift, log_scale = self._of(labels)
        return shift + tf.exp(log_scale) * z

    def by_label(self) -> Posterior:
        """Return the mean and the log-scale of each label's prior, each float32 [labels, d]."""
        return self._of(tf.eye(self.mean.shape[0]))

    def _of(self, labels: tf.Tensor) -> Posterior:
        log_scale = bounded(self.unbounded_log_scale.value, MAX_LOG_SCALE)
        return tf.matmul(labels, self.mean.value), tf.matmul(labels, log_scale)


class VampPrior(keras.layers.Layer):
    """A mixture of the posteriors of learned pseudo-inputs: p(z) = 1/K sum_k q(z|u_k) (Tomczak and Welling 2018, eq. 9).

    In a conditional model the mixture has learned weights for each label, p(z|y) = sum_k w_yk q(z|u_k). A weight starts high if the
    image that the pseudo-input starts from has the label. If all weights start equal, they take longer to separate than everything
    else takes to learn.

    Args:
        pseudo_inputs: Images to start from, float32 [K, h, w, c] in [0, 1].
        encode: The encoder, from images to the posterior's mean and log-variance, each [K, d].
        labels: Number of labels; 0 for a model that is not conditional.
        input_labels: Labels of the images, int [K], below 0 for none. None if no image has a label.
    """

    def __init__(
        self,
        pseudo_inputs: np.ndarray,
        encode: Callable[[tf.Tensor], Posterior],
        labels: int = 0,
        input_labels: np.ndarray | None = None,
    ):
        super().__init__(name="vampprior")
        inside = np.clip(pseudo_inputs, 0.02, 0.98)  # a learned sigmoid keeps them in [0, 1]
        initial = keras.initializers.Constant(np.log(inside / (1 - inside)))
        self.pseudo_inputs = self.add_weight(shape=pseudo_inputs.shape, initializer=initial, name="pseudo_inputs")
        same = np.zeros((labels, 1)) if input_labels is None else np.arange(labels)[:, np.newaxis] == input_labels
        start = keras.initializers.Constant(np.broadcast_to(LIKELIER * same, (labels, len(pseudo_inputs))))
        self.label_logits = (
            self.add_weight(shape=(labels, len(pseudo_inputs)), initializer=start, name="label_logits") if labels else None
        )
        self.built = True
        self._encode = encode

    def components(self) -> Posterior:
        """Return the means and log-variances of the mixture's components, each float32 [K, d]."""
        owner, components = _COMPONENTS.get()
        return tuple(map(tf.constant, components)) if owner is self else self._encode(tf.sigmoid(self.pseudo_inputs.value))

    def weights_of(self, labels: tf.Tensor) -> tf.Tensor:
        """Return the components' weights by shares of labels, float32 [n, labels] -> [n, K]. They are equal without a label."""
        return _weights_of(labels, tf.nn.softmax(self.label_logits.value), tf.fill([self.pseudo_inputs.shape[0]], 1.0))

    def density(self) -> Density:
        """Return `log_prob`, with the components encoded once. Encoding them per call would dominate a bound of many samples."""
        mean, log_variance = self.components()
        precision = tf.exp(-log_variance)
        scaled, from_means = mean * precision, tf.reduce_sum(tf.square(mean) * precision, axis=1)
        constant = tf.reduce_sum(log_variance, axis=1) + math.log(2 * math.pi) * mean.shape[1]

        def log_prob(z: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
            # (z - m)^2 / s^2 multiplied out: two matrix products in place of a tensor [n, K, d].
            squares = (
                tf.matmul(tf.square(z), precision, transpose_b=True) - 2.0 * tf.matmul(z, scaled, transpose_b=True) + from_means
            )
            exponents = -0.5 * (squares + constant)
            if labels is not None:
                return tf.reduce_logsumexp(exponents + tf.math.log(self.weights_of(labels) + TINY), axis=1)
            return tf.reduce_logsumexp(exponents, axis=1) - math.log(mean.shape[0])

        return log_prob

    def log_prob(self, z: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Return log p(z), or log p(z|y) for a conditional model: float32 [n, d], and shares of labels [n, labels] -> [n], nats."""
        return self.density()(z, labels)

    def kl(self, mean: tf.Tensor, log_variance: tf.Tensor, z: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Return an unbiased estimate of KL(q || p), nats: log q(z|x) - log p(z) at a sample z of q, float32 [n, d].

        The KL divergence to a mixture has no closed form, and its dimensions are not independent. The estimate is spread evenly
        over them.
        """
        kl = log_normal(z, mean, log_variance) - self.log_prob(z, labels)
        return tf.repeat(kl[:, tf.newaxis] / z.shape[1], z.shape[1], axis=1)

    def draw(self, noise: tf.Tensor, seed: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Return codes, float32 [n, d], each from a component chosen by the seed, int [2], and by shares of labels [n, labels]."""
        mean, log_variance = self.components()
        if labels is None:
            chosen = tf.random.stateless_uniform([tf.shape(noise)[0]], seed, maxval=mean.shape[0], dtype=tf.int32)
        else:
            chosen = _choose(self.weights_of(labels), seed)
        return reparameterise(tf.gather(mean, chosen), tf.gather(log_variance, chosen), noise)


class Mixture:
    """A Gaussian mixture with full covariances, from which codes are drawn (Ghosh et al. 2020, section 4).

    Args:
        weights: float [K], summing to 1.
        means: float [K, d].
        covariances: float [K, d, d].
        by_label: Weights for each label, float [labels, K]. None for a model that is not conditional.
    """

    def __init__(self, weights: np.ndarray, means: np.ndarray, covariances: np.ndarray, by_label: np.ndarray | None = None):
        self.by_label = None if by_label is None else tf.constant(by_label, tf.float32)
        self.weights = tf.constant(weights, tf.float32)
        self.log_weights = tf.constant(np.log(weights), tf.float32)
        self.means = tf.constant(means, tf.float32)
        self.factors = tf.constant(np.linalg.cholesky(covariances), tf.float32)

    @classmethod
    def fit(cls, codes: np.ndarray, components: int, seed: int, labels: np.ndarray | None = None, known: int = 0) -> Mixture:
        """Fit the mixture by expectation maximization (scikit-learn's GaussianMixture).

        Args:
            codes: Samples of the aggregate posterior, float [n, d].
            components: Maximum number of components. Each needs at least 2 d + 2 codes for a meaningful covariance.
            seed: Seed of the initial means.
            labels: Label of each code, int [n] from 0, below 0 for none.
            known: Number of labels; 0 for a model that is not conditional.
        """
        if len(codes) == 1:
            codes = np.repeat(codes, 2, axis=0)  # the minimum of scikit-learn
            labels = None if labels is None else np.repeat(labels, 2)
        from sklearn.mixture import GaussianMixture

        room = max(1, len(codes) // (2 * codes.shape[1] + 2))
        mixture = GaussianMixture(min(components, room), reg_covar=1e-4, max_iter=50, tol=1e-2, random_state=seed)
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a mixture that has not fully converged is good enough
            mixture.fit(np.asarray(codes, np.float64))
        by_label = None
        if labels is not None and known:
            share = mixture.predict_proba(np.asarray(codes, np.float64))  # [n, K]
            own = [share[labels == label] for label in range(known)]
            by_label = np.stack([each.mean(axis=0) if len(each) else mixture.weights_ for each in own])
        return cls(mixture.weights_, mixture.means_, mixture.covariances_, by_label)

    def draw(self, noise: tf.Tensor, seed: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Return codes, float32 [n, d], from noise of that shape. Seed and shares of labels [n, labels] choose the components."""
        if labels is not None and self.by_label is not None:
            chosen = _choose(_weights_of(labels, self.by_label, self.weights), seed)
            return tf.gather(self.means, chosen) + tf.linalg.matvec(tf.gather(self.factors, chosen), noise)
        chosen = tf.random.stateless_categorical(self.log_weights[tf.newaxis], tf.shape(noise)[0], seed)[0]
        return tf.gather(self.means, chosen) + tf.linalg.matvec(tf.gather(self.factors, chosen), noise)


def _weights_of(labels: tf.Tensor, by_label: tf.Tensor, usual: tf.Tensor) -> tf.Tensor:
    """Return components' weights by shares of labels, float32 [n, labels] -> [n, K]; missing shares get the usual weights."""
    missing = tf.maximum(0.0, 1.0 - tf.reduce_sum(labels, axis=1, keepdims=True))
    return tf.matmul(labels, by_label) + missing * usual / tf.reduce_sum(usual)


def _choose(weights: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Choose a component per row of weights, float32 [n, K] summing to 1: int32 [n]. Earlier draws do not depend on n."""
    levels = tf.random.stateless_uniform([tf.shape(weights)[0], 1], seed)
    below = tf.reduce_sum(tf.cast(tf.cumsum(weights, axis=1) <= levels, tf.int32), axis=1)
    return tf.minimum(below, weights.shape[1] - 1)
