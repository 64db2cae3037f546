"""Anomalies in a person's words."""

from __future__ import annotations

import re

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


def describe_anomaly(split: str, feature: str, info: anomalies_pb2.AnomalyInfo) -> str:
    """One sentence: which pictures, what of them, what is wrong.

    Args:
        split: The split it was found in.
        feature: The feature's name, empty for the data set as a whole.
        info: TFDV's description.
    """
    subject = FEATURES.get(feature, feature) or "the data set"
    return f"{split} pictures: {subject}: {_detail(info)}"


def _detail(info: anomalies_pb2.AnomalyInfo) -> str:
    divergence = re.search(r"(?:divergence|distance)[^0-9]*([0-9.eE+-]+).*?threshold ([0-9.eE+-]+)", info.description)
    if divergence and any(reason.type in _DRIFT for reason in info.reason):
        value, threshold = (float(number.rstrip(".")) for number in divergence.groups())
        return f"drifted from the pictures before (Jensen-Shannon divergence {value:.3f}, allowed {threshold:g})"
    return (info.description or info.short_description).strip().rstrip(".")


_DRIFT = (anomalies_pb2.AnomalyInfo.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH, anomalies_pb2.AnomalyInfo.COMPARATOR_L_INFTY_HIGH)
