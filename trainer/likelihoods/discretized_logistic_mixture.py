"""A mixture of discretized logistics: an exact probability of images of 256 levels."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from trainer.likelihoods.base import Likelihood, to_bits_per_dimension

HALF_LEVEL = 1 / 255  # half the distance between levels in [-1, 1], where the 256 levels are 2/255 apart
BEYOND = 1e20  # lower end of level 0's interval and upper end of level 255's; infinity would give 0 * inf in gradients
MIN_LOG_PRECISION, MAX_LOG_PRECISION = -5.0, 7.0  # scales from 74 times the range to an eighth of a level
LOG_PRECISION_AT_ZERO = 2.0  # a scale of 17 levels: neither certain nor blurred over the range
BROAD_SHARE = 0.01  # weight of the broad component of an untrained model


class Mixture(NamedTuple):
    """Parameters of N pixels' mixtures, component axis first. With it last, TensorFlow's kernels take 1.5 times as long.

    Attributes:
        logits: Logits of the components, float32 [K, N]. All channels of a pixel are of the same component.
        means: Means of pixels in [-1, 1], float32 [c, K, N].
        log_precisions: -log of the scales, unbounded, float32 [c, K, N].
        couplings: Dependence of green's mean on red, of blue's on red, and of blue's on green, before tanh: float32 [3, K, N];
            [0, K, N] for gray images.
    """

    logits: tf.Tensor
    means: tf.Tensor
    log_precisions: tf.Tensor
    couplings: tf.Tensor


class DiscretizedLogisticMixture(Likelihood):
    """The likelihood of PixelCNN++ (Salimans et al. 2017, sections 2.1 and 2.2, eq. 1 to 3).

    The probability of a level is the mass of a mixture of K = `mixtures` logistic distributions on the level's interval of length
    1/255. The tails belong to levels 0 and 255. In color images the components' means depend linearly on the channels before, in the order
    red, green, blue.

    The parameters of a pixel are, in this order: K logits; K means for each channel; K log-precisions (less 2) for each channel; K
    couplings for each pair of channels. Means are of pixels in [-1, 1], so that outputs of the usual size are plausible. An output
    of 0 is a mid-gray with a scale of 17 levels.
    """

    def __init__(self, channels: int, mixtures: int):
        super().__init__("discretized_logistic_mixture", channels)
        self.mixtures = mixtures
        pairs = channels * (channels - 1) // 2
        self._sizes = [mixtures, channels * mixtures, channels * mixtures, pairs * mixtures]

    @property
    def output_channels(self) -> int:
        """Return the number of parameters per pixel: 3 K for gray images, 10 K for color; see `Likelihood`."""
        return sum(self._sizes)

    def log_prob(self, x: tf.Tensor, parameters: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return log p(x|z), which is never positive; see `Likelihood`."""
        mixture = self._unpack(parameters)
        values = tf.transpose(tf.reshape(2 * x - 1, [-1, 1, self.channels]), [2, 1, 0])  # [c, 1, N]
        before = tf.unstack(values)
        means = tf.stack([self._mean_given(mixture, i, before) for i in range(self.channels)])
        lower = tf.where(values < -1 + HALF_LEVEL, -BEYOND, values - HALF_LEVEL)
        upper = tf.where(values > 1 - HALF_LEVEL, BEYOND, values + HALF_LEVEL)
        per_pixel = log_interval_mass(mixture.logits, means, mixture.log_precisions, lower, upper)
        return tf.reduce_sum(tf.reshape(per_pixel, tf.shape(x)[:3]), axis=[1, 2])

    def mean(self, parameters: tf.Tensor) -> tf.Tensor:
        """Return E[x|z]; see `Likelihood`.

        It is the mean of the logistics clipped to the range, before they are rounded to levels. In color images, each channel's
        mean is computed given the means of the channels before it, component by component. That is an approximation where clipping
        makes the relation nonlinear.
        """
        mixture = self._unpack(parameters)
        return self._mean_by(tf.nn.softmax(mixture.logits, axis=0), mixture, parameters)

    def mode(self, parameters: tf.Tensor) -> tf.Tensor:
        """Return the mean of each pixel's most likely component; see `Likelihood`.

        If two colors are likely, such as at an edge, E[x|z] is a color between them.
        """
        mixture = self._unpack(parameters)
        likeliest = tf.one_hot(tf.argmax(mixture.logits, axis=0), self.mixtures, axis=0)
        return self._mean_by(likeliest, mixture, parameters)

    def _mean_by(self, weights: tf.Tensor, mixture: Mixture, parameters: tf.Tensor) -> tf.Tensor:
        """Return the mean of the components by weights, [K, N]: float32 [n, h, w, c] in [0, 1]."""
        scales = tf.exp(-_bounded(mixture.log_precisions))
        means: list[tf.Tensor] = []  # each [K, N] in [-1, 1]
        for i in range(self.channels):
            mean, scale = self._mean_given(mixture, i, means), scales[i]
            # The integral of P(X > t) over the range.
            above = scale * (softplus((mean + 1) / scale) - softplus((mean - 1) / scale))
            means.append(above - 1)
        pixels = [0.5 + 0.5 * tf.reduce_sum(weights * mean, axis=0) for mean in means]
        return self._as_pictures(pixels, parameters)

    def sample(self, parameters: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Return a draw of x given z, in multiples of 1/255; see `Likelihood`."""
        mixture = self._unpack(parameters)
        seeds = tf.random.split(seed, 1 + self.channels)
        count = tf.shape(mixture.logits)[1]
        ends = tf.cumsum(tf.nn.softmax(mixture.logits, axis=0)[:-1], axis=0)
        component = tf.reduce_sum(tf.cast(tf.random.stateless_uniform([count], seeds[0]) >= ends, tf.int32), axis=0)
        chosen = tf.one_hot(component, self.mixtures, axis=0)  # [K, N]
        scales = tf.exp(-_bounded(mixture.log_precisions))
        values: list[tf.Tensor] = []  # each [N] in [-1, 1]
        for i in range(self.channels):
            mean = tf.reduce_sum(chosen * self._mean_given(mixture, i, values), axis=0)
            uniform = tf.random.stateless_uniform([count], seeds[1 + i], minval=1e-7)
            noise = tf.math.log(uniform) - tf.math.log1p(-uniform)
            value = mean + tf.reduce_sum(chosen * scales[i], axis=0) * noise
            # Rounded before the next channel depends on it, as images are.
            values.append(2 * tf.round((tf.clip_by_value(value, -1.0, 1.0) + 1) * 127.5) / 255 - 1)
        return self._as_pictures([0.5 + 0.5 * value for value in values], parameters)

    def initial_bias(self, mean_picture: np.ndarray, deviation: np.ndarray) -> np.ndarray:
        """Return components at the quantiles of a normal distribution with that mean and deviation, smoothed by their scales.

        If there are several components, the last one is broad and has little weight. It allows values that never occurred in
        training.
        """
        mean, deviation = (np.reshape(a, (-1, self.channels, 1)).astype(np.float64) for a in (mean_picture, deviation))
        narrow = max(1, self.mixtures - 1)
        # All values below are of [-1, 1]. Components start apart. A single one must leave room for values not seen in training.
        deviation = np.maximum(2 * deviation, HALF_LEVEL * (1 if self.mixtures > narrow else 16))
        quantiles = np.array([NormalDist().inv_cdf((k + 0.5) / narrow) for k in range(narrow)])
        scale = deviation * math.sqrt(3 * (1 - np.mean(quantiles**2))) / math.pi  # a logistic's variance is (pi scale)^2 / 3
        logits, means = np.zeros((len(mean), 1, narrow)), 2 * mean - 1 + deviation * quantiles
        # Below the bound, because there are no gradients beyond it.
        log_precisions = np.broadcast_to(np.minimum(-np.log(scale), MAX_LOG_PRECISION - 0.1), means.shape)
        if self.mixtures > narrow:
            broad = {"pad_width": ((0, 0), (0, 0), (0, 1))}
            logits = np.pad(logits, **broad, constant_values=math.log(BROAD_SHARE * narrow))
            means = np.pad(means, **broad, constant_values=0.0)
            log_precisions = np.pad(log_precisions, **broad, constant_values=math.log(2.0))
        flat = [a.reshape(len(mean), -1) for a in (logits, means, log_precisions - LOG_PRECISION_AT_ZERO)]
        return np.concatenate([*flat, np.zeros((len(mean), self._sizes[3]))], axis=1).astype(np.float32).reshape(-1)

    def bits_per_dimension(self, nats: float, values: int) -> float | None:
        return to_bits_per_dimension(nats, values)

    def _unpack(self, parameters: tf.Tensor) -> Mixture:
        parts = tf.split(tf.transpose(tf.reshape(parameters, [-1, self.output_channels])), self._sizes, axis=0)
        shape = [-1, self.mixtures, tf.shape(parts[0])[1]]
        return Mixture(parts[0], *(tf.reshape(part, shape) for part in parts[1:]))

    def _mean_given(self, mixture: Mixture, channel: int, before: list[tf.Tensor]) -> tf.Tensor:
        """Return the components' means in a channel given the channels before, in [-1, 1] (Salimans et al. 2017, eq. 3): [K, N]."""
        mean, first = mixture.means[channel], channel * (channel - 1) // 2
        for i in range(channel):
            mean += tf.tanh(mixture.couplings[first + i]) * before[i]
        return mean

    def _as_pictures(self, channels: list[tf.Tensor], parameters: tf.Tensor) -> tf.Tensor:
        pixels = tf.clip_by_value(tf.stack(channels, axis=1), 0.0, 1.0)
        return tf.reshape(pixels, tf.concat([tf.shape(parameters)[:3], [self.channels]], axis=0))


def _bounded(log_precisions: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(log_precisions + LOG_PRECISION_AT_ZERO, MIN_LOG_PRECISION, MAX_LOG_PRECISION)


def softplus(x: tf.Tensor) -> tf.Tensor:
    """Return log(1 + e^x) of a tensor of any shape. LiteRT computes TensorFlow's own as it is written, and e^x overflows at 89."""
    return tf.nn.relu(x) + tf.nn.softplus(-tf.abs(x))


@tf.custom_gradient
def log_interval_mass(
    logits: tf.Tensor, means: tf.Tensor, log_precisions: tf.Tensor, lower: tf.Tensor, upper: tf.Tensor
) -> tf.Tensor:
    """Return log sum_k w_k prod_c (sigmoid(b) - sigmoid(a)).

    b and a are the ends of the interval, relative to the component's mean, in units of its scale.

    The difference is computed as sigmoid(b) sigmoid(-a) (1 - e^(a-b)), in which nothing cancels. Each sigmoid is e^min(.,0) /
    (1 + e^-|.|). Only the exponents and the logits have to stay logarithms until they are summed. The gradient is written out
    for speed: autodiff, with the logarithm of each component's mass, would take 1.5 times as long.

    Args:
        logits: float32 [K, N]; see `Mixture`.
        means: float32 [c, K, N].
        log_precisions: float32 [c, K, N].
        lower: Lower ends of the intervals, float32 [c, 1, N]; no gradient.
        upper: Upper ends of the intervals, float32 [c, 1, N]; no gradient.

    Returns:
        float32 [N], nats.
    """
    bounded = _bounded(log_precisions)
    precision = tf.exp(bounded)
    b, a = (upper - means) * precision, (lower - means) * precision
    half = (0.5 * (upper - lower)) * precision
    tanh = tf.tanh(half)  # 1 - e^(-2 half) is 2 tanh / (1 + tanh)
    factor = tanh / ((1 + tanh) * (1 + tf.exp(-tf.abs(b))) * (1 + tf.exp(-tf.abs(a))))
    exponent = logits + tf.reduce_sum(tf.minimum(b, 0.0) - tf.maximum(a, 0.0), axis=0)
    largest = tf.reduce_max(exponent, axis=0)
    joint = tf.exp(exponent - largest) * tf.reduce_prod(factor, axis=0)
    total = tf.reduce_sum(joint, axis=0)
    largest_logit = tf.reduce_max(logits, axis=0)
    prior = tf.exp(logits - largest_logit)
    prior_total = tf.reduce_sum(prior, axis=0)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
        responsibility = joint * (upstream / total)
        above, below = tf.sigmoid(-b), tf.sigmoid(a)
        by_mean = responsibility * precision * (below - above)
        by_log_precision = responsibility * (b * above - a * below + half * ((1 - tanh) / tanh))
        by_log_precision = tf.where(bounded == log_precisions + LOG_PRECISION_AT_ZERO, by_log_precision, 0.0)
        return responsibility - prior * (upstream / prior_total), by_mean, by_log_precision, None, None

    twice = means.shape[0] * math.log(2)  # the 2 of each channel's 2 tanh / (1 + tanh)
    return largest - largest_logit + twice + tf.math.log(total) - tf.math.log(prior_total), gradient
