"""Schedules against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from trainer.schedules import WarmupCosine, kl_weight


def rates(schedule: WarmupCosine, steps: int) -> np.ndarray:
    return np.array([float(schedule(tf.constant(step, tf.int64))) for step in range(steps)])


@pytest.mark.parametrize(("total", "warmup"), [(40, 8), (40, 1), (7, 3), (5, 5), (1, 1)])
def test_learning_rate_rises_and_falls_as_numpy_says(total: int, warmup: int) -> None:
    expected = []
    for step in range(total + 3):
        progress = min(max((step - warmup) / max(total - warmup, 1), 0), 1)
        falling = 0.5 * (1 + np.cos(np.pi * progress))
        expected.append(1e-3 * ((step + 1) / warmup if step < warmup else falling))
    found = rates(WarmupCosine(1e-3, total, warmup), total + 3)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert found[: min(warmup, total)].max() == pytest.approx(1e-3)
    assert (found[:total] > 0).all(), "every step of the run moves the weights"


def test_learning_rate_has_one_peak_and_ends_at_zero() -> None:
    found = rates(WarmupCosine(2e-3, 100, 10), 101)
    assert found.max() == pytest.approx(2e-3) and found[100] == pytest.approx(0, abs=1e-10)
    assert (np.diff(found[:10]) > 0).all() and (np.diff(found[10:]) < 0).all()


def test_schedule_is_rebuilt_from_its_config() -> None:
    schedule = WarmupCosine(1e-3, 40, 8)
    np.testing.assert_array_equal(rates(WarmupCosine.from_config(schedule.get_config()), 40), rates(schedule, 40))


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_kl_weight_rises_from_nearly_zero_and_stays(beta: float) -> None:
    found = np.array([float(kl_weight(tf.constant(step), beta, 50)) for step in range(80)])
    np.testing.assert_allclose(found, beta * np.minimum(1, (np.arange(80) + 1) / 50), rtol=1e-6)
    assert found[0] <= 0.02 * beta and (found[49:] == beta).all()


def test_kl_weight_without_warmup_is_beta_from_the_first_step() -> None:
    assert [float(kl_weight(tf.constant(step), 1.5, 0)) for step in (0, 1, 100)] == [1.5, 1.5, 1.5]
