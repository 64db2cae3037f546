"""The executor of the data gate: read ExampleValidator's anomalies, check for drift, and refuse with sentences."""

from __future__ import annotations

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
from components.baselines.registry import record_statistics
from components.baselines.resolvers import BASELINE_ID, BLESSED, SUBJECT_ID
from components.data_gate.anomaly_checks import exposure_anomalies, label_anomalies, reject_anomalies
from components.data_gate.anomaly_text import Found, describe_anomalies
from components.data_gate.artifacts import REJECTS, SPANS
from components.data_gate.config import ValidationConfig
from components.data_gate.spans import from_plain, span_anomalies, spans_of
from components.data_gate.statistics import read_statistics, splits_of

FEW = 100


class Executor(base_executor.BaseExecutor):
    """See `components.data_gate.component.DataGate`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Write the blessing.

        Raises:
            GateRefused: There are anomalies, or the data has drifted; with one sentence for each.
        """
        statistics = artifact_utils.get_single_instance(input_dict["statistics"])
        anomalies = artifact_utils.get_single_instance(input_dict["anomalies"])
        schema_uri = artifact_utils.get_single_uri(input_dict["schema"])
        schema = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema_uri))
        config = ValidationConfig(**json.loads(exec_properties["config"]))
        baseline = input_dict.get("baseline_statistics")
        found = validated(statistics, anomalies)
        beside = drifted(statistics, baseline[0], with_thresholds(schema, config)) if baseline else []
        drift = divergences(beside)
        wrong = describe_anomalies(found + beside)
        wrong += exposure_anomalies(statistics, config)
        examples = input_dict["examples"][0].uri if input_dict.get("examples") else None
        refused, share = rejects_of(examples) if examples else (0, 0.0)
        spans = spans_of(examples) if examples else {}
        before = input_dict.get("baseline_blessing") if baseline else None
        if before and before[0].has_custom_property(REJECTS):
            wrong += reject_anomalies(refused, share, before[0].get_float_custom_property(REJECTS), config)
        if before and before[0].has_custom_property(SPANS):
            odd, far = span_anomalies(spans, from_plain(json.loads(before[0].get_string_custom_property(SPANS))), config)
            wrong += odd
            drift = {name: max(drift.get(name, 0.0), far.get(name, 0.0)) for name in drift | far}
        wrong += label_anomalies(statistics, baseline[0] if baseline else None, schema, config)
        if wrong:
            sentences, evidence = [anomaly.sentence for anomaly in wrong], [anomaly.to_dict() for anomaly in wrong]
            compared_with = baseline[0].uri if baseline else ""
            raise GateRefused("data", sentences, evidence=evidence, compared_with=compared_with, drift=drift)
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        blessing.set_int_custom_property(BLESSED, 1)
        blessing.set_int_custom_property(SUBJECT_ID, statistics.id)
        blessing.set_int_custom_property(BASELINE_ID, baseline[0].id if baseline else 0)
        passed = {REJECTS: share, SPANS: json.dumps(spans)}
        blessing.set_float_custom_property(REJECTS, share)
        blessing.set_string_custom_property(SPANS, passed[SPANS])
        if exec_properties.get("registry"):
            record_statistics(statistics, exec_properties["registry"], passed)
        verdict = {"passed": True, "compared_with": baseline[0].uri if baseline else None, "drift": drift}
        io_utils.write_string_file(os.path.join(blessing.uri, "verdict.json"), json.dumps(verdict, indent=2) + "\n")


def rejects_of(examples: str) -> tuple[int, float]:
    """Return the number of pictures rejected at ingestion, and their share of all."""
    with fileio.open(os.path.join(examples, "summary.json")) as file:
        summary = json.load(file)
    refused = summary["rejected"]
    return refused, refused / max(refused + sum(summary["pictures"].values()), 1)


def validated(statistics: types.Artifact, anomalies: types.Artifact) -> list[Found]:
    """Return ExampleValidator's anomalies, by split."""
    return [(split, read_anomalies(anomalies, split)) for split in splits_of(statistics)]


def read_anomalies(anomalies: types.Artifact, split: str) -> anomalies_pb2.Anomalies:
    """Read ExampleValidator's anomalies for a split."""
    path = os.path.join(artifact_utils.get_split_uri([anomalies], split), "SchemaDiff.pb")
    with fileio.open(path, "rb") as file:
        return anomalies_pb2.Anomalies.FromString(file.read())


def with_thresholds(schema: schema_pb2.Schema, config: ValidationConfig) -> schema_pb2.Schema:
    """Return the schema with its drift thresholds replaced by those of the configuration; features without one keep theirs."""
    changed = schema_pb2.Schema()
    changed.CopyFrom(schema)
    thresholds = config.drift()
    for feature in changed.feature:
        if feature.name in thresholds:
            feature.drift_comparator.Clear()
            feature.drift_comparator.jensen_shannon_divergence.threshold = thresholds[feature.name]
    return changed


def divergences(found: list[Found]) -> dict[str, float]:
    """Return the largest Jensen-Shannon divergence of each feature from the baseline over the splits, within bounds or not."""
    largest: dict[str, float] = {}
    for _, anomalies in found:
        for info in anomalies.drift_skew_info:
            name = "/".join(info.path.step)
            largest[name] = max([largest.get(name, 0.0), *(measured.value for measured in info.drift_measurements)])
    return largest


def drifted(statistics: types.Artifact, baseline: types.Artifact, schema: schema_pb2.Schema) -> list[Found]:
    """Return the anomalies against the baseline, by split: mostly drift beyond the schema's thresholds.

    Held-out splits with fewer than `FEW` pictures are skipped: their histograms differ by chance alone.
    """
    now, before = splits_of(statistics), splits_of(baseline)
    found = []
    for split in now:
        if split not in before:
            continue
        new, old = read_statistics(statistics, split), read_statistics(baseline, split)
        if split == "train" or min(s.datasets[0].num_examples for s in (new, old)) >= FEW:
            found.append((split, tfdv.validate_statistics(new, schema, previous_statistics=old)))
    return found
