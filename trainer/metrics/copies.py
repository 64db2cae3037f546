"""Near-copies: images that are much closer to one training image than to the others.

A plain distance does not identify them. A blurred image is close to every image, and images with a flat background are close to
each other. The nearest training image of a copy is far nearer than the next ones. Families of training images, such as emoji in
several skin tones, have such neighbors too. Held-out images show how often that happens, and set the bound.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

RATIO = 1 / 3  # of distances: an image below it is a copy of its nearest neighbor (Yoon et al. 2023; Gu et al. 2023)
QUANTILE = 0.15  # share of held-out images that may lie below the bound; half a set of copies is more than three times as many
NEXT = 4  # neighbors after the nearest that it is compared with; if only one, a duplicate in the training set would hide a copy
SHIFTS = (-1.0, -0.5, 0.0, 0.5, 1.0)  # pixels by which a copy may be shifted along either axis
BLOCK_BYTES = 32 << 20


class Nearest(NamedTuple):
    """The nearest training image of each of n images.

    Attributes:
        index: Index of the training image, int64 [n].
        relative: Distance to it divided by the mean distance to the next `NEXT` ones, float64 [n]: 0 for an exact
            copy, about 1 if it is no nearer than the others.
    """

    index: np.ndarray
    relative: np.ndarray


class NearCopies(NamedTuple):
    """The images that are near-copies.

    Attributes:
        bound: Relative distance up to which an image is a near-copy.
        copied: bool [n].
        floor: Share of the held-out images that are near-copies by the same bound.
    """

    bound: float
    copied: np.ndarray
    floor: float


def near_copies(new: np.ndarray, held_out: np.ndarray) -> NearCopies:
    """Find the images that are near-copies of training images.

    The bound is `RATIO`, the relative distance that the literature calls memorization, or the `QUANTILE` of the held-out images'
    own relative distances if that is less. Held-out images show what is usual (as in Meehan et al. 2020), so families of similar
    training images cause no false alarms.

    Args:
        new: Relative distances of the tested images (see `Nearest`), float [n].
        held_out: Relative distances of held-out images, which are not copies, float [m], m at least 1.
    """
    bound = min(RATIO, float(np.quantile(held_out, QUANTILE, method="lower")))
    return NearCopies(bound, new <= bound, float((held_out <= bound).mean()))


def nearest_neighbors(queries: np.ndarray, references: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the k nearest references, float32 [m, f], of each query, float32 [n, f]. If there are fewer, find all.

    Returns:
        Indices of the references, int64 [n, k], the nearest first, and their distances, float32 [n, k].

    Example:
        >>> nearest_neighbors(np.array([[0.9]]), np.array([[0.0], [1.0], [5.0]]), k=2)[1]
        array([[0.1, 0.9]], dtype=float32)
    """
    k = min(k, len(references))
    lengths = np.square(references).sum(axis=1)
    indices, distances = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
    rows = max(1, BLOCK_BYTES // (4 * len(references)))
    for start in range(0, len(queries), rows):
        block = queries[start : start + rows]
        squared = lengths - 2 * (block @ references.T)
        neighbors = np.argpartition(squared, k - 1, axis=1)[:, :k]
        # Exact differences: differences of squares lose all digits if an image occurs twice.
        exact = np.linalg.norm(block[:, np.newaxis] - references[neighbors], axis=2)
        order = np.argsort(exact, axis=1, kind="stable")
        indices[start : start + rows] = np.take_along_axis(neighbors, order, axis=1)
        distances[start : start + rows] = np.take_along_axis(exact, order, axis=1)
    return indices, distances


def nearest_pictures(pictures: np.ndarray, training: np.ndarray, candidates: np.ndarray) -> Nearest:
    """Find the nearest training image among candidates by pixels, over mirroring and the shifts of `SHIFTS`.

    Args:
        pictures: uint8 [n, h, w, c].
        training: uint8 [m, h, w, c], m at least 2.
        candidates: Indices of training images that may be near, int64 [n, k]. An index may occur several times.
    """
    index, relative = np.empty(len(pictures), np.int64), np.empty(len(pictures))
    values = (2 * len(SHIFTS) ** 2 + candidates.shape[1]) * int(np.prod(pictures.shape[1:]))
    rows = max(1, BLOCK_BYTES // (4 * values))
    for start in range(0, len(pictures), rows):
        part = slice(start, start + rows)
        indices = np.sort(candidates[part], axis=1)
        distances = _aligned_distances(pictures[part], training[indices])
        distances[:, 1:][indices[:, 1:] == indices[:, :-1]] = np.inf  # a repeated index
        order = np.argsort(distances, axis=1, kind="stable")
        nearest = np.take_along_axis(distances, order, axis=1)[:, : NEXT + 1]
        index[part] = np.take_along_axis(indices, order, axis=1)[:, 0]
        others = np.ma.masked_invalid(nearest[:, 1:]).mean(axis=1).filled(0.0)
        relative[part] = nearest[:, 0] / np.maximum(others, np.finfo(np.float32).tiny)
    return Nearest(index, relative)


def _aligned_distances(pictures: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return root mean squared differences of images uint8 [n, h, w, c] and [n, k, h, w, c], within a margin: float64 [n, k].

    They are the minima over shifts and mirroring.
    """
    margins = [1 if side > 4 else 0 for side in pictures.shape[1:3]]
    views = _views(pictures.astype(np.float32), margins)
    (y, x), (height, width) = margins, pictures.shape[1:3]
    inner = others[:, :, y : height - y, x : width - x].reshape(*others.shape[:2], -1).astype(np.float32)
    squared = np.square(views).sum(axis=2)[:, np.newaxis] - 2 * inner @ views.transpose(0, 2, 1)
    best = np.take_along_axis(views, squared.argmin(axis=2)[:, :, np.newaxis], axis=1)
    # Exact differences: differences of squares lose all digits if an image occurs again.
    return np.sqrt(np.square(best - inner, dtype=np.float64).mean(axis=2))


def _views(pictures: np.ndarray, margins: list[int]) -> np.ndarray:
    """Return all shifts and mirror images of images float32 [n, h, w, c], without a margin: float32 [n, v, p]."""
    vertical, horizontal = ([shift for shift in SHIFTS if abs(shift) <= margin] for margin in margins)
    views = []
    for shown in (pictures, pictures[:, :, ::-1]):
        for rows in (_shifted(shown, 1, margins[0], shift) for shift in vertical):
            views += [_shifted(rows, 2, margins[1], shift).reshape(len(pictures), -1) for shift in horizontal]
    return np.stack(views, axis=1)


def _shifted(pictures: np.ndarray, axis: int, margin: int, shift: float) -> np.ndarray:
    """Return the part within a margin, shifted along an axis. A shift by half a pixel gives the mean of both neighbors."""
    side = pictures.shape[axis] - 2 * margin
    first, last = (margin + int(pixels) for pixels in (np.floor(shift), np.ceil(shift)))
    taken = [pictures.take(range(start, start + side), axis=axis) for start in (first, last)]
    return taken[0] if first == last else (taken[0] + taken[1]) / 2
