"""Where an artifact came from, by ML Metadata."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_metadata.metadata_store.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2

from pipeline.metadata_store import exists, open_store
from pipeline.workspace import Workspace
from trainer.errors import InputError

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
        pictures: How many there were of each split; empty where the examples have been deleted.
        config: What the Trainer was told.
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

    def lines(self) -> list[str]:
        """It in words."""
        counts = ", ".join(f"{count:,} {split}" for split, count in self.pictures.items()) or "deleted since"
        span = f", span {self.span}" if self.span else ""
        config = json.dumps(self.config, sort_keys=True)
        return [
            f"version {self.version}: trained by run {self.run}",
            f"pictures: {self.images}{span} ({counts}), fingerprint {self.fingerprint[:16]}",
            f"configuration: {config}",
            f"code: {self.code}",
            f"started from: {self.started_from or 'nothing, its weights were random'}",
            f"judged against: {self.judged_against or 'nothing, it was the first'}",
            f"examples: {self.examples}",
            f"model: {self.artifact}",
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
    summary = Path(given["examples"].uri, "summary.json")
    return Lineage(
        version=version,
        run=_run_of(store, training.id),
        images=reading["input_base"].string_value,
        fingerprint=reading["input_fingerprint"].string_value,
        span=reading["span"].int_value,
        pictures=json.loads(summary.read_text(encoding="utf-8"))["pictures"] if summary.is_file() else {},
        config=told["trainer"],
        code=told["code"],
        examples=given["examples"].uri,
        artifact=model.uri,
        started_from=given["base_model"].uri if "base_model" in given else "",
        judged_against=_baseline(store, model.id),
    )


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
