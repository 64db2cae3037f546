"""Distances between two sets of images, by their features: float [n, f], n at least 2, one row per image.

A figure depends on the features and on the number of images. Only figures of the same features and the same number can be
compared. Functions that take features raise ValueError if the shapes do not match, a set has fewer than 2 rows, or a feature is not
finite.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

NEIGHBOURS = 5  # k of precision, recall, density and coverage (Naeem et al. 2020)
GROUPS = 20  # groups of the jackknife
SUBSETS = 50
SUBSET_SIZE = 1_000  # Binkowski et al. 2018
BLOCK_BYTES = 32 << 20
ROUNDING = np.float32(1e-6)  # squared distances below this share of the lengths are rounding error, for the same image twice


class KernelDistance(NamedTuple):
    """The kernel distance: its unbiased estimate, and the standard deviation over subsets.

    The estimate is around 0, and of either sign, if both sets are of one distribution.
    """

    mean: float
    spread: float


class Neighbourhood(NamedTuple):
    """How two sets overlap, by a ball around each image that reaches to its k-th nearest neighbor.

    Attributes:
        precision: Share of generated images in a ball of a real one (Kynkaanniemi et al. 2019): the realism of generated images.
        recall: Share of real images in a ball of a generated one: how much of the variety of real images is generated.
        density: Number of real balls around a generated image, divided by k (Naeem et al. 2020). It is about 1 for one
            distribution, and above 1 if generated images concentrate in the middle. No single outlier decides it.
        coverage: Share of real images with a generated one in their ball: recall without balls of generated images.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Frechet distance of two Gaussians with the features' means and covariances (Heusel et al. 2017, eq. 6).

    It is |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), where tr (C1 C2)^(1/2) = tr (C1^(1/2) C2 C1^(1/2))^(1/2). The latter has a
    symmetric root, which is real even if a covariance is singular. The distance is symmetric, at least 0, and in squared units of
    the features. It falls as the number of images grows, for the same two distributions.
    """
    first, second = _checked(first, second)
    means = [features.mean(axis=0) for features in (first, second)]
    covariances = [np.atleast_2d(np.cov(features, rowvar=False)) for features in (first, second)]
    root = _root(covariances[0])
    product = np.linalg.eigvalsh(root @ covariances[1] @ root)
    trace = covariances[0].trace() + covariances[1].trace() - 2 * np.sqrt(product.clip(0)).sum()
    return max(0.0, float(np.square(means[0] - means[1]).sum() + trace))


def frechet_spread(first: np.ndarray, second: np.ndarray, seed: int = 0, groups: int = GROUPS) -> float:
    """Return the standard deviation of the Frechet distance over choices of the second set, estimated from one such set alone.

    It is the delete-a-group jackknife (Efron and Stein 1981). The distance is computed without each of `groups` random parts of the
    second set. The variance of these distances, times groups - 1, is that of the whole. The second set has m rows, at least 4.
    More than m / 2 groups count as m / 2.
    """
    first, second = _checked(first, second)
    order = np.random.default_rng(seed).permutation(len(second))
    parts = np.array_split(order, min(groups, len(second) // 2))
    distances = [frechet_distance(first, np.delete(second, part, axis=0)) for part in parts]
    return float(np.sqrt((len(parts) - 1) * np.var(distances)))


def kernel_distance(
    first: np.ndarray, second: np.ndarray, seed: int = 0, subsets: int = SUBSETS, subset_size: int = SUBSET_SIZE
) -> KernelDistance:
    """Return the KID: squared maximum mean discrepancy with the kernel (x.y / f + 1)^3, unbiased (Binkowski et al. 2018).

    A subset has at most half of the rows of the smaller set, so that subsets differ.
    """
    first, second = _checked(first, second)
    size = max(2, min(subset_size, min(len(first), len(second)) // 2))
    rng = np.random.default_rng(seed)
    estimates = [_discrepancy(*(x[rng.choice(len(x), size, replace=False)] for x in (first, second))) for _ in range(subsets)]
    return KernelDistance(float(np.mean(estimates)), float(np.std(estimates)))


def label_divergence(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Jensen-Shannon divergence between the label frequencies of two sets (Lin 1991, eq. 4.1).

    Labels are int [n], none negative, n at least 1. The result is in bits, between 0 for equal frequencies and 1 for sets without
    a common label.

    Example:
        >>> round(label_divergence(np.array([0, 1]), np.array([0, 0])), 3)
        0.311
    """
    from scipy.spatial.distance import jensenshannon

    labels = int(max(first.max(), second.max())) + 1
    shares = [np.bincount(label_set, minlength=labels) / len(label_set) for label_set in (first, second)]
    return float(jensenshannon(*shares, base=2) ** 2)


def precision_recall_density_coverage(real: np.ndarray, generated: np.ndarray, k: int = NEIGHBOURS) -> Neighbourhood:
    """Return precision, recall, density and coverage. Each is in [0, 1] except density, which has no upper bound.

    A ball reaches to the k-th neighbor, or to the last one if there are fewer.
    """
    real, generated = _checked(real, generated)
    # One origin for both sets: distances are differences of squares, which lose digits far from 0. float32 is three times as
    # fast, and precise enough to rank neighbors.
    centre = real.mean(axis=0)
    real, generated = (real - centre).astype(np.float32), (generated - centre).astype(np.float32)
    k = min(k, len(real) - 1, len(generated) - 1)
    real_radii, generated_radii = _radii(real, k), _radii(generated, k)
    covered, recalled = np.zeros(len(real), bool), np.zeros(len(real), bool)
    balls = np.zeros(len(generated), np.int64)
    for rows, distances in _distances(generated, real):
        inside = distances <= real_radii
        balls[rows] = inside.sum(axis=1)
        covered |= inside.any(axis=0)
        recalled |= (distances <= generated_radii[rows, np.newaxis]).any(axis=0)
    return Neighbourhood(
        precision=float((balls > 0).mean()),
        recall=float(recalled.mean()),
        density=float(balls.mean() / k),
        coverage=float(covered.mean()),
    )


def _checked(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(f"features must be [n, f] with the same f, not {list(first.shape)} and {list(second.shape)}")
    if min(len(first), len(second)) < 2:
        raise ValueError("a distance takes at least 2 pictures on either side")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("features must be finite numbers")
    return first, second


def _root(covariance: np.ndarray) -> np.ndarray:
    """Return the symmetric square root of a positive semidefinite matrix [f, f]. Rounding may have made eigenvalues negative."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T


def _discrepancy(first: np.ndarray, second: np.ndarray) -> float:
    """Return the unbiased estimate of the squared maximum mean discrepancy of two sets of the same size."""
    n, within = len(first), 0.0
    for features in (first, second):
        kernel = _kernel(features, features)
        within += (kernel.sum() - kernel.trace()) / (n * (n - 1))
    return float(within - 2 * _kernel(first, second).mean())


def _kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return (x.y / f + 1)^3 of each row of [n, f] with each of [m, f]: [n, m]."""
    product = first @ second.T / first.shape[1] + 1
    return product * product * product


def _radii(features: np.ndarray, k: int) -> np.ndarray:
    """Return the squared distance of each row to its k-th nearest neighbor, float32 [n]."""
    radii = np.empty(len(features), np.float32)
    for rows, distances in _distances(features, features):
        radii[rows] = np.partition(distances, k, axis=1)[:, k]  # the nearest is the row itself
    return radii


def _distances(first: np.ndarray, second: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield squared distances of rows of `first` to all of `second` in blocks: the rows, and float32 [rows, m]."""
    lengths = np.square(second).sum(axis=1)
    step = max(1, BLOCK_BYTES // (4 * len(second)))
    for start in range(0, len(first), step):
        block = first[start : start + step]
        own = np.square(block).sum(axis=1)[:, np.newaxis]
        sums = own + lengths
        squared = sums - 2 * (block @ second.T)
        squared[squared < ROUNDING * sums] = 0
        yield slice(start, start + step), squared
