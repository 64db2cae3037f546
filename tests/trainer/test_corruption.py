"""How pictures are spoilt."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from trainer.corruption import KINDS, corrupt, corrupt_variously

SEED = tf.constant([1, 2])
GREY = np.random.default_rng(0).uniform(0.3, 0.7, (60, 20, 20, 3)).astype(np.float32)
PIXELS = 60 * 20 * 20
SPOILING = sorted(set(KINDS) - {"none"})


def spoilt(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Where a picture is not what it was, bool of their shape."""
    return after != before


def within(share: float, expected: float, count: int) -> bool:
    """Whether a share of so many draws is what chance makes of the one expected."""
    return stats.binomtest(round(share * count), count, expected).pvalue > 1e-4


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_masking_makes_a_share_of_the_pixels_black(level: float) -> None:
    after = corrupt(GREY, "masking", level, SEED).numpy()
    black = (after == 0).all(axis=-1)
    assert within(black.mean(), level, PIXELS)
    np.testing.assert_array_equal(after[~black], GREY[~black])


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_salt_and_pepper_are_a_share_and_half_of_each(level: float) -> None:
    after = corrupt(GREY, "salt_and_pepper", level, SEED).numpy()
    changed = spoilt(GREY, after).all(axis=-1)
    assert within(changed.mean(), level, PIXELS)
    assert set(np.unique(after[changed])) == {0.0, 1.0}
    assert within((after[changed] == 1).all(axis=-1).mean(), 0.5, changed.sum())
    np.testing.assert_array_equal(after[~changed], GREY[~changed])


@pytest.mark.parametrize("kind", ["masking", "salt_and_pepper"])
def test_a_pixels_channels_go_together(kind: str) -> None:
    changed = spoilt(GREY, corrupt(GREY, kind, 0.4, SEED).numpy())
    assert (changed.any(axis=-1) == changed.all(axis=-1)).all()


@pytest.mark.parametrize("kind", ["masking", "salt_and_pepper"])
def test_places_have_no_pattern(kind: str) -> None:
    changed = spoilt(GREY, corrupt(GREY, kind, 0.4, SEED).numpy())[..., 0].astype(float) - 0.4
    for neighbour in (np.roll(changed, 1, axis=axis) for axis in (0, 1, 2)):
        assert abs((changed * neighbour).mean() / 0.24) < 4 * PIXELS**-0.5


@pytest.mark.parametrize("level", [0.02, 0.05])
def test_noise_is_gaussian_and_of_each_value_alone(level: float) -> None:
    noise = (corrupt(GREY, "gaussian", level, SEED).numpy() - GREY).astype(float)
    assert stats.kstest(noise.ravel() / level, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 4 * PIXELS**-0.5


@pytest.mark.parametrize("kind", SPOILING)
@pytest.mark.parametrize("level", [0.3, 1.0])
def test_what_comes_out_is_a_picture(kind: str, level: float) -> None:
    pictures = np.random.default_rng(0).random((20, 5, 4, 1)).astype(np.float32)
    after = corrupt(pictures, kind, level, SEED)
    assert after.dtype == tf.float32 and after.shape == pictures.shape
    assert after.numpy().min() >= 0 and after.numpy().max() <= 1
    assert spoilt(pictures, after.numpy()).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_at_level_0_pictures_are_left_alone(kind: str) -> None:
    np.testing.assert_array_equal(corrupt(GREY, kind, 0.0, SEED), GREY)
    np.testing.assert_array_equal(corrupt_variously(GREY, kind, 0.0, SEED), GREY)


def test_at_level_1_nothing_is_left() -> None:
    assert not corrupt(GREY, "masking", 1.0, SEED).numpy().any()
    assert set(np.unique(corrupt(GREY, "salt_and_pepper", 1.0, SEED))) == {0.0, 1.0}


@pytest.mark.parametrize("kind", SPOILING)
def test_each_picture_may_have_a_level_of_its_own(kind: str) -> None:
    levels = np.linspace(0, 0.9, len(GREY)).astype(np.float32)
    after = corrupt(GREY, kind, levels, SEED).numpy()
    off = np.abs(after - GREY).mean(axis=(1, 2, 3))
    assert off[0] == 0 and stats.spearmanr(off, levels)[0] > 0.95


def test_levels_are_even_between_none_and_the_most() -> None:
    grey = np.full((3000, 10, 10, 1), 0.5, np.float32)
    shares = (corrupt_variously(grey, "masking", 0.6, SEED).numpy() == 0).mean(axis=(1, 2, 3))
    assert shares.mean() == pytest.approx(0.3, abs=0.01) and shares.max() < 0.85
    assert stats.kstest(shares / 0.6, "uniform").statistic < 0.06, "blurred by 100 pixels, no more"


@pytest.mark.parametrize("kind", SPOILING)
@pytest.mark.parametrize("function", [corrupt, corrupt_variously])
def test_seeds_decide(kind: str, function: object) -> None:
    once, again, other = (function(GREY, kind, 0.5, tf.constant(seed)).numpy() for seed in ([1, 2], [1, 2], [1, 3]))
    np.testing.assert_array_equal(once, again)
    assert spoilt(once, other).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("kind", SPOILING)
def test_pictures_of_a_batch_are_spoilt_differently(kind: str) -> None:
    alike = np.repeat(GREY[:1], 30, axis=0)
    assert len(np.unique(corrupt(alike, kind, 0.5, SEED).numpy().reshape(30, -1), axis=0)) == 30


@pytest.mark.parametrize("kind", KINDS)
def test_in_a_graph_it_is_the_same(kind: str) -> None:
    graph = tf.function(lambda x, seed: corrupt_variously(x, kind, 0.5, seed))
    np.testing.assert_allclose(graph(GREY, SEED), corrupt_variously(GREY, kind, 0.5, SEED), atol=1e-6)


def test_an_unknown_kind_is_told_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="unknown corruption 'rain'.*none, gaussian, masking, salt_and_pepper"):
        corrupt(GREY, "rain", 0.5, SEED)
