"""The velocity's network, over codes as they are and over grids."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.networks.velocity import CONDITION, Waves, build_velocity

GRIDS = [None, (2, 3, 2)]


def stirred(grid: tuple[int, int, int] | None, labels: int = 0, dim: int = 12) -> keras.Model:
    """A network whose weights are moved about, as its last layer starts at zero."""
    network = build_velocity(dim, grid, labels, seed=1)
    for i, weight in enumerate(network.trainable_variables):
        weight.assign_add(0.1 * tf.random.stateless_normal(weight.shape, [i, 1]))
    return network


def normal(count: int, dim: int = 12, seed: int = 0) -> tf.Tensor:
    return tf.random.stateless_normal([count, dim], [seed, 3])


@pytest.mark.parametrize(("grid", "dim"), [(None, 1), (None, 7), ((1, 1, 2), 2), ((3, 5, 1), 15), ((4, 4, 2), 32)], ids=str)
def test_shapes_and_zeros_before_it_is_trained(grid: tuple[int, int, int] | None, dim: int) -> None:
    network = build_velocity(dim, grid, 0, 0)
    for count in (1, 3):
        np.testing.assert_array_equal(network([normal(count, dim), tf.fill([count, 1], 0.5)]), np.zeros((count, dim)))


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_code_time_and_label_all_count(grid: tuple[int, int, int] | None) -> None:
    network = stirred(grid, labels=2)
    u, half, label = normal(1), tf.fill([1, 1], 0.5), tf.constant([[1.0, 0.0]])
    usual = network([u, half, label]).numpy()
    for other in ([-u, half, label], [u, half + 0.1, label], [u, half, label[:, ::-1]], [u, half, 0 * label]):
        assert np.abs(network(other) - usual).max() > 1e-4


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_each_number_of_the_code_reaches_each_of_the_velocity(grid: tuple[int, int, int] | None) -> None:
    network, u = stirred(grid), tf.concat([normal(1), normal(1) + tf.eye(12)], axis=0)
    velocity = network([u, tf.fill([13, 1], 0.3)]).numpy()
    assert np.abs(velocity[1:] - velocity[0]).min() > 0


def test_weights_are_the_seeds() -> None:
    first, same, other = (build_velocity(12, (2, 3, 2), 0, seed).get_weights() for seed in (4, 4, 5))
    assert all((a == b).all() for a, b in zip(first, same))
    assert any((a != b).any() for a, b in zip(first, other))


def test_times_that_are_near_are_told_apart_and_far_ones_are_not_taken_for_another() -> None:
    times = tf.linspace(0.0, 1.0, 101)[:, tf.newaxis]
    waves = Waves()(times).numpy()
    assert waves.shape[1] <= CONDITION and np.abs(waves).max() <= 1
    apart = np.linalg.norm(waves[:, None] - waves[None], axis=2)
    assert apart[~np.eye(101, dtype=bool)].min() > 0.5
