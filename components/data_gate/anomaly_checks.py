"""Check for anomalies that TFDV does not detect: too many empty pictures, and labels that appear or vanish."""

from __future__ import annotations

from collections import Counter

from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types

from common.features import EXPOSURE, LABEL
from components.data_gate.anomaly_text import Anomaly, listed_labels
from components.data_gate.config import ValidationConfig
from components.data_gate.statistics import Values, read_statistics, splits_of, values_of

MIN_REJECTS = 10  # fewer rejected pictures may be chance


def exposure_anomalies(statistics: types.Artifact, config: ValidationConfig) -> list[Anomaly]:
    """Return an anomaly for each split with too large a share of nearly black, nearly white or nearly constant pictures."""
    limits = {"near-black": config.max_near_black, "near-white": config.max_near_white, "near-constant": config.max_near_constant}
    anomalies = []
    for split in splits_of(statistics):
        values = values_of(read_statistics(statistics, split), EXPOSURE)
        for exposure, allowed in limits.items():
            if values is None or allowed is None:
                continue
            share = values.counts[exposure] / max(values.counts.total(), 1)
            if share > allowed:
                setting = f"max_{exposure.replace('-', '_')}"
                sentence = f"{split} pictures: {share:.0%} of them are {exposure}; validation.{setting} allows {allowed:.0%}"
                sentence += "; masks of levels 0 and 1 need data.levels=1" if exposure == "near-black" else ""
                anomalies.append(Anomaly(sentence, EXPOSURE, (exposure,)))
    return anomalies


def reject_anomalies(rejected: int, share: float, before: float, config: ValidationConfig) -> list[Anomaly]:
    """Return an anomaly if the share of rejected pictures is far above that of the last accepted pictures.

    Args:
        rejected: Number of pictures rejected now.
        share: Their share of all pictures, 0 to 1.
        before: The share of rejected pictures among the last accepted ones, 0 to 1.
        config: The allowed rise.
    """
    max_rise = config.max_rejects_rise
    if max_rise is None or rejected < MIN_REJECTS or share - before <= max_rise:
        return []
    sentence = f"{share:.1%} of the pictures ({rejected:,}) cannot be used, up from {before:.1%} of the last accepted ones"
    sentence += f"; validation.max_rejects_rise allows a rise of {max_rise:.0%}"
    return [Anomaly(sentence, drifted=True)]


def label_anomalies(
    statistics: types.Artifact, baseline: types.Artifact | None, schema: schema_pb2.Schema, config: ValidationConfig
) -> list[Anomaly]:
    """Return anomalies for labels, over all splits, that are new or vanished. TFDV reports those that the schema does not list."""
    if config.label_set == "free":
        return []
    now = labels_of(statistics)
    domain = label_domain(schema)
    if domain:
        vanished = sorted(set(domain) - set(now.counts)) if now.complete else []
        return changed_labels("vanished: the schema lists", vanished)
    if baseline is None:
        return []
    before = labels_of(baseline)
    if not (now.complete and before.complete and before.counts):
        return []
    new = sorted(set(now.counts) - set(before.counts))
    vanished = sorted(set(before.counts) - set(now.counts))
    return changed_labels("new: the last accepted pictures have no", new) + changed_labels(
        "vanished: the last accepted pictures have", vanished
    )


def labels_of(statistics: types.Artifact) -> Values:
    """Return the labels of all splits together, without '', the label of unlabeled pictures."""
    counts: Counter[str] = Counter()
    complete = True
    for split in splits_of(statistics):
        values = values_of(read_statistics(statistics, split), LABEL)
        if values is not None:
            counts.update(values.counts)
            complete &= values.complete
    del counts[""]
    return Values(counts, complete)


def label_domain(schema: schema_pb2.Schema) -> list[str]:
    """Return the labels that the schema lists; none if it does not restrict them."""
    feature = next((feature for feature in schema.feature if feature.name == LABEL), None)
    return [value for value in feature.string_domain.value if value] if feature is not None else []


def changed_labels(change: str, labels: list[str]) -> list[Anomaly]:
    """Return an anomaly for labels that are new or vanished, as `change` says; none without labels."""
    if not labels:
        return []
    verb = "is" if change.startswith("new") else "has"
    subject = f"{len(labels)} labels {'are' if verb == 'is' else 'have'}" if len(labels) > 1 else f"a label {verb}"
    return [Anomaly(f"{subject} {change} {listed_labels(labels)}", LABEL, tuple(labels), drifted=True)]
