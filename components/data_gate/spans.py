"""Check each span of a window separately: pooled with the others, one bad batch would pass and become part of the baseline."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections import Counter
from collections.abc import Mapping

from tfx.dsl.io import fileio

from common.features import LABEL
from components.data_gate.anomaly_checks import changed_labels, reject_anomalies
from components.data_gate.anomaly_text import FEATURES, Anomaly
from components.data_gate.config import ValidationConfig
from components.image_example_gen.writing.by_span import PICTURES, REFUSED, SpanCounts

EXPECTED = 10  # expected pictures of a label in a span, from which their absence counts: by chance once in 20,000 times


def read_spans(examples: str) -> SpanCounts:
    """Return the counts of each span from ImageExampleGen's summary; empty if the pictures are not in spans."""
    with fileio.open(os.path.join(examples, "summary.json")) as file:
        return parse_spans(json.load(file).get("spans", {}))


def parse_spans(values: Mapping[str, Mapping[str, Mapping[str, int]]]) -> SpanCounts:
    """Convert counts read from JSON."""
    return {span: {name: Counter(counts) for name, counts in features.items()} for span, features in values.items()}


def span_anomalies(now: SpanCounts, before: SpanCounts, config: ValidationConfig) -> tuple[list[Anomaly], dict[str, float]]:
    """Compare each span of this run with all spans of the last accepted pictures.

    A single span is judged by its statistics instead. A span that was among the accepted ones and is unchanged is not judged again.

    Returns:
        The anomalies, and by feature the largest Jensen-Shannon divergence (base 2, 0 to 1) of a span, less its mean by chance.
    """
    if len(now) < 2 or not before:
        return [], {}
    baseline = pooled(before)
    anomalies: list[Anomaly] = []
    largest: dict[str, float] = {}
    for span, features in now.items():
        if features == before.get(span):
            continue
        for name, allowed in config.drift().items():
            distance = divergence(features.get(name, Counter()), baseline.get(name, Counter()))
            largest[name] = max(largest.get(name, 0.0), distance)
            if distance > allowed:
                text = f"drifted from the last accepted pictures (Jensen-Shannon divergence {distance:.3f}; {allowed:g} is allowed)"
                anomalies.append(Anomaly(f"{span}: {FEATURES.get(name, name)} {text}", name, drifted=True))
        anomalies += _vanished(span, features.get(LABEL, Counter()), baseline.get(LABEL, Counter()), config)
        rejected, share = _rejected(features)
        anomalies += [_in_span(span, anomaly) for anomaly in reject_anomalies(rejected, share, _rejected(baseline)[1], config)]
    return anomalies, largest


def pooled(spans: SpanCounts) -> dict[str, Counter[str]]:
    """Return the counts of all spans together, by feature."""
    total: dict[str, Counter[str]] = {}
    for features in spans.values():
        for name, counts in features.items():
            total.setdefault(name, Counter()).update(counts)
    return total


def divergence(first: Counter[str], second: Counter[str]) -> float:
    """Return the Jensen-Shannon divergence of two histograms, less its mean for samples of one distribution; 0 if one is empty.

    That mean is (k - 1) / (8 ln 2) (1/n + 1/m) for n and m samples in k bins: twice the divergence in nats times the harmonic
    mean of the sizes is approximately chi-squared distributed (Lin 1991; Grosse et al. 2002, eq. 13).
    """
    n, m = first.total(), second.total()
    if not n or not m:
        return 0.0
    values = sorted(set(first) | set(second))
    distance = 0.0
    for value in values:
        p, q = first[value] / n, second[value] / m
        middle = (p + q) / 2
        distance += sum(share * math.log2(share / middle) for share in (p, q) if share) / 2
    return max(0.0, distance - (len(values) - 1) / (8 * math.log(2)) * (1 / n + 1 / m))


def _vanished(span: str, labels: Counter[str], baseline: Counter[str], config: ValidationConfig) -> list[Anomaly]:
    """Return an anomaly for labels that are missing although a span of this size should have some."""
    if config.label_set == "free" or not baseline.total():
        return []
    share = labels.total() / baseline.total()
    missing = sorted(label for label, count in baseline.items() if label and count * share >= EXPECTED and not labels[label])
    return [_in_span(span, anomaly) for anomaly in changed_labels("vanished: the last accepted pictures have", missing)]


def _rejected(features: Mapping[str, Counter[str]]) -> tuple[int, float]:
    counts = features.get(PICTURES, Counter())
    return counts[REFUSED], counts[REFUSED] / max(counts.total(), 1)


def _in_span(span: str, anomaly: Anomaly) -> Anomaly:
    return dataclasses.replace(anomaly, sentence=f"{span}: {anomaly.sentence}")
