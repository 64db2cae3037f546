"""Describe anomalies in plain sentences."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import anomalies_pb2

from common import features

FEATURES = {
    features.MEAN: "brightness (mean pixel)",
    features.STD: "contrast (standard deviation of the pixels)",
    features.EXPOSURE: "the shares of nearly black, white and constant pictures",
    features.LABEL: "the labels",
    features.HEIGHT: "height",
    features.WIDTH: "width",
    features.CHANNELS: "number of channels",
    features.FORMAT: "file format",
    features.REENCODED_FROM: "original file format of re-encoded pictures",
    features.ENCODED: "the pictures' bytes",
}


MAX_LABELS_SHOWN = 5  # in a sentence
SplitAnomalies = tuple[str, anomalies_pb2.Anomalies]  # a split, and its anomalies


@dataclass(frozen=True)
class Anomaly:
    """A problem with the pictures."""

    sentence: str  # the description
    feature: str = ""  # the feature that shows it, e.g. image/label; '' for the data set as a whole
    values: tuple[str, ...] = ()  # the wrong values of the feature, if they are few and known
    drifted: bool = False  # whether it is a problem only in comparison with the last accepted pictures


def describe_anomalies(by_split: Iterable[SplitAnomalies]) -> list[Anomaly]:
    """Return one `Anomaly` per TFDV anomaly: which pictures, which feature, what is wrong. Equal ones of several splits are one."""
    splits: dict[Anomaly, list[str]] = {}
    for split, anomalies in by_split:
        infos = dict(anomalies.anomaly_info)
        if anomalies.HasField("dataset_anomaly_info"):
            infos[""] = anomalies.dataset_anomaly_info
        for feature, info in sorted(infos.items()):
            drifted = any(reason.type in _DRIFT for reason in info.reason)
            sentence = f"{FEATURES.get(feature, feature) or 'the data set'}{_detail(info, drifted)}"
            where = splits.setdefault(Anomaly(sentence, feature, _values(info), drifted), [])
            if split not in where:
                where.append(split)
    named = ((anomaly, f"{listed(where)} pictures: {anomaly.sentence}") for anomaly, where in splits.items())
    return [dataclasses.replace(anomaly, sentence=sentence) for anomaly, sentence in named]


def listed(items: list[str]) -> str:
    """Join items to an enumeration: a, b and c."""
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1])))


def listed_labels(labels: list[str]) -> str:
    """Return an enumeration of the first labels, and the number of the others."""
    shown = [repr(label) for label in labels[:MAX_LABELS_SHOWN]]
    return listed([*shown, *([f"{len(labels) - MAX_LABELS_SHOWN} more"] if len(labels) > MAX_LABELS_SHOWN else [])])


def _detail(info: anomalies_pb2.AnomalyInfo, drifted: bool) -> str:
    divergence = re.search(r"(?:divergence|distance)[^0-9]*([0-9.eE+-]+).*?threshold ([0-9.eE+-]+)", info.description)
    if divergence and drifted:
        value, threshold = (float(number.rstrip(".")) for number in divergence.groups())
        return f" drifted from the last accepted pictures (Jensen-Shannon divergence {value:.3f}; {threshold:g} is allowed)"
    return f": {(info.description or info.short_description).strip().rstrip('.')}"


def _values(info: anomalies_pb2.AnomalyInfo) -> tuple[str, ...]:
    """Return the values that TFDV names in 'Examples contain values missing from the schema: fox (~3%), hen (<1%)'."""
    if not any(reason.type == anomalies_pb2.AnomalyInfo.ENUM_TYPE_UNEXPECTED_STRING_VALUES for reason in info.reason):
        return ()
    return tuple(re.findall(r"(?:: |, )(.+?) \([~<]?\d", info.description))


_DRIFT = (anomalies_pb2.AnomalyInfo.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH, anomalies_pb2.AnomalyInfo.COMPARATOR_L_INFTY_HIGH)
