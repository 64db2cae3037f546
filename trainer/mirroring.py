"""Decide from the training pictures whether they may be mirrored: only where mirrored pictures look like the others."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from common.progress import report_progress
from trainer.config import TrainingConfig
from trainer.data import Pictures

LOGGER = logging.getLogger("darkroom.trainer")
MOST_PICTURES = 2000  # more take seconds, and change the third digit
FEWEST_PICTURES = 500  # with fewer, letters on photographs were not noticed
MOST_RECOGNIZED = 0.58  # photographs: 0.49 to 0.55; letters drawn on photographs: 0.62; Fashion-MNIST: 0.83; digits: 0.93
MOST_LABEL_DROP = 0.05  # of the accuracy; photographs: 0.00; Fashion-MNIST: 0.21; digits: 0.64
FOLDS = 5

_SIDE, _CELLS, _DIRECTIONS = 32, 8, 8
_BLOCK_VALUES = 1 << 24  # of pictures that are described at once: large pictures would take gigabytes
_PENALTY = 0.6  # per picture: from a third to three times of it, shares differ by 0.01


@dataclass(frozen=True)
class MirrorTest:
    """How pictures and their mirror images differ.

    Attributes:
        recognized: Share of pictures, held out in cross-validation, that a classifier tells from their own mirror image; chance
            is 0.5, and a picture that is its own mirror image counts half. NaN where there are too few pictures.
        label_drop: Lower bound (three standard errors below the estimate) of the drop in accuracy of a classifier of labels from
            pictures to their mirror images; 0 where there are no labels.
        pictures: Number of pictures that the test had.
    """

    recognized: float
    label_drop: float
    pictures: int

    @property
    def hurts(self) -> bool:
        """Whether pictures should be left as they are; True as well where there are too few to tell."""
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

    def to_dict(self) -> dict[str, Any]:
        """Return the decision, its reason and the figures in JSON's types."""
        recognized = None if math.isnan(self.recognized) else self.recognized
        return {"mirrored": not self.hurts, "reason": self.reason, **dataclasses.asdict(self), "recognized": recognized}


def decide_augmentation(config: TrainingConfig, pictures: Pictures) -> tuple[TrainingConfig, MirrorTest | None]:
    """Replace `auto` in `training.augmentation` by `mirrored` where mirroring the training pictures cannot hurt, else by nothing.

    The decision depends on the pictures and, of a conditional model, their labels; not on the training's seed. So trainings on
    the same pictures, resumed or not, decide alike.

    Args:
        config: The training configuration.
        pictures: The training pictures. Their labels are -1 where the model is not conditional.

    Returns:
        The configuration without `auto`, and the test; None where the configuration does not ask for it.
    """
    if "auto" not in config.augmentation:
        return config, None
    report_progress("comparing mirror images", done=0, total=min(MOST_PICTURES, len(pictures)))
    found = test_mirrors(pictures.levels, pictures.labels)
    report_progress("comparing mirror images", done=found.pictures, total=found.pictures)
    LOGGER.info("training pictures are %s", f"not mirrored: {found.reason}" if found.hurts else "mirrored as well")
    kinds = ["mirrored" if kind == "auto" else kind for kind in config.augmentation if kind != "auto" or not found.hurts]
    return dataclasses.replace(config, augmentation=tuple(dict.fromkeys(kinds))), found


def mirrors_hurt(levels: np.ndarray, labels: Sequence[object] | None = None, seed: int = 0) -> bool:
    """Return whether mirrored training pictures would be unlike held-out ones; see `test_mirrors`."""
    return test_mirrors(levels, labels, seed).hurts


def test_mirrors(levels: np.ndarray, labels: Sequence[object] | None = None, seed: int = 0) -> MirrorTest:
    """Test whether pictures and their mirror images differ (a classifier two-sample test, Lopez-Paz and Oquab 2017).

    Pictures whose left and right differ in a known way, such as digits, text, or shoes that all point to one side, are
    recognized; photographs are not. A picture is described by the directions of its edges in 8 x 8 cells (Dalal and Triggs
    2005). The classifier is linear in the difference between the descriptions of a picture and of its mirror image. So it is
    right about a picture exactly if it is wrong about the mirror image. It is fitted by ridge regression with five-fold
    cross-validation.

    A few such pictures among others go unnoticed: one in five with a letter drawn on it did.

    Args:
        levels: uint8 or uint16 [n, h, w, c], c being 1 or 3; of more than `MOST_PICTURES`, that many are drawn.
        labels: n labels, of which None, "" and negative numbers stand for none. Pictures that are mirror images of another
            label's (arrows to the left, arrows to the right) are noticed by them alone.
        seed: Of the draw and the folds; the same seed, the same answer.

    Returns:
        The test's figures. It takes about two seconds for 2,000 pictures of 32x32.
    """
    chosen = np.random.default_rng(seed).permutation(len(levels))[:MOST_PICTURES]
    if len(chosen) < FEWEST_PICTURES:
        return MirrorTest(math.nan, 0.0, len(chosen))
    block = max(1, _BLOCK_VALUES // max(1, math.prod(levels.shape[1:])))
    blocks = (np.sort(chosen)[at : at + block] for at in range(0, len(chosen), block))
    places = np.argsort(np.argsort(chosen))  # sorted, for pictures may lie in a file; the folds need them in no order
    features = np.concatenate([edge_directions(np.asarray(levels[some])) for some in blocks])[places]
    drop = 0.0 if labels is None else _label_drop(features, [labels[i] for i in chosen])
    return MirrorTest(_recognized(features), drop, len(chosen))


test_mirrors.__test__ = False  # pytest would take it for a test


def edge_directions(levels: np.ndarray) -> np.ndarray:
    """Return how strong edges of each direction are in each cell.

    Args:
        levels: uint8 or uint16 [n, h, w, c].

    Returns:
        float32 [n, 8, 8, 8]: rows and columns of cells, and directions over a whole turn; each picture's has norm 1.
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
    """Return what `edge_directions` gives for the mirrored pictures, from its result for the pictures; same shape."""
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
    """Return `MirrorTest.label_drop`, over labels that have a picture for each fold."""
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
    """Return indices of training and of held-out pictures for each fold; pictures are in random order already."""
    places = np.arange(count)
    return [(places[places % FOLDS != fold], places[places % FOLDS == fold]) for fold in range(FOLDS)]
