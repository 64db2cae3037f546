"""Find new pictures that are near-copies of training pictures, and write each beside its original.

`trainer.metrics.copies` defines a near-copy.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from common.progress import report_progress
from components.sample_quality.figures import Copies, Copy
from components.sample_quality.sets import Extract
from trainer.features.network import shrink, smaller_shape
from trainer.metrics.copies import near_copies, nearest_neighbors, nearest_pictures

MAX_QUERIES = 5_000  # new and held-out pictures to look up; enough to know the share of copies within 1 %
MAX_TRAINING = 60_000  # training pictures to look them up among

# `trainer.metrics.copies` compares thumbnails. Measured on copies of Fashion-MNIST (28x28) among 5,000 training pictures, without the
# search by features: 60% of those shifted by a pixel were found, 29% of those blurred by 1 pixel, and 44% of those with noise of 20
# levels. Without smoothing: 29%, 1% and 42%. With twice the smoothing: 67%, 77% and 26%. With a side of 8: 6%, 25% and 52%. With a
# side of 28, which has three times the pixels: 97%, 28% and 40%. All exact and mirrored copies were found, and no other pictures.
SIDE = 16  # pixels, the longer side: copies need not be equal pixel by pixel
SMOOTHING = 0.7 / 16  # of the longer side, a Gaussian's standard deviation: a copy may be noisy or blurred
# More than `NEXT`, because the nearest picture is compared with the next ones. With 1, these are not the next ones: 7% of the held-out
# pictures pass for copies.
CANDIDATES = 6  # by features and by pixels, each also for the mirrored picture
COARSE_SIDE = 8  # of the thumbnails for finding candidates
SHOWN = 12  # copies that are named and shown
FOLDER = "copies"


class Keys:
    """The search keys of pictures, collected batch by batch.

    Args:
        structure: Function from pictures to features.
        limit: Maximum number of pictures; further ones are ignored.
        mirrored: Whether to look them up mirrored left to right, too.
    """

    def __init__(self, structure: Extract, limit: int, mirrored: bool = False):
        self._structure, self._limit, self._mirrored = structure, limit, mirrored
        self._parts: list[tuple[np.ndarray, ...]] = []
        self._count = 0

    def add(self, levels: np.ndarray) -> None:
        """Add pictures uint8 [n, h, w, c]."""
        levels = levels[: self._limit - self._count]
        if not len(levels):
            return
        variants = [levels, *([np.ascontiguousarray(levels[:, :, ::-1])] if self._mirrored else [])]
        small = _thumbnails(levels)
        self._parts.append((small, *(self._structure(variant) for variant in variants)))
        self._count += len(levels)

    def thumbnails(self) -> np.ndarray:
        """Return the smoothed pictures with no side above `SIDE`, uint8 [n, h, w, c]."""
        return np.concatenate([part[0] for part in self._parts])

    def structures(self) -> list[np.ndarray]:
        """Return features, float32 [n, f], of the pictures, and of the mirrored ones if `mirrored`."""
        return [np.concatenate(column) for column in list(zip(*self._parts))[1:]]


@dataclass(frozen=True)
class CopySearch:
    """The near-copies found among new pictures."""

    copies: Copies  # the figures, without examples
    # The copies to show, the nearest first: index of the new picture, index of the training picture, distance
    nearest: list[tuple[int, int, float]]


def find_copies(new: Keys, held_out: Keys, training: Keys) -> CopySearch:
    """Find the new pictures that are near-copies of training pictures.

    Create the keys of new and held-out pictures with `mirrored=True`, and those of training pictures without.
    """
    relative, distances = {}, {}
    for done, (name, keys) in enumerate({"new": new, "held-out": held_out}.items(), 1):
        candidates, distances[name] = _candidates(keys, training)
        relative[name] = nearest_pictures(keys.thumbnails(), training.thumbnails(), candidates)
        report_progress("looking for copies", done=done, total=2, unit="sets")
    judged = near_copies(relative["new"].relative, relative["held-out"].relative)
    medians = {name: float(np.median(values)) for name, values in distances.items()}
    copies = Copies(
        share=float(judged.copied.mean()),
        floor=judged.floor,
        count=int(judged.copied.sum()),
        pictures=len(judged.copied),
        nearest_ratio=medians["new"] / max(medians["held-out"], float(np.finfo(np.float32).tiny)),
    )
    copied, new_pictures = np.flatnonzero(judged.copied), relative["new"]
    order = copied[np.argsort(new_pictures.relative[copied], kind="stable")][:SHOWN]
    return CopySearch(copies, [(int(i), int(new_pictures.index[i]), float(new_pictures.relative[i])) for i in order])


def write_pairs(folder: str, search: CopySearch, new: dict[int, np.ndarray], training: dict[int, tuple[str, np.ndarray]]) -> Copies:
    """Write each shown copy and its original as PNG files to `FOLDER` in a folder, and return the figures with examples.

    Args:
        folder: The destination.
        search: The copies.
        new: The shown new pictures by index, each uint8 [h, w, c].
        training: Their originals by index, each a path and uint8 [h, w, c].
    """
    tf.io.gfile.makedirs(os.path.join(folder, FOLDER))
    examples = []
    for number, (i, j, distance) in enumerate(search.nearest):
        path, original = training[j]
        names = [f"{FOLDER}/{number:02d}-{kind}.png" for kind in ("new", "training")]
        for name, levels in zip(names, (new[i], original)):
            tf.io.write_file(os.path.join(folder, name), tf.io.encode_png(levels))
        examples.append(Copy(i, path, distance, *names))
    return dataclasses.replace(search.copies, examples=tuple(examples))


def _candidates(keys: Keys, training: Keys) -> tuple[np.ndarray, np.ndarray]:
    """Return candidate training pictures, int64 [n, k], and the feature distance to the nearest one, float32 [n]."""
    (structure,) = training.structures()
    own, mirrored = keys.structures()
    (by_features, distances), (by_mirrored, _) = (nearest_neighbors(one, structure, CANDIDATES) for one in (own, mirrored))
    small, training_small = keys.thumbnails(), _coarse(training.thumbnails())
    by_pixels = [nearest_neighbors(_coarse(one), training_small, CANDIDATES)[0] for one in (small, small[:, :, ::-1])]
    return np.concatenate([by_features, by_mirrored, *by_pixels], axis=1), distances[:, 0]


def _thumbnails(levels: np.ndarray) -> np.ndarray:
    """Shrink pictures uint8 [n, h, w, c] to at most `SIDE` and smooth them, uint8 [n, h', w', c]."""
    from scipy.ndimage import gaussian_filter

    small = _shrunk(levels, SIDE)
    sigma = SMOOTHING * max(small.shape[1:3])
    return gaussian_filter(small.astype(np.float32), (0, sigma, sigma, 0)).round().astype(np.uint8)


def _coarse(small: np.ndarray) -> np.ndarray:
    """Return pictures uint8 [n, h, w, c], shrunk to at most `COARSE_SIDE`, as rows of pixels, float32 [n, p] in [0, 1]."""
    return (_shrunk(small, COARSE_SIDE).astype(np.float32) / 255).reshape(len(small), -1)


def _shrunk(levels: np.ndarray, side: int) -> np.ndarray:
    return shrink(levels, smaller_shape(levels.shape[1:], side)).numpy()
