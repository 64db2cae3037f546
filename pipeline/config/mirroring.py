"""Decides by a look whether training pictures may be mirrored: only where mirrored pictures look like held-out ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MOST_PICTURES = 2000  # more take seconds, and change the third digit
FEWEST_PICTURES = 500  # with fewer, letters on photographs were not noticed
MOST_RECOGNIZED = 0.58  # photographs: 0.49 to 0.55; letters drawn on photographs: 0.62; Fashion-MNIST: 0.83; digits: 0.93
MOST_LABEL_DROP = 0.05  # of the accuracy; photographs: 0.00; Fashion-MNIST: 0.21; digits: 0.64
FOLDS = 5

_SIDE, _CELLS, _DIRECTIONS = 32, 8, 8
_PENALTY = 0.6  # per picture: from a third to three times of it, shares differ by 0.01


@dataclass(frozen=True)
class MirrorTest:
    """How pictures and their mirror images differ.

    Attributes:
        recognized: Share of held-out pictures that a classifier tells from their own mirror image; chance is 0.5, and a
            picture that is its own mirror image counts half.
        label_drop: By how much at least (three standard errors below what was counted) the accuracy of a classifier of labels
            falls from held-out pictures to their mirror images; 0 where there are no labels.
        pictures: How many pictures the test had.
    """

    recognized: float
    label_drop: float
    pictures: int

    @property
    def hurts(self) -> bool:
        """Whether to leave pictures unmirrored; True as well where there are too few to tell."""
        return bool(self.reason)

    @property
    def reason(self) -> str:
        """Why pictures should not be mirrored; '' where they may be."""
        if self.pictures < FEWEST_PICTURES:
            return f"{self.pictures} pictures are too few to tell, {FEWEST_PICTURES} are needed"
        if self.recognized > MOST_RECOGNIZED:
            return f"{self.recognized:.0%} of the pictures can be told from their mirror image"
        if self.label_drop > MOST_LABEL_DROP:
            return f"{self.label_drop:.0%} of the pictures look like another label's once they are mirrored"
        return ""


def mirrors_hurt(levels: np.ndarray, labels: Sequence[object] | None = None, seed: int = 0) -> bool:
    """Whether mirrored training pictures would be unlike held-out ones; see `test_mirrors`."""
    return test_mirrors(levels, labels, seed).hurts


def test_mirrors(levels: np.ndarray, labels: Sequence[object] | None = None, seed: int = 0) -> MirrorTest:
    """Tests whether pictures and their mirror images differ (a classifier two-sample test, Lopez-Paz and Oquab 2017).

    Pictures whose left and right differ in a known way, such as digits, text, or shoes that all point to one side, are
    recognized; photographs are not. On the way a picture is described by the directions of its edges, in 8 x 8 cells (Dalal
    and Triggs 2005). The classifier is linear in the difference between a picture's description and its mirror image's, so
    that it is right about a picture exactly if it is wrong about the mirror image. Ridge regression, five-fold
    cross-validation.

    A few such pictures among others go unnoticed: one in five with a letter drawn on it did.

    Args:
        levels: uint8 or uint16 [n, h, w, c], c being 1 or 3; of more than `MOST_PICTURES` so many are drawn.
        labels: n labels, of which None, "" and negative numbers stand for none. Pictures that are mirror images of another
            label's (arrows to the left, arrows to the right) are noticed by them alone.
        seed: Of the draw and the folds; the same seed, the same answer.

    Returns:
        What was found. About two seconds for 2,000 pictures.
    """
    chosen = np.random.default_rng(seed).permutation(len(levels))[:MOST_PICTURES]
    features = edge_directions(np.asarray(levels)[chosen])
    recognized = _recognized(features) if len(chosen) >= FEWEST_PICTURES else math.nan
    drop = 0.0
    if labels is not None and len(chosen) >= FEWEST_PICTURES:
        drop = _label_drop(features, [labels[i] for i in chosen])
    return MirrorTest(recognized, drop, len(chosen))


test_mirrors.__test__ = False  # no test of pytest's


def edge_directions(levels: np.ndarray) -> np.ndarray:
    """Returns how strong edges of each direction are in each cell.

    Args:
        levels: uint8 or uint16 [n, h, w, c].

    Returns:
        float32 [n, 8, 8, 8]: rows and columns of cells, and directions, a whole turn of them; each picture's has norm 1.
    """
    from PIL import Image

    grey = levels.mean(axis=3, dtype=np.float32) / np.iinfo(levels.dtype).max
    small = [np.asarray(Image.fromarray(picture).resize((_SIDE, _SIDE), Image.BILINEAR)) for picture in grey]
    down, right = np.gradient(np.stack(small), axis=(1, 2))
    strength = np.hypot(down, right) + 1e-6
    cells = (-1, _CELLS, _SIDE // _CELLS, _CELLS, _SIDE // _CELLS)
    directions = []
    for angle in 2 * np.pi * (np.arange(_DIRECTIONS) + 0.5) / _DIRECTIONS:
        along = np.maximum(0.0, np.float32(np.cos(angle)) * right + np.float32(np.sin(angle)) * down)
        directions.append((along * (along / strength) ** 3).reshape(cells).mean(axis=(2, 4)))
    found = np.sqrt(np.stack(directions, axis=-1))
    return found / (np.sqrt(np.square(found).sum(axis=(1, 2, 3), keepdims=True)) + 1e-6)


def mirrored_directions(features: np.ndarray) -> np.ndarray:
    """What `edge_directions` gives of the mirrored pictures, from what it gives of the pictures; same shape."""
    return features[:, :, ::-1, (_DIRECTIONS // 2 - 1 - np.arange(_DIRECTIONS)) % _DIRECTIONS]


def _recognized(features: np.ndarray) -> float:
    from sklearn.linear_model import Ridge

    odd = (features - mirrored_directions(features)).reshape(len(features), -1)
    right = 0.0
    for train, held_out in _folds(len(odd)):
        scale = np.sqrt(np.square(odd[train]).mean(axis=0)) + 1e-3
        ridge = Ridge(alpha=_PENALTY * len(train), fit_intercept=False).fit(odd[train] / scale, np.ones(len(train)))
        right += float(np.sum(0.5 + 0.5 * np.sign(ridge.predict(odd[held_out] / scale))))
    return right / len(odd)


def _label_drop(features: np.ndarray, labels: Sequence[object]) -> float:
    """See `MirrorTest`; of labels with a picture for each fold."""
    from sklearn.linear_model import RidgeClassifier

    names = np.array(["" if label is None or label == "" or _negative(label) else f"label {label}" for label in labels])
    counts = {name: int(np.sum(names == name)) for name in set(names) - {""}}
    known = np.array([counts.get(name, 0) >= FOLDS for name in names])
    names, features = names[known], features[known]
    if len(set(names)) < 2:
        return 0.0
    mirrored, lost = mirrored_directions(features).reshape(len(names), -1), np.zeros(len(names))
    features = features.reshape(len(names), -1)
    for train, held_out in _folds(len(names)):
        mean, scale = features[train].mean(axis=0), features[train].std(axis=0) + 1e-3
        classifier = RidgeClassifier(alpha=_PENALTY * len(train)).fit((features[train] - mean) / scale, names[train])
        found, found_mirrored = (classifier.predict((seen[held_out] - mean) / scale) for seen in (features, mirrored))
        lost[held_out] = (found == names[held_out]).astype(float) - (found_mirrored == names[held_out])
    return max(0.0, float(lost.mean() - 3.0 * lost.std() / math.sqrt(len(lost))))


def _negative(label: object) -> bool:
    return isinstance(label, (int, float, np.number)) and label < 0


def _folds(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Places of training and of held-out pictures, which are in no order already."""
    places = np.arange(count)
    return [(places[places % FOLDS != fold], places[places % FOLDS == fold]) for fold in range(FOLDS)]
