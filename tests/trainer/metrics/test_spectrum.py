"""Frequencies of pictures whose frequencies are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tests.trainer import tiny
from trainer.metrics.spectrum import high_frequency_power, pixel_statistics


def waves(frequency: float, side: int = 32) -> np.ndarray:
    """A grey picture of upright waves of so many cycles per pixel, uint8 [1, side, side, 1]."""
    row = 127.5 + 100 * np.cos(2 * np.pi * frequency * (np.arange(side) + 0.5))
    return np.broadcast_to(row, (side, side)).round().astype(np.uint8)[np.newaxis, ..., np.newaxis]


@pytest.mark.parametrize(("frequency", "share"), [(0.125, 0.0), (0.1875, 0.0), (0.3125, 1.0), (0.4375, 1.0)])
def test_only_fast_waves_are_high_frequencies(frequency: float, share: float) -> None:
    variance = 0.5 * (100 / 255) ** 2
    assert high_frequency_power(waves(frequency))[0] == pytest.approx(share * variance, rel=0.02, abs=1e-4)


def test_noise_has_power_at_all_frequencies_alike() -> None:
    levels = np.random.default_rng(0).normal(128, 20, (50, 32, 32, 1)).round().astype(np.uint8)
    rows, columns = np.meshgrid(np.arange(32) / 64, np.arange(32) / 64)
    expected = (20 / 255) ** 2 * (np.hypot(rows, columns) >= 0.25).mean()
    assert high_frequency_power(levels).mean() == pytest.approx(expected, rel=0.03)
    logs = pixel_statistics(levels)[:, 1:].mean(axis=0)
    assert logs == pytest.approx(np.log((20 / 255) ** 2), abs=0.2)


def test_a_gradient_has_no_detail_at_its_borders() -> None:
    ramp = np.linspace(0, 255, 32).round().astype(np.uint8)
    assert high_frequency_power(np.broadcast_to(ramp, (32, 32))[np.newaxis, ..., np.newaxis])[0] < 1e-4


def test_blur_takes_a_known_share() -> None:
    sharp = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3)).astype(np.uint8)
    blurred = gaussian_filter(sharp.astype(np.float32), (0, 1, 1, 0)).round().astype(np.uint8)
    assert high_frequency_power(blurred).mean() < 0.09 * high_frequency_power(sharp).mean()


def test_a_colors_noise_is_told_from_that_of_brightness() -> None:
    rng = np.random.default_rng(0)
    grey = np.repeat(rng.integers(0, 256, (10, 16, 16, 1)), 3, axis=3).astype(np.uint8)
    color = grey.copy()
    color[..., 2] = rng.integers(0, 256, (10, 16, 16))
    statistics = [pixel_statistics(pictures).mean(axis=0) for pictures in (grey, color)]
    # Means, then for each group of frequencies the three planes: B - Y is flat in grey pictures.
    assert (statistics[0][5::3] < statistics[1][5::3] - 3).all()


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 3, 1), (2, 2, 1), (8, 8, 1), (7, 40, 4)])
def test_pictures_of_any_size(shape: tuple[int, int, int]) -> None:
    pictures = tiny.noise(0, 4, *shape)
    statistics, power = pixel_statistics(pictures), high_frequency_power(pictures)
    assert np.isfinite(statistics).all() and statistics.shape[0] == 4 and statistics.dtype == np.float32
    assert power.shape == (4,) and ((power > 0).all() or shape[:2] == (1, 1))


def test_flat_pictures_have_finite_statistics() -> None:
    assert np.isfinite(pixel_statistics(np.zeros((3, 8, 8, 1), np.uint8))).all()
