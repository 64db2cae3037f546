"""`features.json`: what the features are."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from typing import Literal

import tensorflow as tf

from components.feature_extractor.classifier import Classifier

DESCRIPTION = "features.json"
WEIGHTS = "weights.npz"


@dataclass(frozen=True)
class Description:
    """What the features are.

    Attributes:
        kind: `classifier`: of the classifier beside; `encoder`: of the encoder of the model that is measured.
        reason: Why there is no classifier.
        hash: SHA-256 of the classifier's weights, 64 hexadecimal digits; an encoder's is known with the model.
        dimensions: Length of a picture's features.
        image_shape: Height, width, channels of the pictures that the classifier sees.
        labels: What it tells apart.
        pictures: How many it was trained on.
        seed: Of its training.
        split: The held-out split that its accuracy was measured on.
        held_out: On how many pictures.
        accuracy: Share of them that it names right; None where there were none.
        chance: Share that always naming the commonest label would get right.
        schema: Version of this format.
    """

    kind: Literal["classifier", "encoder"]
    reason: str | None = None
    hash: str | None = None
    dimensions: int | None = None
    image_shape: tuple[int, int, int] | None = None
    labels: tuple[str, ...] = ()
    pictures: int = 0
    seed: int = 0
    split: str = ""
    held_out: int = 0
    accuracy: float | None = None
    chance: float | None = None
    schema: int = 1


def write_features(uri: str, description: Description, classifier: Classifier | None) -> None:
    """Writes the artifact at `uri`."""
    tf.io.gfile.makedirs(uri)
    if classifier is not None:
        with tf.io.gfile.GFile(os.path.join(uri, WEIGHTS), "wb") as file:
            file.write(classifier.to_bytes())
    with tf.io.gfile.GFile(os.path.join(uri, DESCRIPTION), "w") as file:
        file.write(json.dumps(dataclasses.asdict(description), indent=1, ensure_ascii=False) + "\n")


def read_description(uri: str) -> Description:
    """What the artifact at `uri` says of itself, without the classifier's weights."""
    with tf.io.gfile.GFile(os.path.join(uri, DESCRIPTION)) as file:
        values = json.load(file)
    return Description(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def read_features(uri: str) -> tuple[Description, Classifier | None]:
    """Reads the artifact at `uri`; without a classifier the features are those of the model's encoder.

    Raises:
        ValueError: The weights are not those that the description is of.
    """
    described = read_description(uri)
    if described.kind == "encoder":
        return described, None
    with tf.io.gfile.GFile(os.path.join(uri, WEIGHTS), "rb") as file:
        classifier = Classifier.from_bytes(file.read(), described.image_shape)
    if classifier.hash() != described.hash:
        raise ValueError(f"{os.path.join(uri, WEIGHTS)} is not the classifier that {DESCRIPTION} describes")
    return described, classifier
