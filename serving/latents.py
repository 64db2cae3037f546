"""Codes to decode: drawn, on the way between two, or on a grid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np

# The outermost cells of a grid stand for the 2.5 % and the 97.5 % quantile; the model has seen little beyond them.
OUTERMOST = 0.025


def draw(count: int, latent_dim: int, seed: int) -> np.ndarray:
    """Draws codes from N(0, 1), float32 [count, latent_dim]; the same seed gives the same codes."""
    return np.random.default_rng(seed).standard_normal((count, latent_dim), np.float32)


def slerp(start: np.ndarray, end: np.ndarray, steps: int) -> np.ndarray:
    """Walks along the sphere from one code to another.

    A straight line would pass nearer the origin than codes of a Gaussian ever lie; lengths change evenly instead
    (White 2016, "Sampling Generative Networks", section 2.1).

    Args:
        start: float32 [d].
        end: float32 [d].
        steps: How many codes, the two ends included.

    Returns:
        float32 [steps, d].
    """
    t = np.linspace(0.0, 1.0, steps, dtype=np.float32)[:, np.newaxis]
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    straight = (1 - t) * start + t * end
    if min(lengths) == 0.0:
        return straight
    a, b = start / lengths[0], end / lengths[1]
    angle = np.arccos(np.clip(np.dot(a, b), -1.0, 1.0))
    if np.sin(angle) < 1e-3:  # The same direction, or the opposite one, to which no way is the shortest.
        return straight
    direction = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
    return (direction * ((1 - t) * lengths[0] + t * lengths[1])).astype(np.float32)


def at_precision(mean: np.ndarray, precision: Mapping[str, Sequence[float]]) -> tuple[np.ndarray, np.ndarray]:
    """Rounds codes as coarsely as the model knows them, and tells how long they are then.

    Args:
        mean: float32 [n, d].
        precision: `step`, `centre` and `spread` by axis, as model.json holds them: rounding to `step` adds as much variance as
            the posterior has; `centre` and `spread` are the Gaussian by which whole numbers of steps are entropy-coded.

    Returns:
        Whole numbers of steps, int64 [n, d], and each code's length in bits, float64 [n].
    """
    step, centre, spread = (np.asarray(precision[name], np.float64) for name in ("step", "centre", "spread"))
    codes = np.round(mean / step).astype(np.int64)
    distance = np.abs(codes * step - centre) / spread  # by symmetry: small tails are told exactly, shares near 1 are not
    half = 0.5 * step / spread
    tail = np.vectorize(lambda at: 0.5 * math.erfc(at / math.sqrt(2)), otypes=[np.float64])
    share = tail(distance - half) - tail(distance + half)
    return codes, -np.log2(np.maximum(share, 1e-300)).sum(axis=1)


def quantile_grid(latent_dim: int, axes: tuple[int, int], steps: int) -> np.ndarray:
    """Codes on a grid over two axes at even quantiles of N(0, 1): each cell stands for the same share of the prior.

    Args:
        latent_dim: Length of a code.
        axes: The axis that grows to the right, and the one that grows downwards; different. All others are 0.
        steps: Cells along each.

    Returns:
        float32 [steps * steps, latent_dim], row by row.
    """
    normal = NormalDist()
    values = [normal.inv_cdf(float(share)) for share in np.linspace(OUTERMOST, 1 - OUTERMOST, steps)]
    down, right = np.meshgrid(values, values, indexing="ij")
    codes = np.zeros((steps * steps, latent_dim), np.float32)
    codes[:, axes[0]], codes[:, axes[1]] = right.ravel(), down.ravel()
    return codes
