"""The continuous Bernoulli against numerical integrals and SciPy's truncated exponential, which it is in logits."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, stats

from tests.trainer.likelihoods.shared import SEED, grey, make, normal, repeated
from trainer.likelihoods.continuous_bernoulli import NEAR_ZERO, log_normaliser, mean_of_logit

CONTINUOUS = make("continuous_bernoulli")
LOGITS = [0.0, 1e-8, -1e-6, 1e-4, -1e-3, 0.01, -0.1, 0.2999, -0.3, 0.3001, 1.0, -2.9, 10.0, -30.0, 90.0, -200.0]


def exact(logit: float, power: int) -> float:
    """The integral over [0, 1] of x^power e^(logit x), less the largest exponent."""
    return integrate.quad(lambda x: x**power * np.exp(logit * x - max(logit, 0)), 0, 1, points=[0.01, 0.1, 0.9, 0.99])[0]


@pytest.mark.parametrize("logit", LOGITS)
def test_the_density_integrates_to_one(logit: float) -> None:
    logit = float(np.float32(logit))
    assert float(log_normaliser(tf.constant(logit))) == pytest.approx(max(logit, 0) + np.log(exact(logit, 0)), abs=3e-6)


@pytest.mark.parametrize("logit", LOGITS)
def test_the_mean_is_the_integral(logit: float) -> None:
    logit = float(np.float32(logit))
    assert float(mean_of_logit(tf.constant(logit))) == pytest.approx(exact(logit, 1) / exact(logit, 0), abs=1e-6)


def test_log_prob_is_scipys_truncated_exponential() -> None:
    x, parameters = 0.999 * grey(7, 3, 4, 1) + 5e-4, normal(7, 3, 4, 1, spread=5)  # SciPy's has no mass next to the ends
    size = np.abs(parameters.astype(float))
    expected = stats.truncexpon.logpdf(np.where(parameters > 0, 1 - x, x), size, scale=1 / size).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(CONTINUOUS.log_prob(x, parameters), expected, rtol=1e-4, atol=1e-4)


def test_it_is_the_bernoullis_cross_entropy_and_a_normaliser_that_is_never_less() -> None:
    # C(l) of the paper is 2 and more: at logit 0 the density is 1, and the "probability" of the Bernoulli 1/2.
    x, parameters = grey(5, 4, 4, 1), normal(5, 4, 4, 1, spread=2)
    difference = CONTINUOUS.log_prob(x, parameters) - make("bernoulli").log_prob(x, parameters)
    assert (difference.numpy() > 16 * np.log(2) - 1e-3).all()
    zero = np.zeros((1, 4, 4, 1), np.float32)
    assert float(CONTINUOUS.log_prob(x[:1], zero)[0]) == pytest.approx(0, abs=1e-6)


def test_gradients_are_exact_where_closed_forms_cancel() -> None:
    logits = tf.constant([0.0, 1e-7, -1e-5, 1e-3, 0.05, -NEAR_ZERO, NEAR_ZERO, 0.31])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = log_normaliser(logits)
    expected = [exact(float(t), 1) / exact(float(t), 0) for t in logits]
    np.testing.assert_allclose(tape.gradient(value, logits), expected, atol=1e-6)


@pytest.mark.parametrize("logit", [0.0, 1e-5, -0.2, 2.0, -8.0, 60.0])
def test_samples_follow_the_density(logit: float) -> None:
    draws = CONTINUOUS.sample(tf.fill([3000, 1, 1, 1], logit), SEED).numpy().ravel()
    if abs(logit) > 1e-3:
        draws, law = (1 - draws if logit > 0 else draws), stats.truncexpon(abs(logit), scale=1 / abs(logit))
    else:
        law = stats.uniform()
    assert stats.kstest(draws, law.cdf).pvalue > 0.01


def test_samples_cost_the_entropy() -> None:
    parameters = normal(4, 4, 1, spread=4)
    draws = CONTINUOUS.sample(repeated(parameters, 2000), SEED)
    cost = -CONTINUOUS.log_prob(draws, repeated(parameters, 2000)).numpy()
    size = np.abs(parameters.astype(float))
    entropy = sum(float(stats.truncexpon(s, scale=1 / s).entropy()) for s in size.ravel())
    assert abs(cost.mean() - entropy) < 4 * cost.std() / np.sqrt(len(cost))


def test_initial_bias_has_the_mean_and_no_logits_beat_it() -> None:
    pictures = grey(300, 3, 3, 1)
    mean = pictures.mean(axis=0)
    bias = CONTINUOUS.initial_bias(mean, pictures.std(axis=0)).reshape(3, 3, 1)
    np.testing.assert_allclose(CONTINUOUS.mean(bias[np.newaxis])[0], mean, atol=1e-5)
    best = np.mean(CONTINUOUS.log_prob(pictures, repeated(bias, 300)))
    for other in range(10):
        around = repeated(bias + normal(3, 3, 1, spread=0.1, seed=other), 300)
        assert np.mean(CONTINUOUS.log_prob(pictures, around)) < best


def test_initial_bias_is_kept_off_black_and_white() -> None:
    picture = np.array([0.0, 1.0, 0.005, 0.5]).reshape(2, 2, 1)
    bias = CONTINUOUS.initial_bias(picture, np.zeros_like(picture)).reshape(1, 2, 2, 1)
    np.testing.assert_allclose(CONTINUOUS.mean(bias)[0].numpy().ravel(), [0.01, 0.99, 0.01, 0.5], atol=1e-5)
