"""The continuous Bernoulli likelihood: the formula of the Bernoulli, normalized to a density of gray values."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from trainer.likelihoods.base import Likelihood

NEAR_ZERO = 0.3  # below this logit the closed forms cancel; the series are exact to float32 there


class ContinuousBernoulli(Likelihood):
    """p(x|z) = prod_i C(l_i) l_i^x_i (1 - l_i)^(1 - x_i) on [0, 1] (Loaiza-Ganem and Cunningham 2019).

    The parameters are the logits t of l. In t it is an exponential family: log p = t x - A(t), A(t) = log((e^t - 1) / t). So its
    mean is A'(t).
    """

    def __init__(self, channels: int):
        super().__init__("continuous_bernoulli", channels)

    def log_prob(self, x: tf.Tensor, parameters: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return log p(x|z); see `Likelihood`. It is the logarithm of a density, and can be positive.

        There are no bits per dimension, because images of 256 levels have no density. Near 0 and 1, where many of their values lie,
        this density grows without bound, but no code becomes shorter.
        """
        return tf.reduce_sum(x * parameters - log_normaliser(parameters), axis=[1, 2, 3])

    def mean(self, parameters: tf.Tensor) -> tf.Tensor:
        return mean_of_logit(parameters)

    def sample(self, parameters: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Return a draw of x given z, by the inverse of the distribution function; see `Likelihood`."""
        uniform = tf.random.stateless_uniform(tf.shape(parameters), seed)
        # The inverse for -|t| cannot overflow. 1 - x has the logit -t.
        size = tf.maximum(tf.abs(parameters), 1e-6)
        x = -tf.math.log1p(uniform * tf.math.expm1(-size)) / size
        return tf.clip_by_value(tf.where(parameters > 0, 1 - x, x), 0.0, 1.0)

    def initial_bias(self, mean_picture: np.ndarray, deviation: np.ndarray) -> np.ndarray:
        """Return the logits whose mean is the mean image, kept away from 0 and 1. They maximize the likelihood of the images."""
        wanted = np.clip(mean_picture.reshape(-1).astype(np.float64), 0.01, 0.99)
        low, high = np.full(wanted.shape, -128.0), np.full(wanted.shape, 128.0)
        for _ in range(40):  # bisection: the mean rises with the logit, and its inverse has no closed form
            middle = (low + high) / 2
            below = mean_of_logit(tf.constant(middle)).numpy() < wanted
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return ((low + high) / 2).astype(np.float32)


@tf.custom_gradient
def log_normaliser(t: tf.Tensor) -> tf.Tensor:
    """Return A(t) = log((e^t - 1) / t), 0 at 0. Its gradient is the mean, because autodiff would cancel near 0."""
    size = tf.abs(t)
    far = tf.maximum(size, NEAR_ZERO)
    # The closed form is of |t|. The series near 0 is of t / 2 + log(sinh(t / 2) / (t / 2)).
    exact = tf.nn.relu(t) + tf.math.log(-tf.math.expm1(-far) / far)
    square = tf.square(t)
    series = t / 2 + square * (1 / 24 - square * (1 / 2880 - square / 181440))
    return tf.where(size < NEAR_ZERO, series, exact), lambda upstream: upstream * mean_of_logit(t)


def mean_of_logit(t: tf.Tensor) -> tf.Tensor:
    """Return A'(t) = 1 / (1 - e^-t) - 1 / t, 1/2 at 0: in [0, 1]."""
    near = tf.abs(t) < NEAR_ZERO
    far = tf.where(near, tf.ones_like(t), t)
    square = tf.square(t)
    series = 1 / 2 + t * (1 / 12 - square * (1 / 720 - square * (1 / 30240 - square / 1209600)))
    # 1 / (1 - e^-t) as (1 + coth(t / 2)) / 2: it does not overflow, and ONNX has no expm1.
    return tf.where(near, series, 0.5 + 0.5 / tf.tanh(0.5 * far) - 1 / far)
