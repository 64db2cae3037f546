"""Decide from the training images whether to mirror them: only if they cannot be distinguished from their mirror images."""

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
MAX_PICTURES = 2000  # more take seconds, and change only the third digit
FEWEST_PICTURES = 500  # with fewer, letters on photographs were not detected
MAX_RECOGNIZED = 0.58  # photographs: 0.49 to 0.55; letters drawn on photographs: 0.62; Fashion-MNIST: 0.83; digits: 0.93
MAX_LABEL_DROP = 0.05  # drop of the accuracy; photographs: 0.00; Fashion-MNIST: 0.21; digits: 0.64
FOLDS = 5

_SIDE, _CELLS, _DIRECTIONS = 32, 8, 8
_BLOCK_VALUES = 1 << 24  # of images described at once: large images would take gigabytes
_PENALTY = 0.6  # per image; between a third and three times this value, shares differ by 0.01


@dataclass(frozen=True)
class MirrorTest:
    """The difference between images and their mirror images.

    Attributes:
        recognized: Share of images, held out in cross-validation, that a classifier distinguishes from their own mirror image.
            Chance is 0.5. An image that equals its mirror image counts half. NaN if there are too few images.
        label_drop: Drop in the accuracy of a classifier of labels from images to their mirror images. It is a lower bound, three
            standard errors below the estimate. 0 if there are no labels.
        pictures: Number of images in the test.
    """

    recognized: float
    label_drop: float
    pictures: int

    @property
    def hurts(self) -> bool:
        """Return whether images should not be mirrored. It is True as well if there are too few images to decide."""
        return bool(self.reason)

    @property
    def reason(self) -> str:
        """Return why images should not be mirrored; '' if they may be."""
        if self.pictures < FEWEST_PICTURES:
            return f"{self.pictures} pictures are too few to tell, {FEWEST_PICTURES} are needed"
        if self.recognized > MAX_RECOGNIZED:
            return f"{self.recognized:.0%} of the pictures can be told from their mirror image"
        if self.label_drop > MAX_LABEL_DROP:
            return f"{self.label_drop:.0%} of the pictures look like another label's once they are mirrored"
        return ""

    def to_dict(self) -> dict[str, Any]:
        """Return the decision, its reason and the figures in JSON's types."""
        recognized = None if math.isnan(self.recognized) else self.recognized
        return {"mirrored": not self.hurts, "reason": self.reason, **dataclasses.asdict(self), "recognized": recognized}


def decide_augmentation(config: TrainingConfig, pictures: Pictures) -> tuple[TrainingConfig, MirrorTest | None]:
    """Replace `auto` in `training.augmentation` by `mirrored` if mirroring the training images cannot hurt, else by nothing.

    The decision depends on the images and, for a conditional model, on their labels, but not on the training's seed. So trainings
    on the same images, resumed or not, decide in the same way.

    Returns:
        The configuration without `auto`, and the test's result. The result is None if the configuration does not contain `auto`.
    """
    if "auto" not in config.augmentation:
        return config, None
    report_progress("comparing mirror images", done=0, total=min(MAX_PICTURES, len(pictures)))
    mirror_test = test_mirrors(pictures.levels, pictures.labels)
    report_progress("comparing mirror images", done=mirror_test.pictures, total=mirror_test.pictures)
    LOGGER.info("training pictures are %s", f"not mirrored: {mirror_test.reason}" if mirror_test.hurts else "mirrored as well")
    kinds = ["mirrored" if kind == "auto" else kind for kind in config.augmentation if kind != "auto" or not mirror_test.hurts]
    return dataclasses.replace(config, augmentation=tuple(dict.fromkeys(kinds))), mirror_test


def test_mirrors(levels: np.ndarray, labels: Sequence[object] | None = None, seed: int = 0) -> MirrorTest:
    """Test whether images and their mirror images differ (a classifier two-sample test, Lopez-Paz and Oquab 2017).

    Images whose left and right differ in a known way are recognized: digits, text, or shoes that all point to one side.
    Photographs are not. An image is described by the directions of its edges in 8 x 8 cells (Dalal and Triggs 2005). The
    classifier is linear in the difference between the descriptions of an image and of its mirror image. So it is right about an
    image exactly if it is wrong about the mirror image. It is fitted by ridge regression with five-fold cross-validation.

    A small share of such images among others is not detected, such as one in five with a letter drawn on it. The test takes about
    two seconds for 2,000 images of 32x32.

    Args:
        levels: uint8 or uint16 [n, h, w, c], c being 1 or 3. If there are more than `MAX_PICTURES`, that many are drawn.
        labels: n labels. None, "" and negative numbers stand for no label. Only labels can detect images that are mirror images of
            another label's, such as arrows to the left and arrows to the right.
        seed: Seed of the draw and of the folds.
    """
    chosen = np.random.default_rng(seed).permutation(len(levels))[:MAX_PICTURES]
    if len(chosen) < FEWEST_PICTURES:
        return MirrorTest(math.nan, 0.0, len(chosen))
    block = max(1, _BLOCK_VALUES // max(1, math.prod(levels.shape[1:])))
    blocks = (np.sort(chosen)[at : at + block] for at in range(0, len(chosen), block))
    places = np.argsort(np.argsort(chosen))  # undoes the sorting, which is for images in a file: folds need random order
    features = np.concatenate([edge_directions(np.asarray(levels[some])) for some in blocks])[places]
    drop = 0.0 if labels is None else _label_drop(features, [labels[i] for i in chosen])
    return MirrorTest(_recognized(features), drop, len(chosen))


test_mirrors.__test__ = False  # pytest would collect it as a test


def edge_directions(levels: np.ndarray) -> np.ndarray:
    """Return the strength of the edges of each direction in each cell of images, uint8 or uint16 [n, h, w, c].

    Returns:
        float32 [n, 8, 8, 8]: rows and columns of cells, and directions over a full turn. The values of each image have norm 1.
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
    responses = np.sqrt(np.stack(directions, axis=-1))
    return responses / (np.sqrt(np.square(responses).sum(axis=(1, 2, 3), keepdims=True)) + 1e-6)


def mirrored_directions(features: np.ndarray) -> np.ndarray:
    """Return the `edge_directions` of the mirrored images, computed from those of the images; same shape."""
    return features[:, :, ::-1, (_DIRECTIONS // 2 - 1 - np.arange(_DIRECTIONS)) % _DIRECTIONS]


def _recognized(features: np.ndarray) -> float:
    from sklearn.linear_model import Ridge

    differences = (features - mirrored_directions(features)).reshape(len(features), -1)
    right = 0.0
    for train, held_out in _folds(len(differences)):
        scale = np.sqrt(np.square(differences[train]).mean(axis=0)) + 1e-3
        ridge = Ridge(alpha=_PENALTY * len(train), fit_intercept=False).fit(differences[train] / scale, np.ones(len(train)))
        right += float(np.sum(0.5 + 0.5 * np.sign(ridge.predict(differences[held_out] / scale))))
    return right / len(differences)


def _label_drop(features: np.ndarray, labels: Sequence[object]) -> float:
    """Return `MirrorTest.label_drop`, over labels that have an image for each fold."""
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
        predicted, predicted_mirrored = (classifier.predict((rows[held_out] - mean) / scale) for rows in (features, mirrored))
        lost[held_out] = (predicted == names[held_out]).astype(float) - (predicted_mirrored == names[held_out])
    return max(0.0, float(lost.mean() - 3.0 * lost.std() / math.sqrt(len(lost))))


def _negative(label: object) -> bool:
    return isinstance(label, (int, float, np.number)) and bool(label < 0)


def _folds(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return indices of training and of held-out images for each fold. Images are already in random order."""
    places = np.arange(count)
    return [(places[places % FOLDS != fold], places[places % FOLDS == fold]) for fold in range(FOLDS)]
