"""What the distortions do to pictures."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import gaussian_filter

from tests.trainer import tiny
from trainer.features.distortions import DEALT, KINDS, blur, distort, shuffle_patches, turn, view

SEED = tf.constant([1, 2], tf.int32)


def pictures(shape: tuple[int, int, int] = (16, 16, 3), n: int = 16) -> tf.Tensor:
    """Noise, float32 [n, h, w, c] in [0, 1]."""
    return tf.constant(tiny.noise(0, n, *shape) / np.float32(255))


def test_each_kind_is_applied_to_its_share() -> None:
    given = pictures()
    distorted, kinds = distort(given, SEED)
    assert kinds.tolist() == [kind for kind in DEALT for _ in range(2)] and max(kinds) == len(KINDS) - 1
    change = np.abs(distorted - given).mean(axis=(1, 2, 3))
    assert (change[kinds == 0] < 1e-6).all() and (change[kinds > 0] > 0.01).all()
    assert (change[kinds == KINDS.index("strong noise")] > change[kinds == KINDS.index("weak noise")]).all()
    np.testing.assert_allclose(distorted * 255, np.round(distorted * 255), atol=1e-4)
    assert distorted.numpy().min() >= 0 and distorted.numpy().max() <= 1


def test_the_same_seed_distorts_alike() -> None:
    first, again = (distort(pictures(), SEED)[0].numpy() for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (distort(pictures(), tf.constant([1, 3], tf.int32))[0].numpy() != first).any()


def test_blur_is_that_of_a_gaussian() -> None:
    sigma = np.array([0.7, 1.5], np.float32).reshape(2, 1, 1, 1)
    given = pictures((24, 20, 1), 2)
    for made, picture, one in zip(blur(given, tf.constant(sigma)).numpy(), given.numpy(), sigma.ravel()):
        expected = gaussian_filter(picture, (one, one, 0), truncate=8)
        np.testing.assert_allclose(made[8:-8, 8:-8], expected[8:-8, 8:-8], atol=1e-3)


@pytest.mark.parametrize("shape", [(16, 16, 3), (18, 13, 1), (3, 2, 1), (1, 1, 3)])
def test_shuffling_moves_whole_patches(shape: tuple[int, int, int]) -> None:
    given = pictures(shape, 4).numpy()
    shuffled = shuffle_patches(tf.constant(given), SEED).numpy()
    np.testing.assert_array_equal(np.sort(shuffled.reshape(4, -1)), np.sort(given.reshape(4, -1)))
    if shape[0] == 16:
        patches = [
            {x[i : i + 4, j : j + 4].tobytes() for i in range(0, 16, 4) for j in range(0, 16, 4)} for x in (given[0], shuffled[0])
        ]
        assert patches[0] == patches[1] and (given[0] != shuffled[0]).any()


def test_turns_are_named() -> None:
    given = pictures((8, 8, 1), 8)
    turned, turns = turn(given)
    assert turns.tolist() == [0, 1, 2, 3] * 2
    for one, picture, k in zip(turned.numpy(), given.numpy(), turns):
        np.testing.assert_array_equal(one, np.rot90(picture, k))
    turned, turns = turn(pictures((8, 6, 1), 8))
    assert turns.tolist() == [0, 2, 0, 2] * 2 and turned.shape == (8, 8, 6, 1)


def test_views_of_a_picture_are_more_alike_than_pictures() -> None:
    smooth = blur(pictures((32, 32, 3), 16), tf.constant(4.0))
    smooth = (smooth - tf.reduce_min(smooth)) / (tf.reduce_max(smooth) - tf.reduce_min(smooth))
    first, second = (view(smooth, tf.constant([i, 0], tf.int32)).numpy() for i in (1, 2))
    assert first.shape == (16, 32, 32, 3) and (first != second).any()
    own = np.abs(first - second).mean()
    other = np.abs(first - np.roll(second, 1, axis=0)).mean()
    assert own < other
