"""Project a latent space of any dimension onto two axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from components.report.drawing.formatting import percent


@dataclass(frozen=True)
class Projection:
    """Points in the plane."""

    points: np.ndarray  # float [n, 2]; for a one-dimensional latent space the second column only separates the dots
    axes: tuple[str, str]  # descriptions of the horizontal and the vertical axis
    shares: tuple[float, float]  # share of the spread (variance of the means) along each axis


def project(means: np.ndarray) -> Projection:
    """Project posterior means float [n, d] onto two axes: the latent ones for d of 1 or 2, else the first two principal ones.

    The principal axes are a rotation about the origin, not about the mean, so that the prior's rings stay in place.
    """
    means = np.nan_to_num(np.asarray(means, np.float64), posinf=0.0, neginf=0.0)
    dimensions = means.shape[1]
    if dimensions == 1:
        apart = (np.arange(len(means)) * 0.6180339887) % 1.0 * 2 - 1
        return Projection(np.column_stack([means[:, 0], apart]), ("latent dimension 1", "only to keep dots apart"), (1.0, 0.0))
    if dimensions == 2:
        shares = means.var(axis=0) / max(means.var(axis=0).sum(), 1e-12)
        return Projection(means, ("latent dimension 1", "latent dimension 2"), (float(shares[0]), float(shares[1])))
    centered = means - means.mean(axis=0)
    variances, vectors = np.linalg.eigh(centered.T @ centered / len(means))
    axes = vectors[:, [-1, -2]]
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), [0, 1]] < 0, -1, 1)  # fix the sign, which is otherwise arbitrary
    first, second = (float(v / max(variances.sum(), 1e-12)) for v in variances[[-1, -2]])
    names = (f"first principal axis, {percent(first)} of the spread", f"second principal axis, {percent(second)} of the spread")
    return Projection(means @ axes, names, (first, second))


def window(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the center [2] and half the side of a square, at least 1.

    It holds points [n, 2] except the outermost few, and the prior's first ring around the origin.
    """
    if not len(points):
        return np.zeros(2), 1.0
    low, high = np.quantile(points, [0.004, 0.996], axis=0)
    low, high = np.minimum(low, -1.0), np.maximum(high, 1.0)
    return (low + high) / 2, 1.04 * float((high - low).max()) / 2


def spread_apart(positions: np.ndarray, height: float, width: float) -> np.ndarray:
    """Move names of one height and width, at positions [n, 2] in the same unit, up and down until none overlap."""
    placed = positions.astype(np.float64).copy()
    for _ in range(60):
        moved = False
        for i in range(len(placed)):
            for j in range(i):
                across, up = placed[i] - placed[j]
                if abs(across) < width and abs(up) < height * 0.999:
                    push = (height - abs(up)) / 2
                    direction = 1.0 if up >= 0 else -1.0
                    placed[i, 1] += direction * push
                    placed[j, 1] -= direction * push
                    moved = True
        if not moved:
            break
    return placed
