"""The executor of the data gate: read ExampleValidator's anomalies, check for drift, and refuse with one sentence for each problem."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils

from common.errors import GateRefused
from components.artifacts import Artifacts
from components.baselines.registry import record_statistics
from components.data_gate.anomaly_checks import exposure_anomalies, label_anomalies, reject_anomalies
from components.data_gate.anomaly_text import SplitAnomalies, describe_anomalies
from components.data_gate.config import ValidationConfig
from components.data_gate.spans import parse_spans, read_spans, span_anomalies
from components.data_gate.statistics import read_statistics, splits_of
from components.decisions import BASELINE_ID, REJECTS, SPANS, SUBJECT_ID, get_property, write_decision

MIN_HELD_OUT = 100


class Executor(base_executor.BaseExecutor):
    """See `components.data_gate.component.DataGate`."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Write the blessing, or raise GateRefused with one sentence for each anomaly and drift."""
        statistics = artifact_utils.get_single_instance(input_dict["statistics"])
        baseline, baseline_blessing, examples = (
            next(iter(input_dict.get(name) or ()), None) for name in ("baseline_statistics", "baseline_blessing", "examples")
        )
        schema_uri = artifact_utils.get_single_uri(input_dict["schema"])
        schema = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema_uri))
        config = ValidationConfig(**json.loads(exec_properties["config"]))

        by_schema = schema_anomalies(statistics, artifact_utils.get_single_instance(input_dict["anomalies"]))
        by_baseline = baseline_anomalies(statistics, baseline, with_thresholds(schema, config)) if baseline else []
        drift = divergences(by_baseline)
        anomalies = describe_anomalies(by_schema + by_baseline) + exposure_anomalies(statistics, config)
        rejected, share = rejects_of(examples.uri) if examples else (0, 0.0)
        spans = read_spans(examples.uri) if examples else {}
        if baseline:
            previous_share, previous_spans = get_property(baseline_blessing, REJECTS), get_property(baseline_blessing, SPANS)
            if previous_share is not None:
                anomalies += reject_anomalies(rejected, share, previous_share, config)
            if previous_spans is not None:
                by_span, span_drift = span_anomalies(spans, parse_spans(json.loads(previous_spans)), config)
                anomalies += by_span
                drift = {name: max(drift.get(name, 0.0), span_drift.get(name, 0.0)) for name in drift | span_drift}
        anomalies += label_anomalies(statistics, baseline, schema, config)
        if anomalies:
            raise GateRefused(
                "data",
                [anomaly.sentence for anomaly in anomalies],
                evidence=[dataclasses.asdict(anomaly) for anomaly in anomalies],
                compared_with=baseline.uri if baseline else "",
                drift=drift,
            )
        accepted = {REJECTS: share, SPANS: json.dumps(spans)}
        write_decision(
            artifact_utils.get_single_instance(output_dict["blessing"]),
            True,
            ("verdict.json", {"passed": True, "compared_with": baseline.uri if baseline else None, "drift": drift}),
            properties={SUBJECT_ID: statistics.id, BASELINE_ID: baseline.id if baseline else 0, **accepted},
        )
        if exec_properties.get("registry"):
            record_statistics(statistics, exec_properties["registry"], accepted)


def rejects_of(examples: str) -> tuple[int, float]:
    """Return the number of pictures rejected at ingestion, and their share of all."""
    with fileio.open(os.path.join(examples, "summary.json")) as file:
        summary = json.load(file)
    rejected = summary["rejected"]
    return rejected, rejected / max(rejected + sum(summary["pictures"].values()), 1)


def schema_anomalies(statistics: types.Artifact, anomalies: types.Artifact) -> list[SplitAnomalies]:
    """Read ExampleValidator's anomalies of each split."""
    by_split = []
    for split in splits_of(statistics):
        path = os.path.join(artifact_utils.get_split_uri([anomalies], split), "SchemaDiff.pb")
        with fileio.open(path, "rb") as file:
            by_split.append((split, anomalies_pb2.Anomalies.FromString(file.read())))
    return by_split


def with_thresholds(schema: schema_pb2.Schema, config: ValidationConfig) -> schema_pb2.Schema:
    """Return the schema with its drift thresholds replaced by those of the configuration.

    A feature without a configured threshold keeps the schema's.
    """
    changed = schema_pb2.Schema()
    changed.CopyFrom(schema)
    thresholds = config.drift()
    for feature in changed.feature:
        if feature.name in thresholds:
            feature.drift_comparator.Clear()
            feature.drift_comparator.jensen_shannon_divergence.threshold = thresholds[feature.name]
    return changed


def divergences(by_split: list[SplitAnomalies]) -> dict[str, float]:
    """Return each feature's largest Jensen-Shannon divergence from the baseline over all splits, even if it is within its bound."""
    largest: dict[str, float] = {}
    for _, anomalies in by_split:
        for info in anomalies.drift_skew_info:
            name = "/".join(info.path.step)
            largest[name] = max([largest.get(name, 0.0), *(measured.value for measured in info.drift_measurements)])
    return largest


def baseline_anomalies(statistics: types.Artifact, baseline: types.Artifact, schema: schema_pb2.Schema) -> list[SplitAnomalies]:
    """Return the anomalies against the baseline, by split: mostly drift beyond the schema's thresholds.

    Held-out splits with fewer than `MIN_HELD_OUT` pictures are skipped: their histograms differ by chance alone.
    """
    by_split = []
    for split in sorted(set(splits_of(statistics)) & set(splits_of(baseline)), key=splits_of(statistics).index):
        new, old = read_statistics(statistics, split), read_statistics(baseline, split)
        if split == "train" or min(s.datasets[0].num_examples for s in (new, old)) >= MIN_HELD_OUT:
            by_split.append((split, tfdv.validate_statistics(new, schema, previous_statistics=old)))
    return by_split
