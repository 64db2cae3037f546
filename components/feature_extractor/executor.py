"""The executor of FeatureExtractor."""

from __future__ import annotations

import collections
import dataclasses
import logging
from typing import Any

import numpy as np
import tensorflow_transform as tft
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from common.progress import report_progress
from components.artifacts import Artifacts
from components.feature_extractor import classifier
from components.feature_extractor.description import Description, Features, write_features
from components.feature_extractor.splits import PixelGraph, Split, choose, why_too_few
from trainer.data import pixel_graph
from trainer.features import self_supervised
from trainer.features.network import shrink, smaller_shape

MAX_PICTURES = 60_000
MAX_UNLABELED = 25_000  # for the self-supervised network, which sees about 100,000 in all
MAX_HELD_OUT = 10_000
MAX_LABELS = 1_000
PICTURES_PER_LABEL = 20  # too few pictures teach nothing about a label

log = logging.getLogger("darkroom.feature_extractor")


class Executor(base_executor.BaseExecutor):
    """See `components.feature_extractor.component.FeatureExtractor`."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Train the networks; write features.json (see `Description`) and their weights."""
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        transform_graph = artifact_utils.get_single_instance(input_dict["transform_graph"])
        features = extract(examples.uri, transform_graph.uri, exec_properties["split"], int(exec_properties.get("seed") or 0))
        write_features(artifact_utils.get_single_uri(output_dict["features"]), features)


def extract(examples: str, transform_graph: str, held_out: str, seed: int) -> Features:
    """Train the self-supervised network and, if there are labels, the classifier.

    If there are too few pictures to be compared, there is no self-supervised network. The classifier's accuracy, which reveals
    shuffled labels, is measured on any number of pictures.

    Args:
        examples: URI of the `examples` artifact.
        transform_graph: URI of the `transform_graph` artifact.
        held_out: Name of the split on which the classifier's accuracy is measured.
        seed: Seed of the networks.
    """
    split, judged = Split(examples, "train"), Split(examples, held_out)
    graph = pixel_graph(tft.TFTransformOutput(transform_graph))
    too_few = why_too_few(judged, split, held_out)
    without = Features(Description("none", too_few, seed=seed)) if too_few else _self_supervised(split, graph, seed)
    labels = known_labels(split.labels)
    if len(labels) < 2:
        log.info("%s: features are of kind %s", without.description.reason, without.description.kind)
        return without
    features, shared = _classify(split, judged, labels, held_out, graph, seed), without.description
    description = dataclasses.replace(
        features.description,
        self_supervised_hash=shared.self_supervised_hash,
        self_supervised_shape=shared.self_supervised_shape,
    )
    return dataclasses.replace(features, description=description, self_supervised=without.self_supervised)


def known_labels(labels: np.ndarray) -> list[str]:
    """Return the labels with enough pictures to be learned, sorted; only the most common ones if there are too many.

    Args:
        labels: The label of each training picture, object [n] of str, empty for none.
    """
    counted = collections.Counter(labels.tolist())
    counted.pop("", None)
    enough = [(-count, label) for label, count in counted.items() if count >= PICTURES_PER_LABEL]
    return sorted(label for _, label in sorted(enough)[:MAX_LABELS])


def _self_supervised(split: Split, graph: PixelGraph, seed: int) -> Features:
    """Return the self-supervised network alone."""
    levels = _decode("train", split, choose(len(split), MAX_UNLABELED, seed), self_supervised.LARGEST, graph)
    network = self_supervised.train(levels, seed)
    description = Description(
        "self_supervised",
        reason=f"fewer than 2 labels have {PICTURES_PER_LABEL} training pictures",
        hash=network.hash(),
        dimensions=self_supervised.DIMENSIONS,
        image_shape=levels.shape[1:],
        pictures=len(levels),
        seed=seed,
        self_supervised_hash=network.hash(),
        self_supervised_shape=levels.shape[1:],
    )
    return Features(description, None, network)


def _classify(split: Split, held_out: Split, labels: list[str], name: str, graph: PixelGraph, seed: int) -> Features:
    """Return the classifier of the labels, with its accuracy on held-out pictures."""
    levels, truth = _labeled("train", split, labels, MAX_PICTURES, seed, graph)
    network = classifier.train(levels, truth, seed)
    held_levels, held_truth = _labeled(name, held_out, labels, MAX_HELD_OUT, seed, graph)
    correct = [network.predict(held_levels[i : i + 500]) == held_truth[i : i + 500] for i in range(0, len(held_truth), 500)]
    description = Description(
        "classifier",
        hash=network.hash(),
        dimensions=classifier.DIMENSIONS,
        image_shape=levels.shape[1:],
        labels=tuple(labels),
        pictures=len(levels),
        seed=seed,
        split=name,
        held_out=len(held_truth),
        accuracy=float(np.concatenate(correct).mean()) if correct else None,
        chance=float((held_truth == np.bincount(truth).argmax()).mean()) if correct else None,
    )
    return Features(description, network)


def _labeled(name: str, split: Split, labels: list[str], limit: int, seed: int, graph: PixelGraph) -> tuple[np.ndarray, np.ndarray]:
    """Return a choice of a split's labeled pictures, uint8 [n, h, w, c] at the classifier's size, and labels, int32 [n]."""
    index = {label: i for i, label in enumerate(labels)}
    truth = np.array([index.get(label, -1) for label in split.labels], np.int32)
    chosen = choose(np.flatnonzero(truth >= 0), limit, seed)
    return _decode(name, split, chosen, classifier.LARGEST, graph), truth[chosen]


def _decode(name: str, split: Split, chosen: np.ndarray, largest: int, graph: PixelGraph) -> np.ndarray:
    """Return the chosen pictures of a split, uint8 [n, h, w, c] with no side above `largest`."""
    batches, done = [], 0
    for batch in split.decode(chosen, graph):
        batches.append(shrink(batch, smaller_shape(batch.shape[1:], largest)).numpy())
        done += len(batch)
        report_progress(f"decoding {name}", done=done, total=len(chosen))
    return np.concatenate(batches) if batches else np.zeros((0, 1, 1, 1), np.uint8)
