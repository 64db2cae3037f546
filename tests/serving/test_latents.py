"""Codes drawn, walked and laid on a grid."""

from __future__ import annotations

import numpy as np

from serving.latents import draw, quantile_grid, slerp


def test_a_walk_stays_on_the_sphere() -> None:
    start, end = draw(2, 16, seed=3)
    walk = slerp(start, end, 9)
    assert walk.dtype == np.float32
    np.testing.assert_allclose(walk[[0, -1]], [start, end], atol=1e-6)
    lengths = np.linalg.norm(walk, axis=1)
    np.testing.assert_allclose(lengths, np.linspace(lengths[0], lengths[-1], 9), rtol=1e-5)


def test_a_walk_without_an_angle_is_straight() -> None:
    one = np.ones(4, np.float32)
    for end in (np.zeros(4, np.float32), one, 2 * one, -one):
        np.testing.assert_allclose(slerp(one, end, 3)[1], (one + end) / 2, atol=1e-6)


def test_draws_depend_on_the_seed() -> None:
    np.testing.assert_array_equal(draw(2, 4, seed=1), draw(2, 4, seed=1))
    assert not np.array_equal(draw(2, 4, seed=1), draw(2, 4, seed=2))


def test_a_grid_spans_two_axes_evenly_in_probability() -> None:
    codes = quantile_grid(5, (3, 1), 4).reshape(4, 4, 5)
    assert codes.dtype == np.float32
    assert not codes[..., [0, 2, 4]].any()
    assert (np.diff(codes[..., 3], axis=1) > 0).all() and (np.diff(codes[..., 3], axis=0) == 0).all()
    assert (np.diff(codes[..., 1], axis=0) > 0).all() and (np.diff(codes[..., 1], axis=1) == 0).all()
    np.testing.assert_allclose(codes[0, [0, -1], 3], [-1.95996, 1.95996], rtol=1e-5)
