"""Every likelihood as a probability of 256 levels."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tests.trainer.tiny import bars, make_vae
from trainer.config import ModelConfig
from trainer.data import Pictures
from trainer.likelihoods import LIKELIHOODS, get_likelihood
from trainer.likelihoods.base import Likelihood, to_bits_per_dimension
from trainer.loop import EVAL_BATCH
from trainer.sampling import example_keys, keyed_normal
from trainer.tuning.levels import bits_per_dimension, log_mass

ALL = [*LIKELIHOODS]


def masses(likelihood: Likelihood, parameters: np.ndarray) -> np.ndarray:
    """log P of each of the 256 levels of pictures of one grey pixel, [256, n]."""
    parameters = tf.constant(parameters.reshape(-1, 1, 1, likelihood.output_channels), tf.float32)
    shape = [len(parameters), 1, 1, 1]
    return np.stack([log_mass(likelihood, tf.fill(shape, level / 255), parameters).numpy() for level in range(256)])


@pytest.mark.parametrize("name", ALL)
def test_the_levels_sum_to_one(name: str) -> None:
    likelihood = get_likelihood(ModelConfig(likelihood=name), 1)
    parameters = np.random.default_rng(0).uniform(-4, 4, (50, likelihood.output_channels))
    parameters[0] = 0
    found = masses(likelihood, parameters)
    assert found.max() <= 1e-5
    np.testing.assert_allclose(np.exp(found).sum(axis=0), 1, rtol=1e-3)


def test_a_gaussian_is_integrated_over_each_level() -> None:
    likelihood = get_likelihood(ModelConfig(likelihood="gaussian"), 1)
    likelihood._start(0.02)
    mean, sigma = 0.3, float(np.exp(likelihood.log_sigma()))
    found = masses(likelihood, np.array([np.log(mean / (1 - mean))]))[:, 0]
    normal = stats.norm(mean, sigma)
    edges = np.concatenate([[-np.inf], (np.arange(255) + 0.5) / 255, [np.inf]])
    near = slice(60, 95)
    np.testing.assert_allclose(np.exp(found[near]), np.diff(normal.cdf(edges))[near], rtol=1e-3)
    # 35 standard deviations away, where the mass itself is no number any more.
    assert found[255] == pytest.approx(normal.logsf(254.5 / 255), rel=1e-3) and found[255] < -500


def test_both_bernoullis_are_the_same_probability_of_levels() -> None:
    parameters = np.linspace(-30, 30, 40)
    two = [masses(get_likelihood(ModelConfig(likelihood=name), 1), parameters) for name in ALL[:2]]
    np.testing.assert_array_equal(*two)
    assert two[0][255, -1] == pytest.approx(np.log(1 - np.exp(-30 / 255)), rel=1e-3)


def test_of_a_likelihood_that_is_a_probability_the_bits_are_its_own() -> None:
    vae, pictures = make_vae(spread=0.1, likelihood="discretized_logistic_mixture"), Pictures(bars(EVAL_BATCH + 7))
    nats = 0.0
    for levels, labels in pictures.in_order(EVAL_BATCH):
        terms = vae.elbo_terms(vae.observe(levels), keyed_normal(example_keys(levels), (2,)), labels)
        nats -= float(tf.reduce_sum(terms.elbo)) / len(pictures)
    assert bits_per_dimension(vae, pictures) == pytest.approx(to_bits_per_dimension(nats, 64), rel=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_an_untrained_model_costs_about_as_much_under_each(name: str) -> None:
    """Bits of the same pictures are of the same unit: a model that knows little needs somewhat more or less than 8."""
    assert 5 < bits_per_dimension(make_vae(likelihood=name), Pictures(bars(20))) < 20
