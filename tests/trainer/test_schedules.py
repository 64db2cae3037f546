"""Schedules against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from trainer.config import TrainingConfig
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


def weights(total: int, steps: int, **training: object) -> np.ndarray:
    """Weights of the KL divergence at the first steps of a training of `total`."""
    config = TrainingConfig(**training)
    return np.array([float(kl_weight(tf.constant(step), config, total)) for step in range(steps)])


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_kl_weight_rises_from_nearly_zero_and_stays(beta: float) -> None:
    found = weights(200, 200, beta=beta, kl_warmup_share=0.25)
    np.testing.assert_allclose(found, beta * np.minimum(1, (np.arange(200) + 1) / 50), rtol=1e-5)
    assert found[0] <= 0.02 * beta + 1e-9 and (found[50:] == beta).all()


@pytest.mark.parametrize("warmup", ["linear", "cyclical"])
def test_kl_weight_without_warmup_is_beta_from_the_first_step(warmup: str) -> None:
    assert set(weights(100, 101, beta=1.5, kl_warmup=warmup, kl_warmup_share=0.0)) == {1.5}


@pytest.mark.parametrize("cycles", [1, 2, 4])
def test_a_cyclical_weight_rises_again_and_again(cycles: int) -> None:
    found = weights(120, 120, beta=2.0, kl_warmup="cyclical", kl_cycles=cycles, kl_warmup_share=0.5)
    each = found.reshape(cycles, -1)
    assert (each == each[0]).all(), "all cycles are the same"
    steps = 120 // cycles
    np.testing.assert_allclose(each[0], 2.0 * np.minimum(1, (np.arange(steps) + 1) / (0.5 * steps)), rtol=1e-5)
    assert found[-1] == 2.0, "the last step is of the loss that was asked for"


def test_one_cycle_is_the_linear_warmup() -> None:
    options = {"beta": 3.0, "kl_warmup_share": 0.3}
    linear, once = (weights(70, 70, kl_warmup=kind, kl_cycles=1, **options) for kind in ("linear", "cyclical"))
    np.testing.assert_allclose(linear, once, rtol=1e-6)
    np.testing.assert_array_equal(weights(70, 70, kl_cycles=5, **options), linear, "cycles are of the cyclical one only")


@pytest.mark.parametrize(("total", "cycles"), [(1, 4), (3, 4), (10, 3), (1000, 7), (100_000, 4)])
def test_weights_are_between_nothing_and_beta_however_few_steps_there_are(total: int, cycles: int) -> None:
    found = weights(total, min(total, 2000), beta=1.0, kl_warmup="cyclical", kl_cycles=cycles, kl_warmup_share=0.5)
    assert (found > 0).all() and (found <= 1).all()
