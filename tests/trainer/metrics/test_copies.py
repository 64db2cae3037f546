"""Near-copies of pictures, and what only looks like them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from trainer.metrics.copies import QUANTILE, RATIO, near_copies, nearest_neighbors, nearest_pictures


@pytest.fixture(scope="module")
def training() -> np.ndarray:
    """Smooth random pictures, uint8 [200, 16, 16, 3]."""
    smooth = gaussian_filter(np.random.default_rng(0).normal(size=(200, 16, 16, 3)), (0, 2, 2, 0))
    return np.clip(128 + 400 * smooth, 0, 255).astype(np.uint8)


def everything(pictures: np.ndarray, training: np.ndarray) -> np.ndarray:
    """All training pictures as candidates."""
    return np.broadcast_to(np.arange(len(training)), (len(pictures), len(training)))


def test_neighbors_are_those_of_brute_force() -> None:
    rng = np.random.default_rng(0)
    queries, references = (rng.normal(size=(n, 5)).astype(np.float32) for n in (30, 70))
    references[7] = queries[3]
    distances = np.linalg.norm(queries[:, np.newaxis] - references, axis=2)
    indices, found = nearest_neighbors(queries, references, 4)
    np.testing.assert_array_equal(indices, np.argsort(distances, axis=1)[:, :4])
    np.testing.assert_allclose(found, np.sort(distances, axis=1)[:, :4], rtol=1e-5)
    assert indices[3, 0] == 7 and found[3, 0] == 0
    assert nearest_neighbors(queries, references[:2], 4)[0].shape == (30, 2)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x,
        lambda x: x[:, :, ::-1],
        lambda x: np.concatenate([x[:, 1:], x[:, -1:]], axis=1),
        lambda x: np.concatenate([x[:, :, 1:], x[:, :, -1:]], axis=2)[:, :, ::-1],
        lambda x: ((x[:, :, 1:].astype(int) + x[:, :, :-1])[:, :, [*range(15), 14]] // 2).astype(np.uint8),
        lambda x: np.clip(x + np.random.default_rng(1).normal(0, 4, x.shape), 0, 255).astype(np.uint8),
    ],
    ids=["as it is", "mirrored", "moved down", "moved and mirrored", "moved by half a pixel", "with noise"],
)
def test_copies_are_found(change, training: np.ndarray) -> None:
    copies = change(training[20:40])
    found = nearest_pictures(copies, training, everything(copies, training))
    np.testing.assert_array_equal(found.index, np.arange(20, 40))
    assert (found.relative < RATIO).all()


def test_other_pictures_and_fog_are_no_copies(training: np.ndarray) -> None:
    fog = np.stack([training[i : i + 20].mean(axis=0) for i in range(30)]).astype(np.uint8)
    for pictures in (training[:40], fog):
        found = nearest_pictures(pictures, training[40:], everything(pictures, training[40:]))
        assert (found.relative > 0.6).all()


def test_a_picture_named_twice_is_no_second_neighbor(training: np.ndarray) -> None:
    candidates = np.array([[5, 5, 5, 9, 30]])
    found = nearest_pictures(training[5:6], training, candidates)
    assert found.index[0] == 5 and found.relative[0] == 0


def test_only_what_is_nearer_than_held_out_pictures_is_a_copy() -> None:
    spread = np.linspace(0.5, 1, 100)
    assert near_copies(np.array([0.0, 0.3, 0.34, 0.9]), spread).copied.tolist() == [True, True, False, False]
    # Families: a tenth of the held-out pictures has a twin, then more than half.
    family = np.concatenate([np.full(10, 0.1), spread[10:]])
    judged = near_copies(np.concatenate([np.zeros(50), family[::2]]), family)
    assert judged.bound == RATIO and judged.floor == pytest.approx(0.1) and judged.copied.mean() > 5 * judged.floor
    twins = np.concatenate([np.linspace(0, 0.3, 60), spread[60:]])
    judged = near_copies(twins, twins)
    assert judged.floor == pytest.approx(QUANTILE, abs=0.01) and judged.copied.mean() == judged.floor
