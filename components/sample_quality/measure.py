"""Measures generated, training and rebuilt pictures against held-out ones."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components.feature_extractor.description import read_features
from components.feature_extractor.splits import Split, choose
from components.sample_quality.figures import Distances, Quality, Reconstruction, frechet_ratio
from components.sample_quality.model import PRIOR, Model
from serving.errors import one_line
from trainer.data import pixel_graph
from trainer.metrics import pictures as likeness
from trainer.metrics.distances import frechet_distance, kernel_distance, precision_recall_density_coverage
from trainer.progress import report_progress

FEWEST = 50  # with fewer held-out pictures the floor is as high as the distances
CHOICE = 0  # seed of the choice of pictures, and of the kernel distance's subsets: the same for every model
PREAMBLE = ("Graph execution error", "Detected at node", "<stack traces")

log = logging.getLogger("darkroom.sample_quality")


def measure(examples: str, transform_graph: str, model: str, features: str, *, split: str, seed: int, most: int) -> Quality:
    """Measures an exported model.

    Args:
        examples: URI of the `examples` artifact.
        transform_graph: URI of the `transform_graph` artifact.
        model: Folder of the SavedModel.
        features: URI of the `features` artifact.
        split: The held-out split.
        seed: Of the generated pictures.
        most: N at the most.

    Returns:
        The figures, or why there are none: too few pictures, or a model that does not answer.
    """
    held_out, train = Split(examples, split), Split(examples, "train")
    n = min(most, len(held_out), len(train))
    if n < FEWEST:
        few = f"{len(held_out)} {split}" if len(held_out) < FEWEST else f"{len(train)} training"
        return Quality(reason=f"there are only {few} pictures, and it takes {FEWEST}", split=split, seed=seed)
    try:
        return _measure(held_out, train, n, transform_graph, model, features, split, seed)
    except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
        # The gates judge whether the model is any good; here a bad one costs its figures only.
        reason = _in_a_line(error)
        log.warning("sample quality could not be measured: %s", reason)
        return Quality(reason=f"the model could not be measured: {reason}", split=split, seed=seed)


def _in_a_line(error: Exception) -> str:
    """What an error says, without what TensorFlow says of every one."""
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith(PREAMBLE)]
    return one_line(lines[0] if lines else type(error).__name__)


def _measure(
    held_out: Split, train: Split, n: int, transform_graph: str, folder: str, features: str, split: str, seed: int
) -> Quality:
    model, graph = Model(folder), pixel_graph(tft.TFTransformOutput(transform_graph))
    description, classifier = read_features(features)
    extract = classifier.features if classifier else model.encode
    features_hash = description.hash if classifier else model.hash()
    signatures = ["generate", *([PRIOR] if model.offers(PRIOR) else [])]
    gather = _Gatherer(extract, total=n * (2 + len(signatures)))
    rebuilding = _Rebuilding(model)
    real = gather(held_out.decode(choose(len(held_out), n, CHOICE), graph), rebuilding.add)
    held_out_hash = rebuilding.originals.hexdigest()

    def against_held_out(batches: Iterable[np.ndarray]) -> Distances:
        found = gather(batches)
        kernel = kernel_distance(real, found, seed=CHOICE)
        return Distances(
            frechet_distance=frechet_distance(real, found),
            kernel_distance=kernel.mean,
            kernel_distance_spread=kernel.spread,
            **precision_recall_density_coverage(real, found)._asdict(),
            features=description.kind,
            features_hash=features_hash,
            held_out_hash=held_out_hash,
            pictures=n,
        )

    floor = against_held_out(train.decode(choose(len(train), n, CHOICE), graph))
    made = {signature: against_held_out(model.generate(signature, n, seed)) for signature in signatures}
    generated, prior = made["generate"], made.get(PRIOR)
    return Quality(
        split=split,
        seed=seed,
        generated=generated,
        prior=prior,
        floor=floor,
        reconstruction=rebuilding.figures(),
        to_prior=frechet_ratio(generated, prior),
        to_floor=frechet_ratio(generated, floor),
        classifier_accuracy=description.accuracy,
    )


class _Gatherer:
    """Turns batches of pictures into features, and says how far it has come over all of them."""

    def __init__(self, extract: Callable[[np.ndarray], np.ndarray], total: int):
        self._extract, self._total, self._done = extract, total, 0

    def __call__(self, batches: Iterable[np.ndarray], also: Callable[[np.ndarray], None] = lambda _: None) -> np.ndarray:
        """Features float32 [n, f] of batches of uint8 [m, h, w, c], each of which `also` is called with."""
        features = []
        for levels in batches:
            features.append(self._extract(levels))
            also(levels)
            self._done += len(levels)
            report_progress("sample quality", done=self._done, total=self._total)
        return np.concatenate(features)


class _Rebuilding:
    """Has held-out pictures rebuilt and sums up how like they are.

    Attributes:
        originals: SHA-256 over the pictures' pixels.
    """

    def __init__(self, model: Model):
        self._model, self._figures = model, []
        self.originals = hashlib.sha256()

    def add(self, levels: np.ndarray) -> None:
        """Takes in originals, uint8 [n, h, w, c]."""
        self.originals.update(np.ascontiguousarray(levels).tobytes())
        pair = [pictures.astype(np.float32) / 255 for pictures in (levels, self._model.reconstruct(levels))]
        self._figures.append([measured(*pair) for measured in (likeness.mse, likeness.psnr, likeness.ssim)])

    def figures(self) -> Reconstruction:
        """Means over all pictures."""
        values = np.concatenate(self._figures, axis=1)
        mse, psnr, ssim = map(float, values.mean(axis=1))
        return Reconstruction(mse, psnr, ssim, values.shape[1])
