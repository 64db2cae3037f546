"""Trace the origin of an artifact in ML Metadata."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ml_metadata.metadata_store.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2

from common.errors import InputError
from pipeline.metadata.store import exists, open_store
from pipeline.workspace.layout import Workspace

_INPUTS = (metadata_store_pb2.Event.INPUT, metadata_store_pb2.Event.DECLARED_INPUT)


@dataclass(frozen=True)
class Lineage:
    """The origin of a pushed model."""

    version: int  # its version
    run: str  # the run that trained it
    images: str  # where its pictures were
    fingerprint: str  # the fingerprint of all input files
    span: int  # the latest span of the pictures, 0 without spans
    pictures: dict[str, int]  # the number of pictures by split; empty if the examples have been deleted
    # The configuration of the Trainer, and the values of data, validation and evaluation that differ from the defaults
    config: dict[str, Any]
    code: str  # hash of the trainer's code
    examples: str  # the folder of the examples
    artifact: str  # the folder of the model artifact
    started_from: str  # the model that training started from; '' for none
    judged_against: str  # the last blessed model that it was compared with; '' for none
    spans: tuple[str, ...] = ()  # the folders of all spans, earliest first; empty if the examples have been deleted

    def lines(self) -> list[str]:
        """Return the lineage as text."""
        counts = ", ".join(f"{count:,} {split}" for split, count in self.pictures.items()) or "deleted since"
        window = self.config.get("data", {}).get("span_window", 1)
        span = f", span {self.span}" if self.span else ""
        if self.spans[1:]:
            span = f", {self.spans[0]} to {self.spans[-1]}"
        elif self.span and not self.spans and window > 1:
            span += f" and the last before it, {window} at the most"
        config = json.dumps(self.config, sort_keys=True)
        return [
            f"version {self.version}: trained by run {self.run}",
            f"pictures: {self.images}{span} ({counts}), fingerprint {self.fingerprint[:16]}",
            f"configuration: {config}",
            f"code: {self.code}",
            f"started from: {_there(self.started_from) or 'nothing, its weights were random'}",
            f"judged against: {_there(self.judged_against) or 'nothing, it was the first'}",
            f"examples: {_there(self.examples)}",
            f"model: {_there(self.artifact)}",
        ]


def lineage(workspace: Workspace, version: int) -> Lineage:
    """Return the origin of a pushed model; raise InputError if ML Metadata does not know its version."""
    if not exists(workspace):
        raise InputError(f"there is no {workspace.metadata}: nothing was run in that work folder yet")
    store = open_store(workspace)
    known = pushed_models(store)
    if version not in known:
        raise InputError(f"no version {version} was pushed; pushed were {', '.join(map(str, sorted(known))) or 'none'}")
    (model,) = store.get_artifacts_by_id([known[version]])
    training = maker_of(store, model.id)
    given = inputs_of(store, training)
    reading = maker_of(store, given["examples"].id).custom_properties
    settings = json.loads(training.custom_properties["custom_config"].string_value)
    path, run = Path(given["examples"].uri, "summary.json"), _run_of(store, training.id)
    summary = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return Lineage(
        version=version,
        run=run,
        images=reading["input_base"].string_value,
        fingerprint=reading["input_fingerprint"].string_value,
        span=reading["span"].int_value,
        pictures=summary.get("pictures", {}),
        config=settings["trainer"] | _own_settings(workspace.run(run) / "config.yaml"),
        code=settings["code"],
        examples=given["examples"].uri,
        artifact=model.uri,
        started_from=given["base_model"].uri if "base_model" in given else "",
        judged_against=_baseline(store, model.id),
        spans=tuple(sorted(summary.get("spans", {}), key=_by_number)),
    )


def _own_settings(path: Path) -> dict[str, Any]:
    """Return the values of data, validation and evaluation in a run's configuration that differ from the defaults."""
    from pipeline.config.loading import load_values
    from pipeline.config.schema import Config

    if not path.is_file():
        return {}
    own, usual = load_values(path), yaml.safe_load(Config().to_yaml())
    sections = {
        section: {name: value for name, value in (own.get(section) or {}).items() if value != usual[section].get(name)}
        for section in ("data", "validation", "evaluation")
    }
    return {section: values for section, values in sections.items() if values}


def _by_number(folder: str) -> list[tuple[int, str]]:
    """Return a sort key that puts span-9 before span-10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", folder)]


def _there(uri: str) -> str:
    """Return the URI of an artifact, marked if it has been deleted."""
    return uri if not uri or Path(uri).exists() else f"{uri} (deleted since)"


def pushed_models(store: MetadataStore) -> dict[int, int]:
    """Return the artifact id of the model of each pushed version."""
    pushed = {
        int(artifact.custom_properties["pushed_version"].string_value): artifact.id
        for artifact in store.get_artifacts_by_type("PushedModel")
        if artifact.custom_properties["pushed"].int_value
    }
    return {version: inputs_of(store, maker_of(store, artifact))["model"].id for version, artifact in pushed.items()}


def maker_of(store: MetadataStore, artifact: int) -> metadata_store_pb2.Execution:
    """Return the execution that made an artifact. It is the first one; later ones took the artifact from the cache."""
    events = [event for event in store.get_events_by_artifact_ids([artifact]) if event.type not in _INPUTS]
    (execution,) = store.get_executions_by_id([min(event.execution_id for event in events)])
    return execution


def makers_of(store: MetadataStore, artifact: int) -> set[int]:
    """Return the executions that led to an artifact, back to the pictures, without those of the model that training began with."""
    maker = maker_of(store, artifact)
    items = {maker.id}
    for key, given in inputs_of(store, maker).items():
        if key != "base_model":
            items |= makers_of(store, given.id)
    return items


def inputs_of(store: MetadataStore, execution: metadata_store_pb2.Execution) -> dict[str, metadata_store_pb2.Artifact]:
    """Return the input artifacts of an execution by key."""
    events = [event for event in store.get_events_by_execution_ids([execution.id]) if event.type in _INPUTS]
    artifacts = {artifact.id: artifact for artifact in store.get_artifacts_by_id([event.artifact_id for event in events])}
    return {event.path.steps[0].key: artifacts[event.artifact_id] for event in events}


def _run_of(store: MetadataStore, execution: int) -> str:
    types = {kind.id: kind.name for kind in store.get_context_types()}
    return next(context.name for context in store.get_contexts_by_execution(execution) if types[context.type_id] == "pipeline_run")


def _baseline(store: MetadataStore, model: int) -> str:
    """Return the URI of the baseline that a model was first compared with."""
    events = sorted(store.get_events_by_artifact_ids([model]), key=lambda event: event.execution_id)
    for event in events:
        (execution,) = store.get_executions_by_id([event.execution_id])
        given = inputs_of(store, execution)
        if "baseline_model" in given and given.get("model") is not None and given["model"].id == model:
            return given["baseline_model"].uri
    return ""


def evaluation_of(workspace: Workspace, version: int) -> str:
    """Return the URI of a pushed model's evaluation. It is '' if the evaluation is unknown, or has been deleted."""
    store = open_store(workspace)
    model = pushed_models(store).get(version)
    read = store.get_events_by_artifact_ids([model]) if model is not None else ()
    executions = {event.execution_id for event in read if event.type == metadata_store_pb2.Event.INPUT}
    made = [
        event.artifact_id
        for event in (store.get_events_by_execution_ids(executions) if executions else ())
        if event.type == metadata_store_pb2.Event.OUTPUT and any(step.key == "evaluation" for step in event.path.steps)
    ]
    uris = [artifact.uri for artifact in store.get_artifacts_by_id(made)] if made else []
    return next((uri for uri in reversed(uris) if Path(uri).is_dir()), "")


def examples_of(workspace: Workspace, statistics: str) -> str:
    """Return the URI of the examples from which statistics were computed, given the URI of the statistics.

    It is '' if the examples are unknown, or have been deleted.
    """
    store = open_store(workspace)
    made = {artifact.id for artifact in store.get_artifacts_by_uri(statistics)}
    runs = {event.execution_id for event in store.get_events_by_artifact_ids(made)} if made else set()
    inputs = [
        event.artifact_id
        for event in (store.get_events_by_execution_ids(runs) if runs else ())
        if event.type == metadata_store_pb2.Event.INPUT and any(step.key == "examples" for step in event.path.steps)
    ]
    uris = [artifact.uri for artifact in store.get_artifacts_by_id(inputs)] if inputs else []
    return next((uri for uri in uris if Path(uri).is_dir()), "")
