"""Where an artifact came from, by ML Metadata."""

from __future__ import annotations

from pathlib import Path

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata


def examples_of(database: Path, statistics: str) -> str:
    """The examples that statistics were taken of.

    Args:
        database: ML Metadata's file.
        statistics: The URI of the statistics.

    Returns:
        Their URI; '' where it is not known any more, or they have been deleted.
    """
    store = metadata_store.MetadataStore(metadata.sqlite_metadata_connection_config(str(database)))
    made = {artifact.id for artifact in store.get_artifacts_by_uri(statistics)}
    runs = {event.execution_id for event in store.get_events_by_artifact_ids(made)} if made else set()
    inputs = [
        event.artifact_id
        for event in (store.get_events_by_execution_ids(runs) if runs else ())
        if event.type == metadata_store_pb2.Event.INPUT and any(step.key == "examples" for step in event.path.steps)
    ]
    uris = [artifact.uri for artifact in store.get_artifacts_by_id(inputs)] if inputs else []
    return next((uri for uri in uris if Path(uri).is_dir()), "")
