"""Anomalies in a person's words."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tensorflow_metadata.proto.v0 import anomalies_pb2

FEATURES = {
    "image/mean": "brightness (mean pixel)",
    "image/std": "contrast (standard deviation of the pixels)",
    "image/label": "the labels",
    "image/height": "height",
    "image/width": "width",
    "image/channels": "number of channels",
    "image/format": "file format",
    "image/encoded": "the pictures' bytes",
}


Found = tuple[str, anomalies_pb2.Anomalies]  # a split, and what was found in it


def describe_anomalies(found: Iterable[Found]) -> list[str]:
    """A sentence for each anomaly: which pictures, what of them, what is wrong; the same in several splits is said once.

    Args:
        found: What was found, by split; the same anomaly may come twice.
    """
    splits: dict[str, list[str]] = {}
    for split, anomalies in found:
        infos = dict(anomalies.anomaly_info)
        if anomalies.HasField("dataset_anomaly_info"):
            infos[""] = anomalies.dataset_anomaly_info
        for feature, info in sorted(infos.items()):
            where = splits.setdefault(f"{FEATURES.get(feature, feature) or 'the data set'}{_detail(info)}", [])
            if split not in where:
                where.append(split)
    return [f"{_listed(where)} pictures: {sentence}" for sentence, where in splits.items()]


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _detail(info: anomalies_pb2.AnomalyInfo) -> str:
    divergence = re.search(r"(?:divergence|distance)[^0-9]*([0-9.eE+-]+).*?threshold ([0-9.eE+-]+)", info.description)
    if divergence and any(reason.type in _DRIFT for reason in info.reason):
        value, threshold = (float(number.rstrip(".")) for number in divergence.groups())
        return f" drifted from the pictures before (Jensen-Shannon divergence {value:.3f}, at most {threshold:g} is allowed)"
    return f": {(info.description or info.short_description).strip().rstrip('.')}"


_DRIFT = (anomalies_pb2.AnomalyInfo.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH, anomalies_pb2.AnomalyInfo.COMPARATOR_L_INFTY_HIGH)
