"""How near a rebuilt picture is: known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trainer.metrics.pictures import PSNR_LIMIT, mse, psnr, ssim


def pictures(n: int, *shape: int, seed: int = 0) -> np.ndarray:
    """Pictures of noise, float32 [n, *shape] in [0, 1]."""
    return np.random.default_rng(seed).uniform(size=(n, *shape)).astype(np.float32)


def test_errors_are_those_of_each_picture() -> None:
    original = np.full((3, 4, 5, 1), 0.5, np.float32)
    rebuilt = original + np.array([0.0, 0.1, -0.5], np.float32)[:, None, None, None]
    np.testing.assert_allclose(mse(original, rebuilt), [0, 0.01, 0.25], rtol=1e-5)
    np.testing.assert_allclose(psnr(original, rebuilt), [PSNR_LIMIT, 20, 10 * math.log10(4)], rtol=1e-5)


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 20, 3), (11, 11, 1), (8, 8, 1), (6, 40, 3), (1, 1, 1)])
def test_likeness_of_any_size(shape: tuple[int, int, int]) -> None:
    original = pictures(5, *shape)
    np.testing.assert_allclose(ssim(original, original), np.ones(5), atol=1e-5)
    found = ssim(original, pictures(5, *shape, seed=1))
    assert found.shape == (5,) and (found < 0.99).all()


def test_likeness_falls_with_noise_and_is_lost_in_a_negative() -> None:
    ramp = np.tile(np.linspace(0, 1, 16, dtype=np.float32)[None, :, None], (1, 16, 1, 1))
    noise = pictures(1, 16, 16, 1) - 0.5
    found = [float(ssim(ramp, ramp + strength * noise)[0]) for strength in (0.0, 0.1, 0.3)]
    assert found[0] > found[1] > found[2]
    assert float(ssim(ramp, 1 - ramp)[0]) < 0


def test_likeness_of_even_pictures_is_the_formula() -> None:
    k = (0.01) ** 2
    found = ssim(np.full((1, 12, 12, 1), 0.2, np.float32), np.full((1, 12, 12, 1), 0.6, np.float32))
    assert found[0] == pytest.approx((2 * 0.2 * 0.6 + k) / (0.2**2 + 0.6**2 + k), abs=1e-3)
