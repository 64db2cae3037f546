"""Noise and the ways between codes."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from trainer.sampling import binarise, example_keys, keyed_normal, reparameterise, slerp


@pytest.fixture(scope="module")
def keys() -> tf.Tensor:
    """Keys of 4,000 pictures that differ from their neighbours by one level of one pixel."""
    levels = np.full((4000, 4, 4, 1), 100, np.uint8)
    levels[:, 0, 0, 0], levels[:, 3, 3, 0] = np.arange(4000) % 250, np.arange(4000) // 250
    return example_keys(levels)


def test_samples_have_the_mean_and_the_variance_asked_for() -> None:
    mean, log_variance = tf.constant([-1.0, 0.0, 3.0]), tf.constant([-4.0, 0.0, 2.0])
    z = reparameterise(mean, log_variance, tf.random.stateless_normal([100_000, 3], seed=[0, 1])).numpy()
    deviation = np.exp(log_variance.numpy() / 2)
    np.testing.assert_array_less(np.abs(z.mean(axis=0) - mean), 4 * deviation / 100_000**0.5)
    np.testing.assert_allclose(z.std(axis=0), deviation, rtol=0.02)


def test_gradients_flow_through_samples() -> None:
    mean, log_variance, noise = tf.constant([1.0]), tf.constant([2.0]), tf.constant([-0.7])
    with tf.GradientTape() as tape:
        tape.watch([mean, log_variance])
        z = reparameterise(mean, log_variance, noise)
    by_mean, by_log_variance = tape.gradient(z, [mean, log_variance])
    assert float(by_mean) == 1.0
    assert float(by_log_variance) == pytest.approx(0.5 * np.e * -0.7, rel=1e-6)


def test_keys_depend_on_the_pixels_alone() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (20, 5, 3, 3), dtype=np.uint8)
    keys = example_keys(levels).numpy()
    assert keys.dtype == np.int32 and keys.shape == (20, 2)
    order = np.random.default_rng(1).permutation(20)
    np.testing.assert_array_equal(example_keys(levels[order]), keys[order])
    np.testing.assert_array_equal(np.concatenate([example_keys(levels[:7]), example_keys(levels[7:])]), keys)
    changed = levels.copy()
    changed[:, 4, 2, 1] ^= 1
    assert not (example_keys(changed).numpy() == keys).all(axis=1).any()


def test_keys_of_like_pictures_are_all_different(keys: tf.Tensor) -> None:
    assert len(np.unique(keys, axis=0)) == len(keys)


def test_draws_depend_on_their_key_only(keys: tf.Tensor) -> None:
    draws = keyed_normal(keys[:50], (3, 2)).numpy()
    assert draws.dtype == np.float32 and draws.shape == (50, 3, 2)
    np.testing.assert_array_equal(keyed_normal(keys[:50][::-1], (3, 2)).numpy()[::-1], draws)
    np.testing.assert_array_equal(keyed_normal(keys[7:8], (3, 2))[0], draws[7])
    in_graph = tf.function(lambda batch: keyed_normal(batch, (3, 2)))
    np.testing.assert_array_equal(in_graph(keys[:50]), draws)
    assert keyed_normal(keys[:0], (3, 2)).shape == (0, 3, 2)


def test_draws_are_standard_normal_and_independent_of_one_another(keys: tf.Tensor) -> None:
    draws = keyed_normal(keys, (8,)).numpy()
    every = draws.ravel()
    error = len(every) ** -0.5
    assert abs(every.mean()) < 4 * error
    assert abs(every.var() - 1) < 4 * 2**0.5 * error
    assert abs(stats.kurtosis(every)) < 4 * 24**0.5 * error
    assert stats.kstest(every, "norm").pvalue > 1e-3
    assert all(stats.kstest(dimension, "norm").pvalue > 1e-4 for dimension in draws.T)
    between_dimensions = np.corrcoef(draws.T)[np.triu_indices(8, 1)]
    assert np.abs(between_dimensions).max() < 5 * len(draws) ** -0.5
    between_pictures = [stats.pearsonr(draws[:-lag].ravel(), draws[lag:].ravel())[0] for lag in (1, 2, 250)]
    assert np.abs(between_pictures).max() < 4 * error


def test_pictures_of_several_sizes_can_be_binarised_in_one_process() -> None:
    for size in (4, 6, 9, 4):
        levels = np.random.default_rng(size).integers(0, 256, (5, size, size + 1, 1), dtype=np.uint8)
        seen = binarise(levels / np.float32(255), example_keys(levels)).numpy()
        assert seen.shape == levels.shape and set(np.unique(seen)) == {0.0, 1.0}


def great_circle(start: np.ndarray, end: np.ndarray, steps: int) -> np.ndarray:
    """`slerp` in float64: rotates one direction into the other by equal angles, lengths by equal amounts."""
    lengths = np.linspace(np.linalg.norm(start), np.linalg.norm(end), steps)
    unit = start / np.linalg.norm(start)
    across = end - (end @ unit) * unit
    across /= np.linalg.norm(across)
    angles = np.linspace(0, np.arctan2(end @ across, end @ unit), steps)
    return lengths[:, None] * (np.cos(angles)[:, None] * unit + np.sin(angles)[:, None] * across)


@pytest.mark.parametrize("dimensions", [2, 16, 200])
@pytest.mark.parametrize("steps", [2, 3, 9])
def test_slerp_follows_the_great_circle(dimensions: int, steps: int) -> None:
    start, end = np.random.default_rng(dimensions).standard_normal((2, dimensions))
    way = slerp(tf.constant(start, tf.float32), tf.constant(end, tf.float32), tf.constant(steps)).numpy()
    assert way.dtype == np.float32 and way.shape == (steps, dimensions)
    np.testing.assert_allclose(way, great_circle(start, end, steps), atol=2e-5)
    np.testing.assert_allclose(way[[0, -1]], [start, end], atol=1e-5)


def test_slerp_keeps_to_the_sphere() -> None:
    start, end = np.random.default_rng(0).standard_normal((2, 16))
    start, end = 4 * start / np.linalg.norm(start), 4 * end / np.linalg.norm(end)
    way = slerp(tf.constant(start, tf.float32), tf.constant(end, tf.float32), tf.constant(11)).numpy()
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), 4.0, rtol=1e-5)
    np.testing.assert_allclose(way[::-1], slerp(way[-1], way[0], tf.constant(11)), atol=1e-5)


@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize(
    ("start", "end"),
    [
        ([1.0, 2.0], [1.0, 2.0]),
        ([1.0, 2.0], [3.0, 6.0]),
        ([1.0, 2.0], [-1.0, -2.0]),
        ([1.0, 0.0], [-3.0, 1e-06]),
        ([0.0, 0.0], [0.0, 0.0]),
        ([0.0, 0.0], [1.0, 2.0]),
        ([1.0, 2.0], [0.0, 0.0]),
        ([1.0, 2.0], [1.0, 2.0 + 1e-06]),
    ],
    ids=["same", "longer", "opposite", "nearly opposite", "both zero", "from zero", "to zero", "nearly the same"],
)
def test_slerp_joins_any_two_codes(start: list[float], end: list[float], steps: int) -> None:
    way = slerp(tf.constant(start), tf.constant(end), tf.constant(steps)).numpy()
    assert way.shape == (steps, 2) and np.isfinite(way).all()
    np.testing.assert_allclose(way[0], start, atol=1e-5)
    if steps > 1:
        np.testing.assert_allclose(way[-1], end, atol=1e-5)
        longest_step = np.linalg.norm(np.diff(way, axis=0), axis=1).max()
        assert longest_step <= 1.6 * np.linalg.norm(np.subtract(end, start)) / (steps - 1) + 1e-5  # pi / 2 at the most


def test_slerp_changes_smoothly_where_it_turns_straight() -> None:
    start = np.array([3.0, 0.0])
    ways = [
        slerp(tf.constant(start, tf.float32), tf.constant([3 * np.cos(a), 3 * np.sin(a)], tf.float32), tf.constant(5))
        for a in (0.9e-3, 1.1e-3)
    ]
    np.testing.assert_allclose(ways[0], ways[1], atol=1e-3)
