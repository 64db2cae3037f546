"""Sets of numbers of which it is known how well they can be told apart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from trainer.metrics.two_sample import accuracy_spread, two_sample_accuracy


def normal(seed: int, n: int, f: int = 8) -> np.ndarray:
    """Standard normal numbers, float64 [n, f]."""
    return np.random.default_rng(seed).normal(size=(n, f))


def test_one_distribution_cannot_be_told_apart() -> None:
    found = [two_sample_accuracy(normal(2 * i, 500), normal(2 * i + 1, 500)) for i in range(3)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.025)


@pytest.mark.parametrize("distance", [1.0, 2.5])
def test_two_normal_distributions_are_told_apart_as_well_as_they_can_be(distance: float) -> None:
    moved = normal(1, 800)
    moved[:, 0] += distance
    assert two_sample_accuracy(normal(0, 800), moved) == pytest.approx(norm.cdf(distance / 2), abs=0.04)


def test_another_spread_is_seen_too() -> None:
    assert two_sample_accuracy(normal(0, 800), 2 * normal(1, 800)) > 0.75


def test_equal_rows_cannot_be_told_apart() -> None:
    assert two_sample_accuracy(normal(0, 100), normal(0, 100)) == 0.5


def test_the_larger_set_has_no_weight() -> None:
    assert two_sample_accuracy(normal(0, 2000), normal(1, 300)) == pytest.approx(0.5, abs=0.06)


def test_the_same_seed_gives_the_same() -> None:
    sets = normal(0, 100), normal(1, 100) + 0.5
    assert two_sample_accuracy(*sets, seed=3) == two_sample_accuracy(*sets, seed=3)


def test_the_spread_is_that_of_other_sets() -> None:
    measured = np.array([two_sample_accuracy(normal(0, 200), normal(i, 200) + 0.5) for i in range(1, 7)])
    estimated = accuracy_spread(float(measured.mean()), 200)
    assert 0.3 * measured.std(ddof=1) < estimated < 3 * measured.std(ddof=1)


def test_rows_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        two_sample_accuracy(np.full((10, 2), np.nan), normal(0, 10, 2))
    with pytest.raises(ValueError, match="at least 3"):
        two_sample_accuracy(normal(0, 2), normal(1, 20))
