"""Read and write feature spaces and their description, `features.json`."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from typing import Literal

import tensorflow as tf

from components.feature_extractor.classifier import Classifier
from trainer.features.network import FeatureNetwork
from trainer.features.self_supervised import SelfSupervised

DESCRIPTION = "features.json"
WEIGHTS = "weights.npz"  # of the classifier
SELF_SUPERVISED_WEIGHTS = "self_supervised.npz"


@dataclass(frozen=True)
class Description:
    """The description of a feature space."""

    # `classifier`: features of a classifier of the labels; `self_supervised`: of a network trained without labels; `none`: too few
    # pictures are there to be compared; `encoder`: features of the measured model's encoder, in artifacts of earlier versions
    kind: Literal["classifier", "self_supervised", "none", "encoder"]
    reason: str | None = None  # why there is no classifier, or for `none` no network
    # SHA-256 of the network's weights, 64 hexadecimal digits; None without a network
    hash: str | None = None
    dimensions: int | None = None  # length of a picture's features
    image_shape: tuple[int, int, int] | None = None  # height, width, channels of the network's input
    labels: tuple[str, ...] = ()  # the labels that the classifier distinguishes
    pictures: int = 0  # number of training pictures
    seed: int = 0  # seed of the training
    split: str = ""  # the held-out split on which the classifier's accuracy was measured
    held_out: int = 0  # number of pictures for that
    # Share of them that the classifier labels correctly; None without such pictures or without a classifier
    accuracy: float | None = None
    chance: float | None = None  # accuracy of always predicting the most common label
    schema: int = 1  # version of this format
    # SHA-256 of the weights of the self-supervised network, which exists besides a classifier too; None if there are too few
    # pictures to be compared, and in artifacts of earlier versions
    self_supervised_hash: str | None = None
    self_supervised_shape: tuple[int, int, int] | None = None  # height, width, channels of that network's input


@dataclass(frozen=True)
class Features:
    """The feature spaces of a set of pictures."""

    description: Description  # their description
    classifier: Classifier | None = None  # the classifier of the labels; None without labels
    self_supervised: SelfSupervised | None = None  # the self-supervised network; None if `self_supervised_hash` is

    @property
    def network(self) -> FeatureNetwork | None:
        """The network whose features distances are computed on; None for `none`, and for features of the judged model's encoder."""
        return self.classifier or self.self_supervised


def write_features(uri: str, features: Features) -> None:
    """Write the artifact at `uri`."""
    tf.io.gfile.makedirs(uri)
    for name, network in ((WEIGHTS, features.classifier), (SELF_SUPERVISED_WEIGHTS, features.self_supervised)):
        if network is not None:
            with tf.io.gfile.GFile(os.path.join(uri, name), "wb") as file:
                file.write(network.to_bytes())
    with tf.io.gfile.GFile(os.path.join(uri, DESCRIPTION), "w") as file:
        file.write(json.dumps(dataclasses.asdict(features.description), indent=1, ensure_ascii=False) + "\n")


def read_description(uri: str) -> Description:
    """Read the description of the artifact at `uri`, without any weights."""
    with tf.io.gfile.GFile(os.path.join(uri, DESCRIPTION)) as file:
        values = json.load(file)
    return Description(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def read_features(uri: str) -> Features:
    """Read the artifact at `uri`. Raise ValueError if the weights do not match the description."""
    described = read_description(uri)
    classifier = self_supervised = None
    if described.kind == "classifier":
        classifier = _read(uri, WEIGHTS, Classifier, described.image_shape, described.hash)
    if described.self_supervised_hash:
        shape, expected = described.self_supervised_shape, described.self_supervised_hash
        self_supervised = _read(uri, SELF_SUPERVISED_WEIGHTS, SelfSupervised, shape, expected)
    return Features(described, classifier, self_supervised)


def _read(uri: str, name: str, kind: type, shape: tuple[int, int, int], expected: str) -> FeatureNetwork:
    path = os.path.join(uri, name)
    with tf.io.gfile.GFile(path, "rb") as file:
        network = kind.from_bytes(file.read(), shape)
    if network.hash() != expected:
        raise ValueError(f"{path} is not the network that {DESCRIPTION} describes; run again with --no-cache")
    return network
