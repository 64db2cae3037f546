"""The mixture of discretised logistics against SciPy's logistic, and as a probability of 256 levels."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from tests.trainer.likelihoods.shared import SEED, grey, levels, make, normal, repeated, start
from trainer.likelihoods.discretized_logistic_mixture import LOG_PRECISION_AT_ZERO, MAX_LOG_PRECISION, MIN_LOG_PRECISION

K = 3
NAME = "discretized_logistic_mixture"
GREY, COLOUR = make(NAME, mixtures=K), make(NAME, channels=3, mixtures=K)


def pixel(
    logits: list[float], means: list[list[float]], scales: list[list[float]], couplings: list[list[float]] = ()
) -> np.ndarray:
    """One pixel's parameters, [1, 1, k]: means [c][K] in [-1, 1], scales likewise, couplings [3][K] as they multiply."""
    parts = [logits, means, -np.log(scales) - LOG_PRECISION_AT_ZERO, np.arctanh(couplings)]
    return np.concatenate([np.ravel(part) for part in parts]).reshape(1, 1, -1).astype(np.float32)


def formula(x: np.ndarray, parameters: np.ndarray, channels: int) -> np.ndarray:
    """log p of each picture by SciPy's logistic, written as in the paper: differences of distribution functions."""
    logits, means, precisions, couplings = (
        part.reshape(*part.shape[:3], -1, K)
        for part in np.split(parameters.astype(float), np.cumsum([K, channels * K, channels * K]), axis=-1)
    )
    couplings, x = np.tanh(couplings), 2 * x.astype(float)[..., np.newaxis] - 1
    mass = special.softmax(logits[..., 0, :], axis=-1)
    for c in range(channels):
        mean = means[..., c, :] + sum(couplings[..., c * (c - 1) // 2 + i, :] * x[..., i, :] for i in range(c))
        law, offset = stats.logistic(0, np.exp(-precisions[..., c, :] - LOG_PRECISION_AT_ZERO)), x[..., c, :] - mean
        interior = law.cdf(1 / 255 - np.abs(offset)) - law.cdf(-1 / 255 - np.abs(offset))  # by symmetry: no 1 - 1
        black, white = x[..., c, :] < -0.999, x[..., c, :] > 0.999
        mass *= np.select([black, white], [law.cdf(offset + 1 / 255), law.sf(offset - 1 / 255)], interior)
    return np.log(mass.sum(axis=-1)).sum(axis=(1, 2))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("spread", [0.1, 1.0])
def test_log_prob_is_the_difference_of_scipys_distribution_functions(channels: int, spread: float) -> None:
    likelihood = {1: GREY, 3: COLOUR}[channels]
    x, parameters = grey(8, 4, 3, channels), normal(8, 4, 3, likelihood.output_channels, spread=spread)
    np.testing.assert_allclose(likelihood.log_prob(x, parameters), formula(x, parameters, channels), rtol=1e-5)


@pytest.mark.parametrize("offset", [-1.0, -0.3, 0.0, 0.99, 50.0])
@pytest.mark.parametrize("log_precision", [-200.0, -4.0, 0.0, 4.0, 200.0])
def test_the_256_levels_have_the_probability_one(offset: float, log_precision: float) -> None:
    for seed in range(3):
        parameters = normal(1, 1, GREY.output_channels, seed=seed)
        parameters[..., K : 2 * K] = 0.3 * parameters[..., K : 2 * K] + offset
        parameters[..., 2 * K :] += log_precision
        log_prob = GREY.log_prob(levels(), repeated(parameters, 256))
        assert special.logsumexp(log_prob) == pytest.approx(0, abs=2e-5)


@pytest.mark.parametrize("red", [0, 255])
def test_colours_have_the_probability_one(red: int) -> None:
    # Red is certain, so the 65,536 colours that have it have all the probability; and couplings with it count.
    parameters = normal(1, 1, COLOUR.output_channels, seed=red)
    parameters[..., K : 2 * K] = 20 * np.sign(red - 1)
    green, blue = np.divmod(np.arange(65536), 256)
    x = (np.stack([np.full(65536, red), green, blue], axis=1) / 255).reshape(-1, 1, 1, 3).astype(np.float32)
    assert special.logsumexp(COLOUR.log_prob(x, repeated(parameters, 65536))) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_gradient_written_out_is_autodiffs(channels: int) -> None:
    likelihood = {1: GREY, 3: COLOUR}[channels]
    x, parameters = grey(6, 5, 4, channels), normal(6, 5, 4, likelihood.output_channels)
    weights = np.random.default_rng(9).uniform(-1, 2, 6).astype(np.float32)  # pictures' gradients do not mix

    def plain(parameters: tf.Tensor) -> tf.Tensor:
        """The formula in float64: nothing of what makes the likelihood's own one fast or safe."""
        logits, means, precisions, couplings = (
            tf.reshape(part, [6, 5, 4, -1, K]) for part in tf.split(parameters, likelihood._sizes, axis=-1)
        )
        value, total = tf.constant(2 * x - 1, tf.float64), tf.math.log_softmax(logits[..., 0, :])
        for c in range(channels):
            mean = means[..., c, :]
            for i in range(c):
                mean += tf.tanh(couplings[..., c * (c - 1) // 2 + i, :]) * value[..., i, tf.newaxis]
            offset, scale = value[..., c, tf.newaxis] - mean, tf.exp(-precisions[..., c, :] - LOG_PRECISION_AT_ZERO)
            interior = tf.sigmoid((1 / 255 - abs(offset)) / scale) - tf.sigmoid((-1 / 255 - abs(offset)) / scale)
            black, white = x[..., c, np.newaxis] == 0, x[..., c, np.newaxis] == 1
            mass = tf.where(black, tf.sigmoid((offset + 1 / 255) / scale), interior)
            total += tf.math.log(tf.where(white, tf.sigmoid((1 / 255 - offset) / scale), mass))
        return tf.reduce_sum(weights * tf.reduce_sum(tf.reduce_logsumexp(total, axis=-1), axis=[1, 2]))

    def gradient(function, parameters: tf.Tensor) -> np.ndarray:
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            value = function(parameters)
        return tape.gradient(value, parameters).numpy()

    found = gradient(lambda p: tf.reduce_sum(weights * likelihood.log_prob(x, p)), tf.constant(parameters))
    np.testing.assert_allclose(found, gradient(plain, tf.constant(parameters, tf.float64)), rtol=1e-3, atol=1e-4)


def test_scales_beyond_the_bounds_are_at_the_bounds_and_have_no_gradient() -> None:
    x = tf.constant(grey(1, 4, 4, 1))
    for bound, beyond in ((MIN_LOG_PRECISION, -3.0), (MAX_LOG_PRECISION, 3.0)):
        parameters = normal(1, 4, 4, GREY.output_channels)
        parameters[..., 2 * K :] = bound - LOG_PRECISION_AT_ZERO
        at_bound = GREY.log_prob(x, parameters)
        parameters[..., 2 * K :] += beyond
        parameters = tf.constant(parameters)
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            log_prob = GREY.log_prob(x, parameters)
        np.testing.assert_allclose(log_prob, at_bound, rtol=1e-6)
        gradient = tape.gradient(log_prob, parameters).numpy()
        assert not gradient[..., 2 * K :].any() and gradient[..., : 2 * K].any()


def test_a_level_far_from_all_components_has_its_exact_small_probability() -> None:
    # Its mass is far below the smallest float: 2 h e^(-|x - m| / s), h being half a level in scales.
    parameters = pixel([0.0] * K, [[-0.5] * K], [[0.001] * K])
    x = np.full((1, 1, 1, 1), 200 / 255, np.float32)
    expected = -(2 * 200 / 255 - 1 + 0.5) / 0.001 + np.log(2 * np.sinh(1 / 255 / 0.001))
    assert float(GREY.log_prob(x, parameters[np.newaxis])[0]) == pytest.approx(expected, rel=1e-5)


def test_an_output_of_zero_is_a_mid_grey_of_some_width() -> None:
    parameters = repeated(np.zeros((1, 1, GREY.output_channels)), 256)
    mass = np.exp(GREY.log_prob(levels(), parameters))
    assert float(GREY.mean(parameters)[0, 0, 0, 0]) == pytest.approx(0.5, abs=1e-6)
    assert mass.argmax() in (127, 128) and 0.8 < mass[64:192].sum() < 1 and mass[:2].sum() < 1e-3


@pytest.mark.parametrize("spread", [0.2, 1.0, 3.0])
def test_the_mean_is_that_of_the_levels_to_less_than_half_a_level(spread: float) -> None:
    for seed in range(5):
        parameters = normal(1, 1, GREY.output_channels, spread=spread, seed=seed)
        mass = np.exp(GREY.log_prob(levels(), repeated(parameters, 256)))
        assert float(GREY.mean(parameters[np.newaxis])[0, 0, 0, 0]) == pytest.approx(mass @ levels().ravel(), abs=0.5 / 255)


def test_the_mean_of_colours_is_that_of_draws_about_so_where_clipping_bends_it() -> None:
    parameters = normal(2, 2, COLOUR.output_channels)
    draws = COLOUR.sample(repeated(parameters, 4000), SEED).numpy()
    np.testing.assert_allclose(COLOUR.mean(parameters[np.newaxis])[0], draws.mean(axis=0), atol=0.03)


def test_the_mode_is_the_mean_of_the_likeliest_component_and_as_likely_as_any_other() -> None:
    dark_or_light = pixel([0.0, 1.0] + [-9.0] * (K - 2), [[-0.8, 0.6] + [0.0] * (K - 2)], [[0.02] * K])[np.newaxis]
    assert float(GREY.mode(dark_or_light)[0, 0, 0, 0]) == pytest.approx((0.6 + 1) / 2, abs=1e-3)
    assert 0.2 < float(GREY.mean(dark_or_light)[0, 0, 0, 0]) < 0.7, "neither dark nor light"
    assert float(GREY.log_prob(GREY.mode(dark_or_light), dark_or_light)[0]) > float(
        GREY.log_prob(GREY.mean(dark_or_light), dark_or_light)[0]
    )
    parameters = normal(4, 3, 3, COLOUR.output_channels)
    one = make("discretized_logistic_mixture", 3, mixtures=1)
    alone = normal(4, 3, 3, one.output_channels)
    np.testing.assert_allclose(one.mode(alone), one.mean(alone), atol=1e-6)
    assert np.abs(COLOUR.mode(parameters) - COLOUR.mean(parameters)).max() > 0.05


@pytest.mark.parametrize("seed", range(3))
def test_samples_are_levels_as_probable_as_they_should_be(seed: int) -> None:
    parameters = normal(1, 1, GREY.output_channels, seed=seed)
    draws = 255 * GREY.sample(repeated(parameters, 20000), SEED).numpy().ravel()
    np.testing.assert_allclose(draws, np.round(draws), atol=1e-4)
    mass = np.exp(GREY.log_prob(levels(), repeated(parameters, 256)).numpy().astype(float))
    counts = np.bincount(np.round(draws).astype(int), minlength=256)
    # Levels in groups of a fair size, so that the test of goodness of fit holds.
    group = (np.cumsum(mass) * 39.99).astype(int)
    expected, found = (np.bincount(group, weights=w, minlength=40) for w in (20000 * mass / mass.sum(), counts))
    there = expected > 0
    assert expected[there].min() > 5 and stats.chisquare(found[there], expected[there]).pvalue > 0.005


def test_samples_cost_the_entropy() -> None:
    parameters = normal(3, 3, GREY.output_channels, seed=4)
    every = np.stack([GREY.log_prob(levels(), repeated(p[np.newaxis, np.newaxis], 256)) for p in parameters.reshape(9, -1)])
    draws = GREY.sample(repeated(parameters, 2000), SEED)
    cost = -GREY.log_prob(draws, repeated(parameters, 2000)).numpy()
    assert abs(cost.mean() + (np.exp(every) * every).sum()) < 4 * cost.std() / np.sqrt(len(cost))


def test_samples_of_colours_cost_what_other_parameters_do_not_better() -> None:
    # Gibbs' inequality: on draws, the parameters that they are drawn with are the best.
    parameters = normal(2, 2, COLOUR.output_channels, seed=4)
    draws = COLOUR.sample(repeated(parameters, 4000), SEED)
    best = COLOUR.log_prob(draws, repeated(parameters, 4000)).numpy()
    for size in (K, 4 * K, 7 * K):  # of the logits, the means, the scales, and the couplings
        for at in (slice(0, size), slice(7 * K, None)):
            other = parameters.copy()
            other[..., at] += normal(*other[..., at].shape, spread=0.15, seed=size)
            difference = best - COLOUR.log_prob(draws, repeated(other, 4000)).numpy()
            assert difference.mean() > -2 * difference.std() / np.sqrt(4000)


def test_green_follows_red_and_blue_both() -> None:
    scales, couplings = [[0.3] * K, [0.003] * K, [0.003] * K], [[0.8] * K, [-0.5] * K, [0.4] * K]
    parameters = pixel([0.0] * K, [[0.0] * K, [0.1] * K, [-0.1] * K], scales, couplings)
    draws = 2 * COLOUR.sample(repeated(parameters, 1000), SEED).numpy().reshape(-1, 3) - 1
    red, green, blue = draws.T
    assert red.std() > 0.3
    np.testing.assert_allclose(green, 0.1 + 0.8 * red, atol=0.03)
    np.testing.assert_allclose(blue, -0.1 - 0.5 * red + 0.4 * green, atol=0.03)


def test_channels_of_a_pixel_are_of_the_same_component() -> None:
    means = [[-0.8, 0.0, 0.8]] * 3
    parameters = pixel([0.0, 0.5, 1.0], means, [[0.005] * K] * 3, [[0.0] * K] * 3)
    draws = 2 * COLOUR.sample(repeated(parameters, 3000), SEED).numpy().reshape(-1, 3) - 1
    components = np.abs(draws[..., np.newaxis] - means[0]).argmin(axis=-1)
    assert (components == components[:, :1]).all()
    shares = np.bincount(components[:, 0]) / 3000
    np.testing.assert_allclose(shares, special.softmax([0.0, 0.5, 1.0]), atol=0.03)


@pytest.mark.parametrize("mixtures", [1, 2, 5, 10, 30])
def test_components_start_apart_and_each_can_be_learned_where_nothing_ever_changed(mixtures: int) -> None:
    likelihood = make(NAME, mixtures=mixtures)
    parameters = start(likelihood, np.full((1, 1, 1), 0.4), np.zeros((1, 1, 1)))
    logits, means, log_precisions = np.split(parameters.ravel(), 3)
    assert len(set(means)) == mixtures and np.abs(means[: max(1, mixtures - 1)] - (2 * 0.4 - 1)).max() < 0.02
    assert (log_precisions + LOG_PRECISION_AT_ZERO < MAX_LOG_PRECISION).all()
    assert (log_precisions + LOG_PRECISION_AT_ZERO > MIN_LOG_PRECISION).all()


def test_a_uniform_guess_costs_eight_bits_and_the_start_of_plain_pictures_less() -> None:
    x = np.round(255 * np.clip(np.random.default_rng(0).normal(0.5, 0.05, (200, 5, 5, 1)), 0, 1)) / 255
    uniform = pixel([0.0] * K, [[0.0] * K], [[100.0] * K])  # all tails: each end has half, which is dearer still
    bits = {}
    for name, parameters in {"start": start(GREY, x.mean(axis=0), x.std(axis=0)), "broad": np.tile(uniform, (5, 5, 1))}.items():
        nats = -np.mean(GREY.log_prob(x.astype(np.float32), repeated(parameters, 200)))
        bits[name] = GREY.bits_per_dimension(float(nats), 25)
    entropy = stats.norm(scale=0.05 * 255).entropy() / np.log(2)
    assert entropy < bits["start"] < entropy + 0.2 and bits["broad"] > 8
