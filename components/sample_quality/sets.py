"""What is kept of a set of pictures to compare it with another one: features and statistics, batch by batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from common.progress import report_progress
from components.feature_extractor.description import Features
from components.sample_quality.model import Model
from trainer.metrics.spectrum import high_frequency_power, pixel_statistics

Extract = Callable[[np.ndarray], np.ndarray]  # from pictures uint8 [n, h, w, c] to features float32 [n, f]


@dataclass(frozen=True)
class PictureSet:
    """What is kept of n pictures.

    Attributes:
        features: What distances are on, float32 [n, f].
        seen: All that a classifier may tell sets apart by, float32 [n, v]: features of all networks, and `pixel_statistics`.
        sharpness: Power of the high spatial frequencies, float64 [n].
        labels: The likeliest label of each, int64 [n]; -1 where there is no classifier.
    """

    features: np.ndarray
    seen: np.ndarray
    sharpness: np.ndarray
    labels: np.ndarray

    @classmethod
    def join(cls, parts: Iterable[PictureSet]) -> PictureSet:
        """All pictures of some sets."""
        return cls(*(np.concatenate(column) for column in zip(*map(_columns, parts))))


class Observer:
    """Turns pictures into what is kept of them.

    Args:
        features: The feature spaces.
        model: The judged model, whose encoder takes the place of a network where an artifact has none.

    Attributes:
        structure: Features of the self-supervised network; of an artifact that has none, those that distances are on.
    """

    def __init__(self, features: Features, model: Model):
        self._classifier = features.classifier
        self._extract: Extract = features.network.features if features.network else model.encode
        other = features.self_supervised is not None and features.self_supervised is not features.network
        self._other: Extract | None = features.self_supervised.features if other else None
        self.structure: Extract = self._other or self._extract

    def __call__(self, levels: np.ndarray) -> PictureSet:
        """What is kept of pictures uint8 [n, h, w, c]."""
        if self._classifier:
            features, labels = self._classifier.look(levels)
        else:
            features, labels = self._extract(levels), np.full(len(levels), -1)
        others = [self._other(levels)] if self._other else []
        seen = np.concatenate([features, *others, pixel_statistics(levels)], axis=1)
        return PictureSet(features, seen, high_frequency_power(levels), labels)


class Counted:
    """Counts pictures as they come by, and reports how far that is of all.

    Args:
        total: How many there will be.
    """

    def __init__(self, total: int):
        self._total, self._done = total, 0

    def __call__(self, batches: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
        """The same batches, each counted when the next one is asked for."""
        for levels in batches:
            yield levels
            self._done += len(levels)
            report_progress("sample quality", done=self._done, total=self._total)


def _columns(part: PictureSet) -> tuple[np.ndarray, ...]:
    return tuple(getattr(part, field.name) for field in dataclasses.fields(part))
