"""Measure generated, training and reconstructed pictures against held-out ones."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from common.errors import one_line
from components.feature_extractor.description import read_features
from components.feature_extractor.splits import PixelGraph, Split, choose, why_too_few
from components.sample_quality.compare import Reference
from components.sample_quality.copies import MAX_QUERIES, MAX_TRAINING, Keys, find_copies, write_pairs
from components.sample_quality.figures import Copies, Distances, Quality, Reconstruction, frechet_ratio
from components.sample_quality.model import PRIOR, Model
from components.sample_quality.sets import Observer, PictureSet, ProgressCounter
from serving.c_api import TensorFlowError
from trainer.data import pixel_graph
from trainer.metrics import pictures as likeness

CHOICE = 0  # seed of the choice of pictures: the same for every model
PREAMBLE = ("Graph execution error", "Detected at node", "<stack traces")
# Errors of a model that does not answer correctly.
FAULTS = (OSError, KeyError, TypeError, ValueError, TensorFlowError, tf.errors.OpError)

log = logging.getLogger("darkroom.sample_quality")


def measure(
    examples: str,
    transform_graph: str,
    model: str,
    features: str,
    *,
    split: str,
    seed: int,
    max_pictures: int,
    baseline: str | None = None,
    folder: str | None = None,
) -> Quality:
    """Measure an exported model.

    Args:
        examples: URI of the `examples` artifact.
        transform_graph: URI of the `transform_graph` artifact.
        model: Folder of the SavedModel.
        features: URI of the `features` artifact.
        split: The held-out split.
        seed: Seed of the generated pictures.
        max_pictures: Maximum of N, the number of pictures on either side.
        baseline: Folder of the last blessed model's SavedModel; None if there is none.
        folder: Where copies and their originals are written; None: they are neither written nor listed.

    Returns:
        The figures, or the reason for having none: too few pictures, or a model that does not answer.
    """
    held_out, train = Split(examples, split), Split(examples, "train")
    if reason := why_too_few(held_out, train, split):
        return Quality(reason=reason, split=split, seed=seed)
    n = min(max_pictures, len(held_out), len(train))
    try:
        measurement = _Measurement(held_out, train, n, transform_graph, model, features, seed, baseline)
        return measurement.quality(split, folder)
    except FAULTS as error:
        # The gates judge whether the model is good; here, a bad model only lacks figures.
        reason = _short_message(error)
        log.warning("sample quality could not be measured: %s", reason)
        return Quality(reason=f"the model could not be measured: {reason}", split=split, seed=seed)


def _short_message(error: Exception) -> str:
    """Return an error's message without TensorFlow's boilerplate."""
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith(PREAMBLE)]
    return one_line(lines[0] if lines else type(error).__name__)


class _Measurement:
    """One model's measurement; see `measure` for the arguments."""

    def __init__(
        self, held_out: Split, train: Split, n: int, graph: str, folder: str, features: str, seed: int, baseline: str | None
    ):
        self._held_out, self._train, self._n, self._seed, self._baseline = held_out, train, n, seed, baseline
        self._graph: PixelGraph = pixel_graph(tft.TFTransformOutput(graph))
        self._model, self._features = Model(folder), read_features(features)
        self._observe = Observer(self._features, self._model)
        self._searched = choose(len(train), MAX_TRAINING, CHOICE)
        self._signatures = ["generate", *([PRIOR] if self._model.offers(PRIOR) else [])]
        # Sets besides the held-out pictures; reconstructions are counted with those.
        self._sets = 2 + len(self._signatures) + (baseline is not None)
        self._counted = ProgressCounter(total=n * self._sets + len(self._searched))

    def quality(self, split: str, folder: str | None) -> Quality:
        """Return all figures."""
        description = self._features.description
        reconstructions = _Reconstructions(self._model, self._observe)
        held_keys, new_keys = (Keys(self._observe.structure, MAX_QUERIES, mirrored=True) for _ in range(2))
        chosen = choose(len(self._held_out), self._n, CHOICE)
        real = self._observe_all(self._held_out.decode(chosen, self._graph), reconstructions.add, held_keys.add)
        features_hash = description.hash if self._features.network else self._model.hash()
        reference = Reference(real, description.kind, features_hash, reconstructions.originals.hexdigest(), total=self._sets)
        floor = reference.distances(self._observe_all(self._train.decode(choose(len(self._train), self._n, CHOICE), self._graph)))
        new_pictures = self._observe_all(self._model.generate("generate", self._n, self._seed), new_keys.add)
        generated, prior = reference.distances(new_pictures), None
        if PRIOR in self._signatures:
            prior = reference.distances(self._observe_all(self._model.generate(PRIOR, self._n, self._seed)))
        return Quality(
            split=split,
            seed=self._seed,
            generated=generated,
            prior=prior,
            floor=floor,
            reconstruction=reconstructions.figures(),
            to_prior=frechet_ratio(generated, prior),
            to_floor=frechet_ratio(generated, floor),
            classifier_accuracy=description.accuracy,
            copies=self._copies(new_keys, held_keys, folder),
            baseline=self._baseline_distances(reference),
            rebuilt=reference.distances(reconstructions.rebuilt()),
            spread=reference.spread(new_pictures, generated.two_sample),
        )

    def _observe_all(self, batches: Iterable[np.ndarray], *observers: Callable[[np.ndarray], None]) -> PictureSet:
        """Observe batches of uint8 [m, h, w, c]; call each function in `observers` with every batch."""
        parts = []
        for levels in self._counted(batches):
            parts.append(self._observe(levels))
            for observer in observers:
                observer(levels)
        return PictureSet.join(parts)

    def _baseline_distances(self, reference: Reference) -> Distances | None:
        """Return the figures of the last blessed model's new pictures; None if it fails or its pictures have another shape."""
        if self._baseline is None:
            return None
        try:
            model = Model(self._baseline)
            shapes = [one.image_shape for one in (model, self._model)]
            if shapes[0] != shapes[1]:
                raise ValueError(f"they have the shape {shapes[0]}, this model's {shapes[1]}")
            return reference.distances(self._observe_all(model.generate("generate", self._n, self._seed)))
        except FAULTS as error:
            log.warning("the last blessed model's pictures could not be measured: %s", _short_message(error))
            return None

    def _copies(self, new: Keys, held_out: Keys, folder: str | None) -> Copies:
        training = Keys(self._observe.structure, MAX_TRAINING)
        for levels in self._counted(self._train.decode(self._searched, self._graph)):
            training.add(levels)
        search = find_copies(new, held_out, training)
        if folder is None or not search.nearest:
            return search.copies
        pictures = self._model.pick("generate", [i for i, _, _ in search.nearest], self._n, self._seed)
        numbers = sorted({j for _, j, _ in search.nearest})
        originals = self._searched[numbers]
        decoded = np.concatenate(list(self._train.decode(originals, self._graph)))
        return write_pairs(folder, search, pictures, dict(zip(numbers, zip(self._train.paths(originals), decoded))))


class _Reconstructions:
    """Reconstruct held-out pictures, and compare them with the originals; `originals` is the SHA-256 of their pixels."""

    def __init__(self, model: Model, observe: Observer):
        self._model, self._observe, self._figures, self._parts = model, observe, [], []
        self.originals = hashlib.sha256()

    def add(self, levels: np.ndarray) -> None:
        """Add originals, uint8 [n, h, w, c]."""
        self.originals.update(np.ascontiguousarray(levels).tobytes())
        rebuilt = self._model.reconstruct(levels)
        self._parts.append(self._observe(rebuilt))
        pair = [pictures.astype(np.float32) / 255 for pictures in (levels, rebuilt)]
        self._figures.append([measured(*pair) for measured in (likeness.mse, likeness.psnr, likeness.ssim)])

    def rebuilt(self) -> PictureSet:
        """Return the features and statistics of the reconstructions."""
        return PictureSet.join(self._parts)

    def figures(self) -> Reconstruction:
        """Return means over all pictures."""
        values = np.concatenate(self._figures, axis=1)
        mse, psnr, ssim = map(float, values.mean(axis=1))
        return Reconstruction(mse, psnr, ssim, values.shape[1])
