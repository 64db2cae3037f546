"""The self-supervised network: what its features see, and that it stays the same."""

from __future__ import annotations

import logging
import math

import numpy as np
import pytest
import tensorflow as tf

from common.progress import LOGGER
from tests.components.digits import read_digits
from trainer.features.self_supervised import BATCH, DIMENSIONS, SelfSupervised, contrastive_loss, train
from trainer.metrics.distances import frechet_distance


@pytest.fixture(scope="module")
def network() -> SelfSupervised:
    """One that was trained on the first 1,000 digits."""
    return train(read_digits()[0][:1000], seed=0)


def test_features_have_the_scale_of_the_training_pictures(network: SelfSupervised) -> None:
    features = network.features(read_digits()[0][:1000])
    assert features.shape == (1000, DIMENSIONS) and features.dtype == np.float32
    assert features.var(axis=0).mean() == pytest.approx(1, rel=1e-3)
    assert np.abs(features.mean(axis=0)).max() < 1e-3


def test_digits_without_a_label_lie_by_what_they_show(network: SelfSupervised) -> None:
    pictures, labels = read_digits()
    features, labels = network.features(pictures), np.array(labels)
    distances = np.linalg.norm(features[1000:, np.newaxis] - features[:1000], axis=2)
    assert (labels[:1000][distances.argmin(axis=1)] == labels[1000:]).mean() > 0.8


def test_a_kind_that_is_missing_is_seen(network: SelfSupervised) -> None:
    pictures, labels = read_digits()
    held_out, real = network.features(pictures[1000:1390]), network.features(pictures[1400:1790])
    missing = network.features(pictures[1400:][np.array(labels[1400:]) != "0"])
    floor = frechet_distance(held_out, real)
    assert frechet_distance(held_out, missing) > 1.3 * floor


def test_the_same_pictures_and_seed_give_the_same_weights() -> None:
    pictures = read_digits()[0][:60]
    hashes = [train(pictures, seed).hash() for seed in (0, 0, 1)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_it_can_be_kept_in_a_file(network: SelfSupervised) -> None:
    pictures = read_digits()[0][:20]
    read = SelfSupervised.from_bytes(network.to_bytes(), (8, 8, 1))
    assert read.hash() == network.hash()
    np.testing.assert_array_equal(read.features(pictures), network.features(pictures))


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(40, 24, 3), (5, 3, 1), (1, 1, 3), (64, 64, 3)])
def test_pictures_of_any_size(shape: tuple[int, int, int]) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (50, *shape)).astype(np.uint8)
    features = train(pictures, seed=0).features(pictures)
    assert features.shape == (50, DIMENSIONS) and np.isfinite(features).all()


def test_few_flat_pictures_do_no_harm() -> None:
    assert np.isfinite(train(np.full((3, 4, 4, 1), 7, np.uint8), seed=0).features(np.zeros((2, 4, 4, 1), np.uint8))).all()


def test_progress_is_reported_to_the_end(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOGGER):
        train(np.zeros((BATCH, 4, 4, 1), np.uint8), seed=0)
    progress = [record.progress for record in caplog.records]
    assert {one.step for one in progress} == {"features"} and len(progress) > 2
    assert progress[-1].done == progress[-1].total


def test_the_contrastive_loss_has_its_known_values() -> None:
    alike = tf.ones([4, 3])
    assert float(contrastive_loss(alike, alike)) == pytest.approx(math.log(7))
    apart = tf.eye(4)
    expected = -math.log(math.exp(5) / (math.exp(5) + 6))  # a cosine of 1 with the partner, of 0 with the six others
    assert float(contrastive_loss(apart, 2 * apart)) == pytest.approx(expected, rel=1e-5)
