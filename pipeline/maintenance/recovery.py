"""Clean up after a killed run, so that no unfinished file is used as a result."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from components.pusher.versions import UNFINISHED as UNFINISHED_PUSH
from pipeline.metadata.store import exists, open_store
from pipeline.workspace.layout import Workspace

UNFINISHED_REPORT = ".report-"
REMOVING = ".removing-"  # prefix of artifact folders that `darkroom gc` empties before they are marked in ML Metadata
NEWEST = 1000  # executions that `clear` reads: dozens of runs, in 0.1 s
LOGGER = logging.getLogger(__name__)


def clear(workspace: Workspace) -> list[int]:
    """End the executions of killed runs, remove their outputs `NODE/KEY/EXECUTION`, and return their ids.

    Call it only if no run holds the work folder: every execution that is marked as running has then been killed.
    """
    for path in unfinished_paths(workspace):
        remove(path)
    if not exists(workspace):
        return []
    from ml_metadata.metadata_store import ListOptions, OrderByField
    from ml_metadata.proto import metadata_store_pb2

    store, artifacts = open_store(workspace), workspace.artifacts
    for folder in (*artifacts.glob(f"*/{REMOVING}*"), *artifacts.glob(f"*/*/{REMOVING}*")):
        missing = store.get_artifacts_by_uri(str(known_as(folder)))
        for artifact in missing:
            artifact.state = metadata_store_pb2.Artifact.DELETED
        if missing:
            store.put_artifacts(missing)
        remove(folder)
    unfinished = (metadata_store_pb2.Execution.NEW, metadata_store_pb2.Execution.RUNNING)
    # ML Metadata 1.21 has no filter_query. The newest are enough, because every run calls this function first.
    newest = store.get_executions(ListOptions(limit=NEWEST, order_by=OrderByField.ID, is_asc=False))
    running = [execution for execution in newest if execution.last_known_state in unfinished]
    for execution in running:
        for folder in (*artifacts.glob(f"*/*/{execution.id}"), *artifacts.glob(f"*/.system/*/{execution.id}")):
            LOGGER.warning("removing %s: it was never finished", folder)
            shutil.rmtree(folder)
        execution.last_known_state = metadata_store_pb2.Execution.CANCELED
    if running:
        store.put_executions(running)
    return [execution.id for execution in running]


def unfinished_paths(workspace: Workspace) -> list[Path]:
    """Return files that a killed process was writing and that ML Metadata does not record."""
    temporary = (f"{UNFINISHED_REPORT}*", ".metadata.db.*", "metrics.prom.*", ".*.part", "runs/*/.*.part")
    return [*(path for each in temporary for path in workspace.root.glob(each)), *workspace.serving.glob(f"{UNFINISHED_PUSH}*")]


def remove(path: Path) -> None:
    """Remove a file or a folder. A pushed version is renamed first, so that it is never served half removed."""
    if path.parent.name == "serving" and path.name.isdigit():
        path = path.rename(path.with_name(f"{UNFINISHED_PUSH}gc-{path.name}"))
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def rename_and_empty(folder: Path) -> Path:
    """Rename a folder so that nothing uses it as a result, remove its content, and return its new path.

    The empty folder tells `clear` which artifact is gone, until it is marked as deleted in ML Metadata.
    """
    renamed = folder.with_name(REMOVING + known_as(folder).name)
    if renamed != folder:
        folder.rename(renamed)
    for path in renamed.iterdir():
        remove(path)
    return renamed


def known_as(folder: Path) -> Path:
    """Return the name that ML Metadata records for a folder, renamed or not."""
    return folder.with_name(folder.name.removeprefix(REMOVING))
