"""Distances between sets of features: known answers, and what they must and must not notice."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.metrics import distances
from trainer.metrics.distances import (
    frechet_distance,
    frechet_spread,
    kernel_distance,
    label_divergence,
    precision_recall_density_coverage,
)


def draws(n: int, f: int = 8, seed: int = 0) -> np.ndarray:
    """Standard normal features, float32 [n, f]."""
    return np.random.default_rng(seed).standard_normal((n, f)).astype(np.float32)


def modes(n: int, which: tuple[int, ...], seed: int) -> np.ndarray:
    """Features of far-apart kinds in turn, float32 [n, 4]: those of `which`."""
    centres = 30 * np.eye(4, dtype=np.float32)
    return draws(n, 4, seed) + centres[np.resize(which, n)]


def with_moments(features: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Features moved so that their mean and covariance are exactly these."""
    features = features.astype(np.float64) - features.mean(axis=0)
    white = features @ np.linalg.inv(np.linalg.cholesky(np.cov(features, rowvar=False)).T)
    return mean + white @ np.linalg.cholesky(covariance).T


def test_frechet_distance_of_gaussians_with_a_known_answer() -> None:
    first = with_moments(draws(500, 3), np.zeros(3), np.diag([1.0, 4.0, 9.0]))
    second = with_moments(draws(400, 3, seed=1), np.array([1.0, 2.0, 0.0]), np.diag([4.0, 4.0, 1.0]))
    assert frechet_distance(first, second) == pytest.approx(5 + 1 + 0 + 4)  # |m|^2 + sum of squared differences of deviations


def test_frechet_distance_of_covariances_that_do_not_commute() -> None:
    covariances = np.array([[[2.0, 1.0], [1.0, 2.0]], [[3.0, -1.0], [-1.0, 1.0]]])
    sets = [with_moments(draws(300, 2, seed), np.zeros(2), covariance) for seed, covariance in enumerate(covariances)]
    eigenvalues = np.linalg.eigvals(covariances[0] @ covariances[1])  # the textbook form of tr (C1 C2)^(1/2)
    expected = covariances.trace(axis1=1, axis2=2).sum() - 2 * np.sqrt(eigenvalues).sum()
    assert frechet_distance(*sets) == pytest.approx(expected.real)


def test_frechet_distance_is_a_distance() -> None:
    first, second = draws(60, 40), 1.5 * draws(50, 40, seed=1) + 0.2  # hardly more pictures than features
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(first, second) == pytest.approx(frechet_distance(second, first))
    assert frechet_distance(first, second) > frechet_distance(first, draws(50, 40, seed=1)) > 0


def test_frechet_distance_where_features_are_dead_or_fewer_pictures_than_features() -> None:
    dead = draws(20, 64) * (np.arange(64) < 5)
    assert frechet_distance(dead, dead) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(np.zeros((9, 3)), np.ones((4, 3))) == pytest.approx(3)
    assert frechet_distance(np.zeros((9, 1)), np.ones((4, 1))) == pytest.approx(1)


def test_kernel_distance_of_one_distribution_is_around_0_and_of_either_sign() -> None:
    means = [kernel_distance(draws(200, seed=2 * i), draws(200, seed=2 * i + 1), subsets=5).mean for i in range(40)]
    assert min(means) < 0 < max(means)
    assert abs(np.mean(means)) < 3 * np.std(means) / np.sqrt(len(means))


def test_kernel_distance_grows_with_the_difference() -> None:
    first = draws(600)
    found = [kernel_distance(first, draws(500, seed=1) + shift).mean for shift in (0.0, 0.5, 1.0)]
    assert found[0] < found[1] < found[2]


def test_the_spread_of_the_frechet_distance_is_that_of_other_sets() -> None:
    first = draws(300)
    found = [frechet_distance(first, draws(300, seed=i) + 0.3) for i in range(1, 101)]
    estimates = [frechet_spread(first, draws(300, seed=i) + 0.3) for i in range(1, 6)]
    assert np.mean(estimates) == pytest.approx(np.std(found), rel=0.3)
    assert frechet_spread(first, first[:4]) > 0


def test_label_divergence_has_its_known_values() -> None:
    assert label_divergence(np.array([0, 1, 2, 2]), np.repeat([0, 1, 2], [10, 10, 20])) == pytest.approx(0, abs=1e-9)
    assert label_divergence(np.array([0, 0]), np.array([3])) == pytest.approx(1)
    half = label_divergence(np.array([0, 1]), np.array([0, 0]))  # of (1/2, 1/2) and (1, 0), whose mean is (3/4, 1/4)
    assert half == pytest.approx(0.5 * (0.5 * np.log2(2 / 3) + 0.5 * np.log2(2)) + 0.5 * np.log2(4 / 3))


def test_kernel_distance_is_the_unbiased_estimate() -> None:
    first, second = draws(4, 2), draws(4, 2, seed=1)
    kernel = lambda a, b: (float(a @ b) / 2 + 1) ** 3
    rng = np.random.default_rng(7)
    i, j = (rng.choice(4, 2, replace=False) for _ in range(2))
    within = kernel(*first[i]) + kernel(*second[j])
    across = sum(kernel(a, b) for a in first[i] for b in second[j]) / 4
    found = kernel_distance(first, second, seed=7, subsets=1)
    assert found.mean == pytest.approx(within - 2 * across, rel=1e-5)
    assert found.spread == 0


def test_kernel_distance_is_the_same_for_the_same_seed() -> None:
    sets = draws(100), draws(100, seed=1)
    assert kernel_distance(*sets, seed=3) == kernel_distance(*sets, seed=3) != kernel_distance(*sets, seed=4)
    assert kernel_distance(*sets).spread > 0


def test_all_four_are_about_1_for_one_distribution() -> None:
    found = precision_recall_density_coverage(draws(1000), draws(1000, seed=1))
    assert found.precision == pytest.approx(1, abs=0.06) and found.recall == pytest.approx(1, abs=0.06)
    assert found.density == pytest.approx(1, abs=0.08)
    assert found.coverage == pytest.approx(1 - 2**-5, abs=0.04)  # its expectation for k = 5 (Naeem et al. 2020)


def test_all_four_are_0_for_pictures_from_elsewhere() -> None:
    assert precision_recall_density_coverage(draws(200), draws(200, seed=1) + 50) == (0, 0, 0, 0)


def test_dropped_modes_cost_recall_and_coverage_but_no_precision() -> None:
    real = modes(800, (0, 1, 2, 3), 0)
    found = precision_recall_density_coverage(real, modes(800, (0, 1), 1))
    assert found.precision > 0.9 and found.density > 0.9
    assert found.recall < 0.55 and found.coverage < 0.55


def test_made_up_modes_cost_precision_but_no_recall() -> None:
    found = precision_recall_density_coverage(modes(800, (0, 1), 0), modes(800, (0, 1, 2, 3), 1))
    assert found.recall > 0.9
    assert found.precision < 0.55 and found.density < 0.6


def test_one_and_the_same_picture_over_and_over() -> None:
    found = precision_recall_density_coverage(draws(200), np.repeat(draws(1, seed=1), 200, axis=0))
    assert found.recall == 0 and found.coverage < 0.2


def test_identical_pictures_are_at_no_distance_however_far_from_0_features_lie() -> None:
    same = np.repeat(draws(10).astype(np.float64) + 1e4, 10, axis=0)  # every ball has a radius of 0
    found = precision_recall_density_coverage(same, same)
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = draws(150), draws(120, seed=1)
    whole = precision_recall_density_coverage(*sets)
    monkeypatch.setattr(distances, "BLOCK_BYTES", 5000)
    assert precision_recall_density_coverage(*sets) == pytest.approx(whole)


def test_fewer_pictures_than_neighbours() -> None:
    found = precision_recall_density_coverage(draws(3), draws(2, seed=1))
    assert all(np.isfinite(found))


@pytest.mark.parametrize("measure", [frechet_distance, kernel_distance, precision_recall_density_coverage])
@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (draws(5), draws(1), "at least 2 pictures"),
        (draws(5), draws(5, f=3), "same f"),
        (draws(5), draws(5).ravel(), "same f"),
        (draws(5), draws(5) * np.float32(np.nan), "finite"),
    ],
)
def test_what_cannot_be_measured_is_told(measure, first: np.ndarray, second: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        measure(first, second)
