"""The Bernoulli likelihood against SciPy, and as a distribution."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from tests.trainer.likelihoods.shared import SEED, grey, make, normal, repeated

BERNOULLI = make("bernoulli")
COLOUR = make("bernoulli", channels=3)


def test_log_prob_of_binary_pictures_is_scipys() -> None:
    x, parameters = np.random.default_rng(1).integers(0, 2, (6, 3, 5, 3)), normal(6, 3, 5, 3, spread=3)
    expected = stats.bernoulli.logpmf(x, special.expit(parameters.astype(float))).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(COLOUR.log_prob(tf.constant(x, tf.float32), parameters), expected, rtol=1e-5)


def test_log_prob_of_grey_pictures_is_the_formula() -> None:
    x, parameters = grey(6, 3, 5, 1), normal(6, 3, 5, 1, spread=3)
    p = special.expit(parameters.astype(float))
    expected = (x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(BERNOULLI.log_prob(x, parameters), expected, rtol=1e-5)


def test_gradients_are_those_of_tensorflows_cross_entropy() -> None:
    x, parameters = tf.constant(grey(6, 3, 5, 1)), tf.constant(normal(6, 3, 5, 1, spread=20))
    weights = tf.range(1.0, 7.0)  # pictures' own, so that a gradient that forgets what it is told shows
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, parameters])
        ours = tf.reduce_sum(weights * BERNOULLI.log_prob(x, parameters))
        terms = tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=parameters)
        theirs = -tf.reduce_sum(weights * tf.reduce_sum(terms, axis=[1, 2, 3]))
    for found, expected in zip(tape.gradient(ours, [x, parameters]), tape.gradient(theirs, [x, parameters])):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 2, 1), (1, 2, 3), (3, 3, 1)])
def test_probabilities_of_all_binary_pictures_sum_to_one(shape: tuple[int, int, int]) -> None:
    every = np.array(list(itertools.product([0.0, 1.0], repeat=int(np.prod(shape)))), np.float32).reshape(-1, *shape)
    log_prob = make("bernoulli", shape[2]).log_prob(every, repeated(normal(*shape, spread=3), len(every)))
    assert special.logsumexp(log_prob) == pytest.approx(0, abs=1e-5)


def test_a_certain_decoder_costs_much_but_not_infinitely() -> None:
    sure = BERNOULLI.log_prob(tf.constant([[[[1.0]]], [[[0.0]]]]), tf.constant([[[[200.0]]], [[[200.0]]]])).numpy()
    np.testing.assert_allclose(sure, [0.0, -200.0])


def test_sure_decoders_of_black_and_white_pictures_lose_no_precision() -> None:
    """Sums of logits are large where their difference, the figure, is small."""
    x = np.random.default_rng(2).integers(0, 2, (3, 28, 28, 1))
    logits = (40.0 * (2 * np.repeat(x, 2, axis=0) - 1) + normal(6, 28, 28, 1, spread=20)).astype(np.float32)
    expected = stats.bernoulli.logpmf(np.repeat(x, 2, axis=0), special.expit(logits.astype(float))).sum(axis=(1, 2, 3))
    found = make("bernoulli", binarisation="dynamic").log_prob_of_samples(tf.constant(x, tf.float32), tf.constant(logits), 2)
    np.testing.assert_allclose(found.numpy().ravel(), expected, rtol=1e-5)


def test_mean_is_the_probability() -> None:
    parameters = normal(1, 2, 3, 1)
    np.testing.assert_allclose(BERNOULLI.mean(parameters), stats.bernoulli.mean(special.expit(parameters)), rtol=1e-5)


def test_samples_are_black_and_white_and_as_probable_as_they_should_be() -> None:
    parameters = normal(5, 5, 1, spread=2)
    draws = BERNOULLI.sample(repeated(parameters, 2000), SEED)
    assert set(np.unique(draws)) == {0.0, 1.0}
    cost = -BERNOULLI.log_prob(draws, repeated(parameters, 2000)).numpy()
    entropy = stats.bernoulli.entropy(special.expit(parameters.astype(float))).sum()
    assert abs(cost.mean() - entropy) < 4 * cost.std() / np.sqrt(len(cost))


def test_no_decoder_beats_the_picture_itself() -> None:
    x = np.random.default_rng(0).uniform(0.05, 0.95, (1, 4, 4, 1)).astype(np.float32)
    best = BERNOULLI.log_prob(tf.constant(x), tf.constant(special.logit(x))).numpy()
    for other in range(10):
        around = special.logit(x) + normal(*x.shape, spread=0.1, seed=other)
        assert BERNOULLI.log_prob(tf.constant(x), tf.constant(around)).numpy() < best


def test_initial_bias_gives_the_mean_picture_and_no_certainty() -> None:
    picture = np.array([0.0, 0.005, 0.01, 0.3, 0.5, 0.99, 1.0, 0.7], np.float32).reshape(2, 4, 1)
    bias = BERNOULLI.initial_bias(picture, np.zeros_like(picture))
    mean = BERNOULLI.mean(tf.constant(bias.reshape(1, 2, 4, 1))).numpy()[0]
    np.testing.assert_allclose(mean, np.clip(picture, 0.01, 0.99), rtol=1e-5)
