"""The Gaussian likelihood against SciPy, and its one sigma: learned, or the best of each batch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, special, stats

from tests.trainer.likelihoods.shared import SEED, grey, make, normal, repeated, start
from trainer.likelihoods import Likelihood
from trainer.likelihoods.gaussian import MEMORY, MIN_SIGMA

both = pytest.mark.parametrize("sigma", ["learned", "optimal"])


def gaussian(sigma: str, deviation: float = 0.2, channels: int = 1) -> Likelihood:
    """One that starts with that deviation of pictures of mean 0.5."""
    likelihood = make("gaussian", channels, sigma=sigma)
    likelihood.initial_bias(np.full((2, 2, channels), 0.5), np.full((2, 2, channels), deviation))
    return likelihood


def sigma_of(likelihood: Likelihood) -> float:
    return float(tf.exp(likelihood.log_sigma()))


def pictures_with_errors(error: float, count: int = 64) -> tuple[tf.Tensor, tf.Tensor]:
    """Pictures of 4x4, and parameters whose means miss them by that root mean square."""
    parameters = normal(count, 4, 4, 1, spread=0.5)
    noise = np.random.default_rng(7).normal(size=parameters.shape)
    noise *= error / np.sqrt(np.mean(noise**2))
    return tf.constant(special.expit(parameters) + noise, tf.float32), tf.constant(parameters)


@both
def test_log_prob_is_scipys(sigma: str) -> None:
    likelihood, x, parameters = gaussian(sigma, 0.17, channels=3), grey(6, 3, 5, 3), normal(6, 3, 5, 3, spread=3)
    expected = stats.norm.logpdf(x, special.expit(parameters.astype(float)), 0.17).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(likelihood.log_prob(x, parameters), expected, rtol=1e-5)


@both
def test_the_density_integrates_to_one_over_all_numbers(sigma: str) -> None:
    likelihood, x = gaussian(sigma, 0.05), np.linspace(-2, 3, 20001, dtype=np.float32)
    log_prob = likelihood.log_prob(x.reshape(-1, 1, 1, 1), repeated(np.full((1, 1, 1), 0.7), len(x)))
    assert integrate.simpson(np.exp(log_prob), x=x) == pytest.approx(1, abs=1e-4)


@both
def test_it_starts_with_the_deviation_of_the_pictures(sigma: str) -> None:
    likelihood = make("gaussian", sigma=sigma)
    x = grey(500, 3, 3, 1)
    parameters = repeated(start(likelihood, x.mean(axis=0), x.std(axis=0)), 500)
    assert sigma_of(likelihood) == pytest.approx(np.sqrt(np.mean((x - x.mean(axis=0)) ** 2)), rel=1e-5)
    start_cost = np.mean(likelihood.reference_log_prob(x, parameters))
    for factor in (0.9, 1.1):  # no other sigma is fairer
        likelihood.initial_bias(x.mean(axis=0), factor * x.std(axis=0))
        assert np.mean(likelihood.reference_log_prob(x, parameters)) < start_cost


@both
def test_sigma_does_not_fall_below_half_a_level(sigma: str) -> None:
    likelihood = gaussian(sigma, 0.0)
    assert MIN_SIGMA <= sigma_of(likelihood) < 1.2 * MIN_SIGMA
    x, parameters = pictures_with_errors(0.0)
    for _ in range(50):
        step(likelihood, keras.optimizers.SGD(1e-3), x, parameters)
    assert MIN_SIGMA * 0.999 <= sigma_of(likelihood) < 1.2 * MIN_SIGMA
    assert np.isfinite(likelihood.log_prob(x, parameters, training=True)).all()


def step(likelihood: Likelihood, optimizer: keras.optimizers.Optimizer, x: tf.Tensor, parameters: tf.Tensor) -> None:
    """A step of training on one batch."""
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(likelihood.log_prob(x, parameters, training=True))
    if likelihood.trainable_variables:
        gradients = tape.gradient(loss, [v.value for v in likelihood.trainable_variables])
        optimizer.apply(gradients, likelihood.trainable_variables)


@both
@pytest.mark.parametrize("error", [0.02, 0.1, 0.4])
def test_training_brings_sigma_to_the_error_soon(sigma: str, error: float) -> None:
    likelihood, optimizer = gaussian(sigma), keras.optimizers.Adam(3e-3)
    x, parameters = pictures_with_errors(error)
    training = tf.function(lambda: step(likelihood, optimizer, x, parameters))
    optimizer.build(likelihood.trainable_variables)
    for _ in range(200):
        training()
    assert sigma_of(likelihood) == pytest.approx(error, rel=0.01)


@pytest.mark.parametrize("error", [0.01, 0.05, 0.3])
def test_the_gradient_of_a_learned_sigma_is_zero_at_the_error_alone(error: float) -> None:
    x, parameters = pictures_with_errors(error)

    def slope(deviation: float) -> float:
        likelihood = gaussian("learned", deviation)
        with tf.GradientTape() as tape:
            log_prob = tf.reduce_mean(likelihood.log_prob(x, parameters, training=True))
        return float(tape.gradient(log_prob, likelihood.trainable_variables[0].value))

    assert slope(0.8 * error) > 1 > abs(slope(error)) * 10 and slope(1.2 * error) < -1


def test_optimal_sigma_in_training_is_the_formula() -> None:
    x, parameters = pictures_with_errors(0.13)
    likelihood = gaussian("optimal", 0.5)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(parameters)
        log_prob = tf.reduce_sum(likelihood.log_prob(x, parameters, training=True))
        mean_square = tf.reduce_mean(tf.square(x - tf.sigmoid(parameters)))
        formula = -64 * 16 / 2 * tf.math.log(mean_square)
    constant = -64 * 16 / 2 * (1 + np.log(2 * np.pi))
    assert float(log_prob) == pytest.approx(float(formula) + constant, rel=1e-5)
    gradient = tape.gradient(log_prob, parameters).numpy()
    np.testing.assert_allclose(gradient, tape.gradient(formula, parameters), rtol=1e-3, atol=1e-4)
    for other in (0.12, 0.14):  # the likelihood of the batch is the greatest that one sigma gives
        assert np.sum(gaussian("learned", other).log_prob(x, parameters)) < float(log_prob)


def test_the_moving_average_of_optimal_sigmas_moves_in_training_only() -> None:
    x, parameters = pictures_with_errors(0.1)
    likelihood = gaussian("optimal", 0.4)
    likelihood.log_prob(x, parameters)
    assert sigma_of(likelihood) == pytest.approx(0.4, rel=1e-5)
    likelihood.log_prob(x, parameters, training=True)
    assert np.log(sigma_of(likelihood)) == pytest.approx(MEMORY * np.log(0.4) + (1 - MEMORY) * np.log(0.1), rel=1e-4)
    assert not likelihood.trainable_variables and len(likelihood.weights) == 1


@both
def test_samples_have_the_deviation_and_stay_in_range(sigma: str) -> None:
    likelihood = gaussian(sigma, 0.08)
    draws = likelihood.sample(tf.zeros([3000, 2, 2, 1]), SEED).numpy().ravel()
    assert stats.kstest(draws, stats.norm(0.5, 0.08).cdf).pvalue > 0.01
    dark = likelihood.sample(tf.fill([500, 2, 2, 1], -5.0), SEED).numpy()
    assert dark.min() == 0 and (dark == 0).mean() == pytest.approx(stats.norm.cdf(0, special.expit(-5), 0.08), abs=0.05)


@both
def test_samples_cost_the_entropy(sigma: str) -> None:
    likelihood, parameters = gaussian(sigma, 0.03), repeated(normal(3, 3, 1, spread=0.5), 2000)
    cost = -likelihood.log_prob(likelihood.sample(parameters, SEED), parameters).numpy()
    assert abs(cost.mean() - 9 * stats.norm(scale=0.03).entropy()) < 4 * cost.std() / np.sqrt(len(cost))


@pytest.mark.slow
def test_replicas_have_the_same_sigma_that_one_device_has(tmp_path: Path) -> None:
    # In a process of its own: a device can be divided only before TensorFlow has used it.
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "tests.trainer.likelihoods.replicas", str(tmp_path / "found.json")]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=300)
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    mirrored, alone = found["mirrored"], found["one_device"]
    np.testing.assert_allclose(mirrored["log_sigmas"], alone["log_sigmas"][:1] * 2, rtol=1e-5)
    assert mirrored["log_prob"] == pytest.approx(alone["log_prob"], rel=1e-4)
    np.testing.assert_allclose(mirrored["parameters"], alone["parameters"], rtol=1e-3, atol=1e-5)
