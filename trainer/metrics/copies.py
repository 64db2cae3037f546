"""Near-copies: pictures that are much nearer to one training picture than to the others.

A plain distance does not tell: fog is near to every picture, and pictures of a flat background are near to each other. What marks
a copy is that the nearest training picture is far nearer than the next ones. Where training pictures come in families (emoji in
several skin tones), pictures that nobody copied have such a neighbor too: held-out ones say how often, and set the bound.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

RATIO = 1 / 3  # of distances: a picture below it is a copy of its nearest neighbor (Yoon et al. 2023; Gu et al. 2023)
QUANTILE = 0.15  # of held-out pictures that may lie below the bound, so that half a set of copies is above three times as many
NEXT = 4  # neighbors after the nearest one that it is compared with; with one, a training picture that is there twice hides a copy
SHIFTS = (-1.0, -0.5, 0.0, 0.5, 1.0)  # pixels by which a copy may be moved along either axis
BLOCK_BYTES = 32 << 20


class Nearest(NamedTuple):
    """The nearest training picture of each of n pictures.

    Attributes:
        index: Which training picture, int64 [n].
        relative: Distance to it over the mean distance to the next `NEXT` ones, float64 [n]: 0 for an exact copy, about 1 where
            it is no nearer than others.
    """

    index: np.ndarray
    relative: np.ndarray


class NearCopies(NamedTuple):
    """Which pictures are near-copies.

    Attributes:
        bound: Relative distance up to which a picture is one.
        copied: bool [n].
        floor: Share of the held-out pictures that are by the same bound.
    """

    bound: float
    copied: np.ndarray
    floor: float


def near_copies(new: np.ndarray, held_out: np.ndarray) -> NearCopies:
    """Say which pictures are near-copies of training pictures.

    The bound is `RATIO`, the share of the distance at which the literature speaks of memorization, or the `QUANTILE` of the
    held-out pictures' own relative distances where that is less: held-out pictures say what is usual (as in Meehan et al. 2020),
    so that families of like training pictures accuse nobody.

    Args:
        new: Relative distances of the judged pictures (see `Nearest`), float [n].
        held_out: Those of pictures that are in no way copies, float [m], m at least 1.
    """
    bound = min(RATIO, float(np.quantile(held_out, QUANTILE, method="lower")))
    return NearCopies(bound, new <= bound, float((held_out <= bound).mean()))


def nearest_neighbors(queries: np.ndarray, references: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest references of each query.

    Args:
        queries: float32 [n, f].
        references: float32 [m, f].
        k: How many are sought; all where there are fewer.

    Returns:
        Which they are, int64 [n, k], the nearest first, and their distances, float32 [n, k].
    """
    k = min(k, len(references))
    lengths = np.square(references).sum(axis=1)
    indices, distances = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
    rows = max(1, BLOCK_BYTES // (4 * len(references)))
    for start in range(0, len(queries), rows):
        block = queries[start : start + rows]
        squared = lengths - 2 * (block @ references.T)
        found = np.argpartition(squared, k - 1, axis=1)[:, :k]
        # Exact differences: those of squares lose all digits where a picture is met twice.
        exact = np.linalg.norm(block[:, np.newaxis] - references[found], axis=2)
        order = np.argsort(exact, axis=1, kind="stable")
        indices[start : start + rows] = np.take_along_axis(found, order, axis=1)
        distances[start : start + rows] = np.take_along_axis(exact, order, axis=1)
    return indices, distances


def nearest_pictures(pictures: np.ndarray, training: np.ndarray, candidates: np.ndarray) -> Nearest:
    """Find the nearest training picture among candidates by pixels, whether mirrored and shifted by `SHIFTS` or not.

    Args:
        pictures: uint8 [n, h, w, c].
        training: uint8 [m, h, w, c], m at least 2.
        candidates: Training pictures that may be near, int64 [n, k]; one may be named several times.
    """
    index, relative = np.empty(len(pictures), np.int64), np.empty(len(pictures))
    values = (2 * len(SHIFTS) ** 2 + candidates.shape[1]) * int(np.prod(pictures.shape[1:]))
    rows = max(1, BLOCK_BYTES // (4 * values))
    for start in range(0, len(pictures), rows):
        part = slice(start, start + rows)
        found = np.sort(candidates[part], axis=1)
        distances = _aligned_distances(pictures[part], training[found])
        distances[:, 1:][found[:, 1:] == found[:, :-1]] = np.inf  # named before
        order = np.argsort(distances, axis=1, kind="stable")
        nearest = np.take_along_axis(distances, order, axis=1)[:, : NEXT + 1]
        index[part] = np.take_along_axis(found, order, axis=1)[:, 0]
        others = np.ma.masked_invalid(nearest[:, 1:]).mean(axis=1).filled(0.0)
        relative[part] = nearest[:, 0] / np.maximum(others, np.finfo(np.float32).tiny)
    return Nearest(index, relative)


def _aligned_distances(pictures: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Root mean squared difference within a margin, where that is least over shifts and mirroring: float64 [n, k].

    Args:
        pictures: uint8 [n, h, w, c].
        others: uint8 [n, k, h, w, c].
    """
    margins = [1 if side > 4 else 0 for side in pictures.shape[1:3]]
    views = _views(pictures.astype(np.float32), margins)
    (y, x), (height, width) = margins, pictures.shape[1:3]
    inner = others[:, :, y : height - y, x : width - x].reshape(*others.shape[:2], -1).astype(np.float32)
    squared = np.square(views).sum(axis=2)[:, np.newaxis] - 2 * inner @ views.transpose(0, 2, 1)
    best = np.take_along_axis(views, squared.argmin(axis=2)[:, :, np.newaxis], axis=1)
    # Exact differences: those of squares lose all digits where a picture is met again.
    return np.sqrt(np.square(best - inner, dtype=np.float64).mean(axis=2))


def _views(pictures: np.ndarray, margins: list[int]) -> np.ndarray:
    """Pictures float32 [n, h, w, c] without a margin, shifted within it and mirrored in all ways: float32 [n, v, p]."""
    vertical, horizontal = ([shift for shift in SHIFTS if abs(shift) <= margin] for margin in margins)
    views = []
    for shown in (pictures, pictures[:, :, ::-1]):
        for rows in (_shifted(shown, 1, margins[0], shift) for shift in vertical):
            views += [_shifted(rows, 2, margins[1], shift).reshape(len(pictures), -1) for shift in horizontal]
    return np.stack(views, axis=1)


def _shifted(pictures: np.ndarray, axis: int, margin: int, shift: float) -> np.ndarray:
    """The part within a margin, moved by a shift along an axis: by half a pixel, the mean of both neighbors."""
    side = pictures.shape[axis] - 2 * margin
    first, last = (margin + int(whole) for whole in (np.floor(shift), np.ceil(shift)))
    taken = [pictures.take(range(start, start + side), axis=axis) for start in (first, last)]
    return taken[0] if first == last else (taken[0] + taken[1]) / 2
