"""The classifier: what it learns, what it takes, and that it stays the same."""

from __future__ import annotations

import numpy as np
import pytest

from components.feature_extractor.classifier import DIMENSIONS, LARGEST, Classifier, train
from tests.components.digits import read_digits
from trainer.features.network import shrink, smaller_shape


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Pictures, uint8 [1797, 8, 8, 1], and what they show, int32 [1797]."""
    pictures, labels = read_digits()
    return pictures, np.array(labels, np.int32)


@pytest.fixture(scope="module")
def classifier(digits: tuple[np.ndarray, np.ndarray]) -> Classifier:
    """One that was trained on the first 1,200 digits."""
    pictures, labels = digits
    return train(pictures[:1200], labels[:1200], seed=0)


def test_it_learns_what_it_has_not_seen(classifier: Classifier, digits: tuple[np.ndarray, np.ndarray]) -> None:
    pictures, labels = digits
    assert (classifier.predict(pictures[1200:]) == labels[1200:]).mean() > 0.85


def test_features_tell_labels_apart(classifier: Classifier, digits: tuple[np.ndarray, np.ndarray]) -> None:
    pictures, labels = digits
    features = classifier.features(pictures[1200:])
    assert features.shape == (597, DIMENSIONS) and features.dtype == np.float32
    assert (features >= 0).all()
    within = np.mean([features[labels[1200:] == label].var(axis=0).sum() for label in range(10)])
    assert within < 0.7 * features.var(axis=0).sum()


def test_the_same_pictures_and_seed_give_the_same_weights(digits: tuple[np.ndarray, np.ndarray]) -> None:
    pictures, labels = (values[:150] for values in digits)
    hashes = [train(pictures, labels, seed).hash() for seed in (0, 0, 1)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_it_can_be_kept_in_a_file(classifier: Classifier, digits: tuple[np.ndarray, np.ndarray]) -> None:
    read = Classifier.from_bytes(classifier.to_bytes(), (8, 8, 1))
    assert read.hash() == classifier.hash()
    np.testing.assert_array_equal(read.features(digits[0][:20]), classifier.features(digits[0][:20]))


@pytest.mark.parametrize("shape", [(40, 24, 3), (5, 3, 1), (1, 1, 3), (32, 32, 3)])
def test_pictures_of_any_size(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60, dtype=np.int32) % 3
    pictures = (rng.integers(0, 60, (60, *shape)) + 80 * labels[:, None, None, None]).astype(np.uint8)
    small = smaller_shape(shape, LARGEST)
    found = train(shrink(pictures, small).numpy(), labels, seed=0)
    assert (found.predict(pictures) == labels).mean() > 0.9
    np.testing.assert_array_equal(found.features(pictures), found.features(shrink(pictures, small).numpy()))
