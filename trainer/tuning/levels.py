"""One measure for all likelihoods: each is converted to a probability of images of 256 gray levels.

Figures in nats of different likelihoods cannot be compared: a cross-entropy, a density on [0, 1] and a probability of levels have
different units. But the output of any decoder determines a probability for each level of a pixel. With that probability, -ELBO
is the length of a code for the image, for any model.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import tensorflow as tf

from trainer.data import Pictures
from trainer.likelihoods.base import Likelihood, to_bits_per_dimension
from trainer.likelihoods.bernoulli import Bernoulli
from trainer.likelihoods.continuous_bernoulli import ContinuousBernoulli
from trainer.likelihoods.discretized_logistic_mixture import DiscretizedLogisticMixture
from trainer.likelihoods.gaussian import Gaussian
from trainer.loop import eval_batch
from trainer.sampling import example_keys, keyed_normal
from trainer.vae import VAE

LEVELS = 256
SMALLEST_LOGIT = 1e-6  # per level; below it all levels are equally probable and the formula would be 0 / 0
FAR_TAIL = -10.0  # below it the normal distribution function is computed by its asymptotic series, to 1 part in 10,000
OUTSIDE = 1e6  # lower end of level 0's interval and upper end of level 255's, in standard deviations


def bits_per_dimension(vae: VAE, held_out: Pictures) -> float:
    """Return -ELBO with the likelihood as a probability of levels: mean over the held-out images, in bits per value of an image.

    The model is of gray values and not of binarized images. The noise is drawn from each image's own key.
    """

    @functools.partial(tf.function, reduce_retracing=True)
    def total(levels: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        x, noise = vae.observe(levels), keyed_normal(example_keys(levels), (vae.latent_dim,))
        terms = vae.elbo_terms(x, noise, labels)
        return tf.reduce_sum(terms.kl - log_mass(vae.likelihood, x, terms.parameters))

    nats = sum(float(total(levels, labels)) for levels, labels in held_out.in_order(eval_batch(vae))) / len(held_out)
    return to_bits_per_dimension(nats, int(np.prod(vae.image_shape)))


@functools.singledispatch
def log_mass(likelihood: Likelihood, x: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
    """Return log P(x|z), the log-probability of the levels, float32 [n], nats; never positive.

    Args:
        likelihood: The likelihood that the parameters belong to.
        x: float32 [n, h, w, c] in [0, 1], multiples of 1/255.
        parameters: float32 [n, h, w, output_channels].

    Raises:
        TypeError: The likelihood has no probability of levels.
    """
    raise TypeError(f"{likelihood.name} has no probability of levels")


@log_mass.register
def _(likelihood: DiscretizedLogisticMixture, x: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
    return likelihood.log_prob(x, parameters)


@log_mass.register(Bernoulli)
@log_mass.register(ContinuousBernoulli)
def _(likelihood: Likelihood, x: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
    """Use P(k) ~ p^(k/255) (1 - p)^(1 - k/255): proportional to e^(k t / 255) with the logit t, a geometric series."""
    step = tf.maximum(tf.abs(parameters) / (LEVELS - 1), SMALLEST_LOGIT)
    # The sum is computed for |t|, with levels counted from the more probable end.
    log_sum = tf.nn.relu(parameters) + tf.math.log(tf.math.expm1(-LEVELS * step) / tf.math.expm1(-step))
    return tf.reduce_sum(x * parameters - log_sum, axis=[1, 2, 3])


@log_mass.register
def _(likelihood: Gaussian, x: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
    """Integrate the density over a level's interval of length 1/255. The tails belong to levels 0 and 255."""
    x, mean = (tf.cast(values, tf.float64) for values in (x, likelihood.mean(parameters)))
    sigma, half = tf.exp(tf.cast(likelihood.log_sigma(), tf.float64)), 0.5 / (LEVELS - 1)
    outside = tf.constant(OUTSIDE, tf.float64)
    lower = tf.where(x < half, -outside, (x - half - mean) / sigma)
    upper = tf.where(x > 1 - half, outside, (x + half - mean) / sigma)
    # By symmetry always in the lower tail, where differences of the distribution function keep their digits.
    flipped = lower + upper > 0
    lower, upper = tf.where(flipped, -upper, lower), tf.where(flipped, -lower, upper)
    log_upper = _log_normal_cdf(upper)
    mass = log_upper + tf.math.log1p(-tf.exp(_log_normal_cdf(lower) - log_upper))
    return tf.cast(tf.reduce_sum(mass, axis=[1, 2, 3]), tf.float32)


def _log_normal_cdf(x: tf.Tensor) -> tf.Tensor:
    """Return the log of the standard normal distribution function, float64."""
    near, far = tf.maximum(x, FAR_TAIL), tf.minimum(x, FAR_TAIL)
    exact = tf.math.log(0.5 * tf.math.erfc(-near / math.sqrt(2)))
    series = -0.5 * tf.square(far) - tf.math.log(-far * math.sqrt(2 * math.pi)) + tf.math.log1p(-1 / tf.square(far))
    return tf.where(x < FAR_TAIL, series, exact)
