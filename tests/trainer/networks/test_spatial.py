"""The spatial pair: patches, shared weights, a code with numbers for each place."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.tiny import MODEL
from trainer.networks import spatial
from trainer.networks.shared import Networks

CONFIG = dataclasses.replace(MODEL, network="spatial", width=8, latent_channels=2, blocks=1)


def build(shape: tuple[int, int, int], **model: object) -> Networks:
    keras.utils.set_random_seed(0)
    config = dataclasses.replace(CONFIG, **model)
    return spatial.build(config, shape, 3, np.zeros(int(np.prod(shape[:2])) * 3, np.float32), labels=0)


@pytest.mark.parametrize("shape", [(8, 8, 3), (7, 10, 1), (1, 1, 3), (4, 3, 1)], ids=str)
@pytest.mark.parametrize("patch", [1, 2, 4])
def test_patches_there_and_back_are_the_picture(shape: tuple[int, int, int], patch: int) -> None:
    picture = tf.random.stateless_uniform([2, *shape], [0, 0])
    patches = spatial.ToPatches(patch)(picture)
    assert patches.shape == (2, *spatial.grid_of(patch, shape), patch * patch * shape[2])
    np.testing.assert_array_equal(spatial.FromPatches(patch, shape[:2])(patches), picture)


def test_where_a_side_is_no_multiple_of_a_patch_the_last_pixels_are_repeated() -> None:
    picture = tf.reshape(tf.range(6.0), [1, 2, 3, 1])
    covered = tf.nn.depth_to_space(spatial.ToPatches(4)(picture), 4)[0, ..., 0].numpy()
    np.testing.assert_array_equal(covered, [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [3, 4, 5, 5]])


@pytest.mark.parametrize(
    ("shape", "patch", "dim"), [((32, 32, 3), 4, 128), ((28, 28, 1), 4, 98), ((64, 48, 3), 8, 96), ((5, 7, 3), 4, 8)]
)
def test_a_code_has_so_many_numbers_for_each_place(shape: tuple[int, int, int], patch: int, dim: int) -> None:
    assert spatial.latent_dim(dataclasses.replace(CONFIG, patch=patch), shape) == dim
    assert build(shape, patch=patch).decoder.input_shape == (None, dim)


def test_a_large_picture_takes_no_more_weights_than_a_small_one_but_for_its_mean() -> None:
    small, large = (build(shape) for shape in ((8, 8, 3), (64, 64, 3)))
    assert small.encoder.count_params() == large.encoder.count_params()
    assert large.decoder.count_params() - small.decoder.count_params() == (64 * 64 - 8 * 8) * 3


def test_weights_are_shared_over_the_grid() -> None:
    """A picture that is moved by a patch has the same code, moved by a place: away from the edges, where convolutions see zeros."""
    encoder = build((40, 40, 3)).encoder
    picture = tf.random.stateless_uniform([1, 44, 44, 3], [1, 1])
    before, after = (tf.reshape(encoder(picture[:, at : at + 40, at : at + 40])[0], [10, 10, 2]).numpy() for at in (0, 4))
    np.testing.assert_allclose(before[3:8, 3:8], after[2:7, 2:7], atol=1e-6)
    assert np.abs(before[3:8, 3:8] - after[3:8, 3:8]).max() > 1e-3
