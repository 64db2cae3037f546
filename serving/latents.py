"""Codes to decode: draws from the prior, interpolations and grids."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np

# The outermost cells of a grid are the 2.5 % and 97.5 % quantiles; training rarely reaches codes beyond them.
OUTERMOST = 0.025


def draw(count: int, latent_dim: int, seed: int) -> np.ndarray:
    """Draw codes from N(0, 1), float32 [count, latent_dim]. The same seed gives the same codes."""
    return np.random.default_rng(seed).standard_normal((count, latent_dim), np.float32)


def slerp(start: np.ndarray, end: np.ndarray, steps: int) -> np.ndarray:
    """Interpolate between two codes, float32 [d], along the sphere: float32 [steps, d], both ends included.

    A straight line would pass closer to the origin than samples of a Gaussian lie. Here, lengths change linearly instead
    (White 2016, "Sampling Generative Networks", section 2.1).

    Example:
        >>> slerp(np.array([1, 0], np.float32), np.array([0, 1], np.float32), 3).round(2)
        array([[1.  , 0.  ],
               [0.71, 0.71],
               [0.  , 1.  ]], dtype=float32)
    """
    t = np.linspace(0.0, 1.0, steps, dtype=np.float32)[:, np.newaxis]
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    straight = (1 - t) * start + t * end
    if min(lengths) == 0.0:
        return straight
    a, b = start / lengths[0], end / lengths[1]
    angle = np.arccos(np.clip(np.dot(a, b), -1.0, 1.0))
    if np.sin(angle) < 1e-3:  # The same direction, or opposite ones: no unique shortest path.
        return straight
    direction = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
    return (direction * ((1 - t) * lengths[0] + t * lengths[1])).astype(np.float32)


def at_precision(mean: np.ndarray, precision: Mapping[str, Sequence[float]]) -> tuple[np.ndarray, np.ndarray]:
    """Round codes, float32 [n, d], to the model's precision.

    Args:
        mean: The codes.
        precision: `step`, `centre` and `spread` by axis, as in model.json. Rounding to `step` adds as much variance as the
            posterior has. `centre` and `spread` are the Gaussian used to entropy-code whole numbers of steps.

    Returns:
        Whole numbers of steps, int64 [n, d], and the length of each code in bits, float64 [n].
    """
    step, centre, spread = (np.asarray(precision[name], np.float64) for name in ("step", "centre", "spread"))
    codes = np.round(mean / step).astype(np.int64)
    distance = np.abs(codes * step - centre) / spread  # by symmetry: small tails are exact, shares near 1 are not
    half = 0.5 * step / spread
    tail = np.vectorize(lambda at: 0.5 * math.erfc(at / math.sqrt(2)), otypes=[np.float64])
    share = tail(distance - half) - tail(distance + half)
    return codes, -np.log2(np.maximum(share, 1e-300)).sum(axis=1)


def quantile_grid(latent_dim: int, axes: tuple[int, int], steps: int) -> np.ndarray:
    """Return a grid of codes over two axes, at even quantiles of N(0, 1): each cell has the same share of the prior.

    The first axis increases to the right and the second one downward. All others are 0. Codes are float32 [steps * steps,
    latent_dim], row by row.
    """
    normal = NormalDist()
    values = [normal.inv_cdf(float(share)) for share in np.linspace(OUTERMOST, 1 - OUTERMOST, steps)]
    down, right = np.meshgrid(values, values, indexing="ij")
    codes = np.zeros((steps * steps, latent_dim), np.float32)
    codes[:, axes[0]], codes[:, axes[1]] = right.ravel(), down.ravel()
    return codes
