"""What holds for every likelihood."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.likelihoods.shared import SEED, grey, make, normal, repeated, start
from trainer.likelihoods import LIKELIHOODS

VARIANTS = {
    "bernoulli": {},
    "bernoulli of binary pictures": {"likelihood": "bernoulli", "binarisation": "dynamic"},
    "continuous_bernoulli": {},
    "gaussian": {},
    "gaussian, optimal": {"likelihood": "gaussian", "sigma": "optimal"},
    "discretized_logistic_mixture": {},
    "discretized_logistic_mixture of one": {"likelihood": "discretized_logistic_mixture", "mixtures": 1},
}
every_variant = pytest.mark.parametrize("variant", VARIANTS)
grey_and_colour = pytest.mark.parametrize("channels", [1, 3])


def variant_of(variant: str, channels: int = 1):
    return make(**{"likelihood": variant, **VARIANTS[variant]}, channels=channels)


def test_every_likelihood_is_tested_here() -> None:
    assert {VARIANTS[variant].get("likelihood", variant) for variant in VARIANTS} == set(LIKELIHOODS)


def test_an_unknown_likelihood_is_told_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="unknown likelihood 'laplace'") as error:
        make("laplace")
    assert all(name in str(error.value) for name in LIKELIHOODS)


@every_variant
@grey_and_colour
def test_shapes(variant: str, channels: int) -> None:
    likelihood = variant_of(variant, channels)
    assert likelihood.name == VARIANTS[variant].get("likelihood", variant)
    for count in (0, 1, 4):  # a replica may get no picture of a small batch
        x, parameters = grey(count, 3, 5, channels), normal(count, 3, 5, likelihood.output_channels)
        for training in (False, True) if count else (False,):
            log_prob = tf.function(likelihood.log_prob)(tf.constant(x), tf.constant(parameters), training=training)
            assert log_prob.shape == (count,) and log_prob.dtype == tf.float32
        for picture in (likelihood.mean(parameters), likelihood.sample(parameters, SEED)):
            assert picture.shape == x.shape and picture.dtype == tf.float32
            assert not count or 0 <= np.min(picture) <= np.max(picture) <= 1
    bias = likelihood.initial_bias(x[0], np.full_like(x[0], 0.2))
    assert bias.dtype == np.float32 and bias.shape == (3 * 5 * likelihood.output_channels,)


@every_variant
@grey_and_colour
def test_pictures_of_a_batch_have_nothing_to_do_with_each_other(variant: str, channels: int) -> None:
    likelihood = variant_of(variant, channels)
    x, parameters = grey(5, 3, 4, channels), normal(5, 3, 4, likelihood.output_channels)
    together = likelihood.log_prob(x, parameters)
    alone = [likelihood.log_prob(x[i : i + 1], parameters[i : i + 1])[0] for i in range(5)]
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-4)
    means = np.concatenate([likelihood.mean(parameters[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(likelihood.mean(parameters), means, atol=1e-6)


@every_variant
@grey_and_colour
def test_pixels_are_independent_of_each_other(variant: str, channels: int) -> None:
    likelihood = variant_of(variant, channels)
    x, parameters = grey(2, 2, 3, channels), normal(2, 2, 3, likelihood.output_channels)
    places = [(slice(None), slice(i, i + 1), slice(j, j + 1)) for i in range(2) for j in range(3)]
    pixels = [likelihood.log_prob(x[place], parameters[place]) for place in places]
    np.testing.assert_allclose(likelihood.log_prob(x, parameters), np.sum(pixels, axis=0), rtol=1e-5, atol=1e-4)


@every_variant
@grey_and_colour
def test_the_same_seed_gives_the_same_draw_another_another(variant: str, channels: int) -> None:
    likelihood = variant_of(variant, channels)
    parameters = normal(6, 4, 4, likelihood.output_channels)
    draw = likelihood.sample(parameters, SEED).numpy()
    np.testing.assert_array_equal(draw, likelihood.sample(parameters, SEED))
    np.testing.assert_array_equal(draw[:2], likelihood.sample(parameters[:2], SEED))  # more pictures begin with the same ones
    assert (draw != likelihood.sample(parameters, SEED + 1).numpy()).mean() > 0.1


@every_variant
@grey_and_colour
def test_the_mean_is_what_samples_have(variant: str, channels: int) -> None:
    likelihood = variant_of(variant, channels)
    # Narrow enough that clipping, which neither the Gaussian's mean nor a coupled one knows of, is rare.
    likelihood.initial_bias(np.full((3, 3, channels), 0.5), np.full((3, 3, channels), 0.05))
    parameters = normal(3, 3, likelihood.output_channels, spread=0.1)
    if "mixture" in likelihood.name:
        parameters[..., (1 + channels) * likelihood.mixtures : (1 + 2 * channels) * likelihood.mixtures] += 1
    draws = likelihood.sample(repeated(parameters, 4000), SEED).numpy()
    error = draws.std(axis=0) / np.sqrt(len(draws))
    z = (draws.mean(axis=0) - likelihood.mean(parameters[np.newaxis])[0].numpy()) / error
    assert np.abs(z).max() < 4 and 0.3 < z.std() < 1.8


@every_variant
@pytest.mark.parametrize("size", [0.0, 1e-6, 1e-3, 30.0, 200.0])
@pytest.mark.parametrize("sign", [-1, 1, 0], ids=["negative", "positive", "mixed"])
def test_values_and_gradients_are_finite_at_extremes(variant: str, size: float, sign: int) -> None:
    for channels in (1, 3):
        likelihood = variant_of(variant, channels)
        signs = np.sign(normal(6, 3, 3, likelihood.output_channels)) if sign == 0 else sign
        parameters = tf.constant(size * signs * np.ones([6, 3, 3, likelihood.output_channels]), tf.float32)
        x = grey(6, 3, 3, channels)
        x[0], x[1] = 0, 1
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            log_prob = likelihood.log_prob(tf.constant(x), parameters)
        gradients = tape.gradient(log_prob, [parameters, *likelihood.trainable_variables])
        for tensor in (log_prob, *gradients, likelihood.mean(parameters), likelihood.sample(parameters, SEED)):
            assert np.isfinite(tensor).all()


@every_variant
@grey_and_colour
def test_gradients_are_differences(variant: str, channels: int) -> None:
    likelihood = variant_of(variant, channels)
    x, direction = tf.constant(grey(8, 4, 4, channels)), normal(8, 4, 4, likelihood.output_channels, seed=5)
    parameters = tf.constant(normal(8, 4, 4, likelihood.output_channels))
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        log_prob = likelihood.log_prob(x, parameters)
    slope = tf.reduce_sum(tape.gradient(log_prob, parameters) * direction, axis=[1, 2, 3])
    step = 3e-3
    ahead, behind = (likelihood.log_prob(x, parameters + sign * step * direction) for sign in (1, -1))
    np.testing.assert_allclose((ahead - behind) / (2 * step), slope, rtol=0.01, atol=0.5)


@every_variant
@grey_and_colour
def test_the_start_is_a_fair_guess_at_pictures_of_which_mean_and_deviation_are_known(variant: str, channels: int) -> None:
    likelihood, rng = variant_of(variant, channels), np.random.default_rng(2)
    centres, spread = rng.uniform(0.1, 0.9, (6, 6, channels)), rng.uniform(0.02, 0.3, (6, 6, channels))
    x = np.round(255 * np.clip(centres + spread * rng.normal(size=(400, 6, 6, channels)), 0, 1)) / 255
    x[:, 0], x[:, 5] = 0, 1  # rows that never change
    if VARIANTS[variant].get("binarisation"):
        x = np.round(x)
    x = x.astype(np.float32)
    parameters = start(likelihood, x[:200].mean(axis=0), x[:200].std(axis=0))
    log_prob = likelihood.reference_log_prob(x[200:], repeated(parameters, 200)).numpy()
    mean = likelihood.mean(parameters[np.newaxis]).numpy()[0]
    np.testing.assert_allclose(mean, x[:200].mean(axis=0), atol=0.05)
    others = [
        likelihood.reference_log_prob(x[200:], repeated(parameters + normal(*parameters.shape, spread=0.3, seed=i), 200))
        for i in range(5)
    ]
    assert log_prob.mean() > np.mean(others, axis=1).max()  # nothing better lies near
    # What was never seen costs something, not everything: at most 60 nats for each of a row's values.
    x[200:, 0] = 0.5
    surprised = likelihood.reference_log_prob(x[200:], repeated(parameters, 200)).numpy()
    assert np.isfinite(surprised).all() and (log_prob - surprised).mean() < 60 * x[0, 0].size


@every_variant
def test_a_start_from_pictures_that_never_change(variant: str) -> None:
    likelihood = variant_of(variant)
    for level in (0.0, 0.5, 1.0):
        x = np.full((1, 4, 4, 1), np.round(level * 255) / 255, np.float32)
        parameters = start(likelihood, x[0], np.zeros_like(x[0]))
        log_prob = float(likelihood.reference_log_prob(x, repeated(parameters, 1))[0])
        assert -16 * np.log(20) < log_prob < 16 * np.log(256)  # surer by far than a uniform guess, but not certain


@every_variant
def test_training_may_not_change_what_the_start_is_worth(variant: str) -> None:
    likelihood = variant_of(variant)
    x = tf.constant(grey(5, 4, 4, 1))
    parameters = repeated(start(likelihood, np.full((4, 4, 1), 0.5), np.full((4, 4, 1), 0.3)), 5)
    before = likelihood.reference_log_prob(x, parameters).numpy()
    np.testing.assert_allclose(before, likelihood.log_prob(x, parameters), rtol=1e-5)
    for weight in likelihood.weights:
        weight.assign(weight - 0.2)
    np.testing.assert_array_equal(likelihood.reference_log_prob(x, parameters), before)


def test_bits_per_dimension_only_of_probabilities() -> None:
    uniform = 12 * np.log(256)
    given = {variant: variant_of(variant).bits_per_dimension(uniform, 12) for variant in VARIANTS}
    exact = {variant for variant, bits in given.items() if bits is not None}
    assert exact == {variant for variant in VARIANTS if "binary" in variant or "mixture" in variant}
    assert all(given[variant] == pytest.approx(8) for variant in exact)


@every_variant
@grey_and_colour
def test_several_samples_of_a_picture_are_judged_as_each_of_them_alone(variant: str, channels: int) -> None:
    likelihood = variant_of(variant, channels)
    for count, samples in ((4, 3), (1, 5), (3, 1), (0, 1), (0, 5)):
        x, parameters = grey(count, 3, 5, channels), normal(count * samples, 3, 5, likelihood.output_channels, spread=3)
        x = np.round(x) if getattr(likelihood, "binary", False) else x
        found = likelihood.log_prob_of_samples(tf.constant(x), tf.constant(parameters), samples).numpy()
        assert found.dtype == np.float32 and found.shape == (count, samples)
        for i in range(count):
            alone = likelihood.log_prob(repeated(x[i], samples), parameters[i * samples : (i + 1) * samples])
            np.testing.assert_allclose(found[i], alone, rtol=1e-5)
