"""Compare sets of pictures with held-out ones."""

from __future__ import annotations

from common.progress import report_progress
from components.sample_quality.figures import Distances, FeatureKind, Spread
from components.sample_quality.sets import PictureSet
from trainer.metrics.distances import (
    GROUPS,
    frechet_distance,
    frechet_spread,
    kernel_distance,
    label_divergence,
    precision_recall_density_coverage,
)
from trainer.metrics.two_sample import accuracy_spread, two_sample_accuracy

CHOICE = 0  # seed of subsets and folds: the same for every model


class Reference:
    """The held-out pictures.

    Args:
        real: Their features and statistics.
        kind: The kind of features in `real`.
        features_hash: SHA-256 of the network's weights.
        held_out_hash: SHA-256 of the pictures' pixels.
        total: Number of sets to be compared, for the progress report.
    """

    def __init__(self, real: PictureSet, kind: FeatureKind, features_hash: str, held_out_hash: str, total: int):
        self._real, self._total, self._done = real, total, 0
        self._basis = {"features": kind, "features_hash": features_hash, "held_out_hash": held_out_hash}

    def distances(self, pictures: PictureSet) -> Distances:
        """Return the distances of a set of as many pictures from the held-out ones."""
        kernel = kernel_distance(self._real.features, pictures.features, seed=CHOICE)
        sharpness = float(self._real.sharpness.mean())
        distances = Distances(
            frechet_distance=frechet_distance(self._real.features, pictures.features),
            kernel_distance=kernel.mean,
            kernel_distance_spread=kernel.spread,
            **precision_recall_density_coverage(self._real.features, pictures.features)._asdict(),
            **self._basis,
            pictures=len(pictures.features),
            two_sample=two_sample_accuracy(self._real.two_sample_inputs, pictures.two_sample_inputs, seed=CHOICE),
            high_frequencies=float(pictures.sharpness.mean()) / sharpness if sharpness > 0 else None,
            label_divergence=label_divergence(self._real.labels, pictures.labels) if self._real.labels.min() >= 0 else None,
        )
        self._done += 1
        report_progress("comparing pictures", done=self._done, total=self._total, unit="sets")
        return distances

    def spread(self, pictures: PictureSet, accuracy: float) -> Spread:
        """Return the spread of a set's figures over generation seeds; `accuracy` is its two-sample accuracy."""
        varying = frechet_spread(self._real.features, pictures.features, seed=CHOICE)
        return Spread(varying, accuracy_spread(accuracy, len(pictures.features)), GROUPS)
