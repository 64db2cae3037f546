"""Where an artifact came from, by ML Metadata."""

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
    """Where a pushed model came from.

    Attributes:
        version: Its number.
        run: The run that trained it.
        images: Where its pictures were.
        fingerprint: Of all that was there to be read.
        span: The latest span of them, 0 where there are none.
        spans: The folders of all spans of them, the earliest first; empty where the examples have been deleted.
        pictures: How many there were of each split; empty where the examples have been deleted.
        config: What the Trainer was told, and what of the data, of validation and of evaluation is not as it is by itself.
        code: Hash of the trainer's code.
        examples: The examples' folder.
        artifact: The model's.
        started_from: The model that training went on from; '' for none.
        judged_against: The last good model that it was compared with; '' for none.
    """

    version: int
    run: str
    images: str
    fingerprint: str
    span: int
    pictures: dict[str, int]
    config: dict[str, Any]
    code: str
    examples: str
    artifact: str
    started_from: str
    judged_against: str
    spans: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """It in words."""
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
    """Where a pushed model came from.

    Args:
        workspace: The work folder.
        version: The model's.

    Raises:
        InputError: ML Metadata does not know it.
    """
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
    told = json.loads(training.custom_properties["custom_config"].string_value)
    path, run = Path(given["examples"].uri, "summary.json"), _run_of(store, training.id)
    summary = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return Lineage(
        version=version,
        run=run,
        images=reading["input_base"].string_value,
        fingerprint=reading["input_fingerprint"].string_value,
        span=reading["span"].int_value,
        pictures=summary.get("pictures", {}),
        config=told["trainer"] | _own_settings(workspace.run(run) / "config.yaml"),
        code=told["code"],
        examples=given["examples"].uri,
        artifact=model.uri,
        started_from=given["base_model"].uri if "base_model" in given else "",
        judged_against=_baseline(store, model.id),
        spans=tuple(sorted(summary.get("spans", {}), key=_by_number)),
    )


def _own_settings(path: Path) -> dict[str, Any]:
    """What a run's configuration says of the data, of validation and of evaluation otherwise than it is by itself."""
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
    """Has span-9 come before span-10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", folder)]


def _there(uri: str) -> str:
    """Where an artifact is, or was."""
    return uri if not uri or Path(uri).exists() else f"{uri} (deleted since)"


def pushed_models(store: MetadataStore) -> dict[int, int]:
    """The id of the model of each version that was pushed."""
    pushed = {
        int(artifact.custom_properties["pushed_version"].string_value): artifact.id
        for artifact in store.get_artifacts_by_type("PushedModel")
        if artifact.custom_properties["pushed"].int_value
    }
    return {version: inputs_of(store, maker_of(store, artifact))["model"].id for version, artifact in pushed.items()}


def maker_of(store: MetadataStore, artifact: int) -> metadata_store_pb2.Execution:
    """The execution that made an artifact: the first that gave it, later ones took it from the cache."""
    events = [event for event in store.get_events_by_artifact_ids([artifact]) if event.type not in _INPUTS]
    (execution,) = store.get_executions_by_id([min(event.execution_id for event in events)])
    return execution


def makers_of(store: MetadataStore, artifact: int) -> set[int]:
    """The executions that an artifact came of, back to the pictures; not those of the model that training went on from."""
    maker = maker_of(store, artifact)
    found = {maker.id}
    for key, given in inputs_of(store, maker).items():
        if key != "base_model":
            found |= makers_of(store, given.id)
    return found


def inputs_of(store: MetadataStore, execution: metadata_store_pb2.Execution) -> dict[str, metadata_store_pb2.Artifact]:
    """An execution's input artifacts by key."""
    events = [event for event in store.get_events_by_execution_ids([execution.id]) if event.type in _INPUTS]
    artifacts = {artifact.id: artifact for artifact in store.get_artifacts_by_id([event.artifact_id for event in events])}
    return {event.path.steps[0].key: artifacts[event.artifact_id] for event in events}


def _run_of(store: MetadataStore, execution: int) -> str:
    types = {kind.id: kind.name for kind in store.get_context_types()}
    return next(context.name for context in store.get_contexts_by_execution(execution) if types[context.type_id] == "pipeline_run")


def _baseline(store: MetadataStore, model: int) -> str:
    """The model that another one was first compared with, by its URI."""
    events = sorted(store.get_events_by_artifact_ids([model]), key=lambda event: event.execution_id)
    for event in events:
        (execution,) = store.get_executions_by_id([event.execution_id])
        given = inputs_of(store, execution)
        if "baseline_model" in given and given.get("model") is not None and given["model"].id == model:
            return given["baseline_model"].uri
    return ""


def examples_of(workspace: Workspace, statistics: str) -> str:
    """The examples that statistics were taken of.

    Args:
        workspace: The work folder.
        statistics: The URI of the statistics.

    Returns:
        Their URI; '' where it is not known any more, or they have been deleted.
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
