"""Priors p(z): where codes of new pictures come from, and what the KL divergence is taken to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import keras
import numpy as np
import tensorflow as tf

from trainer.losses import kl_to_standard_normal, log_normal
from trainer.sampling import reparameterise

Posterior = tuple[tf.Tensor, tf.Tensor]  # mean and log-variance, each float32 [..., d]
Density = Callable[..., tf.Tensor]  # z, float32 [n, d], and shares of labels or None -> log p(z), [n], nats
MOST_LOG_SCALE = 4.0  # either way: of a label's prior, deviations from a fiftieth to fifty times the others'
LIKELIER = 5.0  # logarithm of how much likelier a label's own pseudo-inputs are at first than another's
TINY = 1e-12  # a weight that is zero keeps its gradient finite


# The VampPrior whose components are given, and they; see `components_encoded`.
_COMPONENTS: ContextVar[tuple[VampPrior | None, tuple[np.ndarray, ...]]] = ContextVar("components", default=(None, ()))


@contextmanager
def components_encoded(prior: StandardNormal | VampPrior) -> Iterator[None]:
    """Encode the components of a VampPrior now, and not again within the context: for a model whose weights no longer change.

    A function that is traced within it holds them as constants. Encoding 500 pseudo-inputs costs as much as decoding as many
    codes, which every request to an exported model would pay for. Without effect on a `StandardNormal`.
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
        """`log_prob`, with all that does not depend on z computed once."""
        return self.log_prob

    def log_prob(self, z: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """log p(z): float32 [n, d] -> [n], nats."""
        return log_normal(z)

    def kl(self, mean: tf.Tensor, log_variance: tf.Tensor, z: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """KL(q || p) of a diagonal Gaussian q, float32 [n, d] per dimension, nats; exact, `z` is not needed."""
        return kl_to_standard_normal(mean, log_variance)

    def draw(self, noise: tf.Tensor, seed: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Codes made of draws of N(0, 1), float32 [n, d]: the noise itself."""
        return noise


class LabelUnits(keras.layers.Layer):
    """A learned prior for each label, p(z|y) = N(m_y, s_y^2), and the change to its units and back (Sohn et al. 2015, eq. 4).

    Without it a code is free to say what label its picture has, and of a code of the prior and a label that contradict each
    other the decoder may believe the code. With it codes of a label are drawn where that label's are. In its units,
    z = (z_y - m_y) / s_y, every label has the standard normal prior, and KL divergences are what they were. A picture without
    a label has N(0, 1).

    Args:
        labels: How many labels there are.
        dim: Dimensions of a code.
    """

    def __init__(self, labels: int, dim: int):
        super().__init__(name="label_units")
        self.mean = self.add_weight(shape=(labels, dim), initializer="zeros", name="mean")
        self.unbounded_log_scale = self.add_weight(shape=(labels, dim), initializer="zeros", name="unbounded_log_scale")
        self.built = True

    def to_units(self, mean: tf.Tensor, log_variance: tf.Tensor, labels: tf.Tensor) -> Posterior:
        """A posterior in units of the labels' priors; all float32, [n, d] twice and shares of labels [n, labels]."""
        shift, log_scale = self._of(labels)
        return (mean - shift) * tf.exp(-log_scale), log_variance - 2.0 * log_scale

    def from_units(self, z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Codes, float32 [n, d], as they are without units."""
        shift, log_scale = self._of(labels)
        return shift + tf.exp(log_scale) * z

    def _of(self, labels: tf.Tensor) -> Posterior:
        log_scale = MOST_LOG_SCALE * tf.tanh(self.unbounded_log_scale.value / MOST_LOG_SCALE)
        return tf.matmul(labels, self.mean.value), tf.matmul(labels, log_scale)


class VampPrior(keras.layers.Layer):
    """A mixture of the posteriors of learned pseudo-inputs: p(z) = 1/K sum_k q(z|u_k) (Tomczak and Welling 2018, eq. 9).

    Of a conditional model the mixture has learned weights for each label, p(z|y) = sum_k w_yk q(z|u_k). They start high where the
    picture that a pseudo-input starts from has the label: all alike, they take longer to part than the rest to learn.

    Args:
        pseudo_inputs: Pictures to start from, float32 [K, h, w, c] in [0, 1].
        encode: The encoder, from pictures to the posterior's mean and log-variance, each [K, d].
        labels: How many labels there are; 0 for a model that knows none.
        of: The pictures' labels, int [K], below 0 for none; None for none at all.
    """

    def __init__(
        self, pseudo_inputs: np.ndarray, encode: Callable[[tf.Tensor], Posterior], labels: int = 0, of: np.ndarray | None = None
    ):
        super().__init__(name="vampprior")
        inside = np.clip(pseudo_inputs, 0.02, 0.98)  # a sigmoid keeps them in [0, 1] as they are learned
        initial = keras.initializers.Constant(np.log(inside / (1 - inside)))
        self.pseudo_inputs = self.add_weight(shape=pseudo_inputs.shape, initializer=initial, name="pseudo_inputs")
        same = np.zeros((labels, 1)) if of is None else np.arange(labels)[:, np.newaxis] == of
        start = keras.initializers.Constant(np.broadcast_to(LIKELIER * same, (labels, len(pseudo_inputs))))
        self.label_logits = (
            self.add_weight(shape=(labels, len(pseudo_inputs)), initializer=start, name="label_logits") if labels else None
        )
        self.built = True
        self._encode = encode

    def components(self) -> Posterior:
        """Means and log-variances of the mixture's components, each float32 [K, d]."""
        of, components = _COMPONENTS.get()
        return tuple(map(tf.constant, components)) if of is self else self._encode(tf.sigmoid(self.pseudo_inputs.value))

    def weights_of(self, labels: tf.Tensor) -> tf.Tensor:
        """The components' weights by shares of labels, float32 [n, labels] -> [n, K]; all the same without a label."""
        return _weights_of(labels, tf.nn.softmax(self.label_logits.value), tf.fill([self.pseudo_inputs.shape[0]], 1.0))

    def density(self) -> Density:
        """`log_prob`, with the components encoded once: for a bound of many samples they took more time than all else."""
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
        """log p(z), of a conditional model log p(z|y): float32 [n, d], and shares of labels [n, labels] -> [n], nats."""
        return self.density()(z, labels)

    def kl(self, mean: tf.Tensor, log_variance: tf.Tensor, z: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """An unbiased estimate of KL(q || p), nats: log q(z|x) - log p(z) at a sample z of q, float32 [n, d].

        A mixture has no KL divergence in closed form, and its dimensions are not independent: the estimate is spread evenly
        over them.
        """
        kl = log_normal(z, mean, log_variance) - self.log_prob(z, labels)
        return tf.repeat(kl[:, tf.newaxis] / z.shape[1], z.shape[1], axis=1)

    def draw(self, noise: tf.Tensor, seed: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Codes, float32 [n, d]: a component by the seed, int [2]; within it, draws of N(0, 1), float32 [n, d]."""
        mean, log_variance = self.components()
        if labels is None:
            chosen = tf.random.stateless_uniform([tf.shape(noise)[0]], seed, maxval=mean.shape[0], dtype=tf.int32)
        else:
            chosen = _choose(self.weights_of(labels), seed)
        return reparameterise(tf.gather(mean, chosen), tf.gather(log_variance, chosen), noise)


class Mixture:
    """A Gaussian mixture with full covariances, as a density to draw codes from (Ghosh et al. 2020, section 4).

    Args:
        weights: float [K], summing to 1.
        means: float [K, d].
        covariances: float [K, d, d].
        by_label: The weights of each label, float [labels, K]; None for a model that knows none.
    """

    def __init__(self, weights: np.ndarray, means: np.ndarray, covariances: np.ndarray, by_label: np.ndarray | None = None):
        self.by_label = None if by_label is None else tf.constant(by_label, tf.float32)
        self.weights = tf.constant(weights, tf.float32)
        self.log_weights = tf.constant(np.log(weights), tf.float32)
        self.means = tf.constant(means, tf.float32)
        self.factors = tf.constant(np.linalg.cholesky(covariances), tf.float32)

    @classmethod
    def fit(cls, codes: np.ndarray, components: int, seed: int, labels: np.ndarray | None = None, known: int = 0) -> Mixture:
        """Fits the mixture by expectation maximisation (scikit-learn's GaussianMixture).

        Args:
            codes: Samples of the aggregate posterior, float [n, d].
            components: At the most; each gets at least 2 d + 2 codes, or its covariance would mean nothing.
            seed: Of the first means.
            labels: The label of each code, int [n] from 0, below 0 for none.
            known: How many labels there are; 0 for a model that knows none.
        """
        if len(codes) == 1:
            codes = np.repeat(codes, 2, axis=0)  # as many as scikit-learn wants at the least
            labels = None if labels is None else np.repeat(labels, 2)
        from sklearn.mixture import GaussianMixture

        room = max(1, len(codes) // (2 * codes.shape[1] + 2))
        mixture = GaussianMixture(min(components, room), reg_covar=1e-4, max_iter=50, tol=1e-2, random_state=seed)
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a mixture that could still be fitted a little better is fine
            mixture.fit(np.asarray(codes, np.float64))
        by_label = None
        if labels is not None and known:
            share = mixture.predict_proba(np.asarray(codes, np.float64))  # [n, K]
            own = [share[labels == label] for label in range(known)]
            by_label = np.stack([each.mean(axis=0) if len(each) else mixture.weights_ for each in own])
        return cls(mixture.weights_, mixture.means_, mixture.covariances_, by_label)

    def draw(self, noise: tf.Tensor, seed: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Codes, float32 [n, d]: a component by the seed, int [2], and by shares of labels, float32 [n, labels], where they are
        given; within it, draws of N(0, 1), float32 [n, d]."""
        if labels is not None and self.by_label is not None:
            chosen = _choose(_weights_of(labels, self.by_label, self.weights), seed)
            return tf.gather(self.means, chosen) + tf.linalg.matvec(tf.gather(self.factors, chosen), noise)
        chosen = tf.random.stateless_categorical(self.log_weights[tf.newaxis], tf.shape(noise)[0], seed)[0]
        return tf.gather(self.means, chosen) + tf.linalg.matvec(tf.gather(self.factors, chosen), noise)


def _weights_of(labels: tf.Tensor, by_label: tf.Tensor, usual: tf.Tensor) -> tf.Tensor:
    """Weights of components by shares of labels, float32 [n, labels]: [n, K], those of no label in the place of missing shares."""
    missing = tf.maximum(0.0, 1.0 - tf.reduce_sum(labels, axis=1, keepdims=True))
    return tf.matmul(labels, by_label) + missing * usual / tf.reduce_sum(usual)


def _choose(weights: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """A component for each row of weights, float32 [n, K] summing to 1, by a seed: int32 [n]; the first do not hang on how many."""
    levels = tf.random.stateless_uniform([tf.shape(weights)[0], 1], seed)
    below = tf.reduce_sum(tf.cast(tf.cumsum(weights, axis=1) <= levels, tf.int32), axis=1)
    return tf.minimum(below, weights.shape[1] - 1)
