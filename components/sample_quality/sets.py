"""The features and statistics of a set of pictures for comparisons with other sets, computed batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from common.progress import report_progress
from components.feature_extractor.description import Features
from components.sample_quality.model import Model
from trainer.metrics.spectrum import high_frequency_power, pixel_statistics

Extract = Callable[[np.ndarray], np.ndarray]  # from pictures uint8 [n, h, w, c] to features float32 [n, f]


class PictureSet(NamedTuple):
    """The features and statistics of n pictures."""

    features: np.ndarray  # the features for distances, float32 [n, f]
    # All inputs of the two-sample classifier, float32 [n, v]: features of all networks, and `pixel_statistics`
    two_sample_inputs: np.ndarray
    sharpness: np.ndarray  # power of the high spatial frequencies, float64 [n]
    labels: np.ndarray  # the most likely label of each picture, int64 [n]; -1 without a classifier

    @classmethod
    def join(cls, parts: Iterable[PictureSet]) -> PictureSet:
        """Concatenate sets."""
        return cls(*map(np.concatenate, zip(*parts)))


class Observer:
    """Convert pictures to their features and statistics.

    Args:
        features: The feature spaces.
        model: The judged model, whose encoder replaces the network if the artifact has none.

    Attributes:
        structure: Features of the self-supervised network, or those for distances if the artifact has no such network.
    """

    def __init__(self, features: Features, model: Model):
        self._classifier = features.classifier
        self._extract: Extract = features.network.features if features.network else model.encode
        is_extra = features.self_supervised is not None and features.self_supervised is not features.network
        self._extra: Extract | None = features.self_supervised.features if is_extra else None
        self.structure: Extract = self._extra or self._extract

    def __call__(self, levels: np.ndarray) -> PictureSet:
        """Return the features and statistics of pictures uint8 [n, h, w, c]."""
        if self._classifier:
            features, labels = self._classifier.features_and_labels(levels)
        else:
            features, labels = self._extract(levels), np.full(len(levels), -1)
        extra = [self._extra(levels)] if self._extra else []
        two_sample_inputs = np.concatenate([features, *extra, pixel_statistics(levels)], axis=1)
        return PictureSet(features, two_sample_inputs, high_frequency_power(levels), labels)


class ProgressCounter:
    """Count passing pictures, and report the progress."""

    def __init__(self, total: int):
        self._total, self._done = total, 0

    def __call__(self, batches: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
        """Yield the same batches; each is counted when the next one is requested."""
        for levels in batches:
            yield levels
            self._done += len(levels)
            report_progress("sample quality", done=self._done, total=self._total)
