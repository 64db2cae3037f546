"""What a run that was killed left behind: nothing may take it for a result."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from components.pusher.versions import UNFINISHED as UNFINISHED_PUSH
from pipeline.metadata.store import exists, open_store
from pipeline.workspace.layout import Workspace

UNFINISHED_REPORT = ".report-"
REMOVING = ".removing-"  # how an artifact's folder is called whose content `darkroom gc` removes before ML Metadata knows
LOGGER = logging.getLogger(__name__)


def clear(workspace: Workspace) -> list[int]:
    """Ends the executions that nobody ended, and removes what they had written.

    Call it while no run holds the work folder: what is running then has been killed.

    Args:
        workspace: The work folder, in whose `artifacts` outputs lie in `NODE/KEY/EXECUTION`.

    Returns:
        The executions' ids.
    """
    for path in unfinished_paths(workspace):
        remove(path)
    if not exists(workspace):
        return []
    from ml_metadata.metadata_store import ListOptions
    from ml_metadata.proto import metadata_store_pb2

    store, artifacts = open_store(workspace), workspace.artifacts
    for folder in (*artifacts.glob(f"*/{REMOVING}*"), *artifacts.glob(f"*/*/{REMOVING}*")):
        gone = store.get_artifacts_by_uri(str(known_as(folder)))
        for artifact in gone:
            artifact.state = metadata_store_pb2.Artifact.DELETED
        if gone:
            store.put_artifacts(gone)
        remove(folder)
    running = store.get_executions(ListOptions(filter_query="last_known_state = NEW OR last_known_state = RUNNING"))
    for execution in running:
        for folder in (*artifacts.glob(f"*/*/{execution.id}"), *artifacts.glob(f"*/.system/*/{execution.id}")):
            LOGGER.warning("removing %s: it was never finished", folder)
            shutil.rmtree(folder)
        execution.last_known_state = metadata_store_pb2.Execution.CANCELED
    if running:
        store.put_executions(running)
    return [execution.id for execution in running]


def unfinished_paths(workspace: Workspace) -> list[Path]:
    """What was being written when its process died, and ML Metadata does not speak of."""
    temporary = (f"{UNFINISHED_REPORT}*", ".metadata.db.*", "runs/*/verdict.tmp")
    return [*(path for each in temporary for path in workspace.root.glob(each)), *workspace.serving.glob(f"{UNFINISHED_PUSH}*")]


def remove(path: Path) -> None:
    """Removes a file or a folder; a pushed version is none any more before the first of its files is gone."""
    if path.parent.name == "serving" and path.name.isdigit():
        path = path.rename(path.with_name(f"{UNFINISHED_PUSH}gc-{path.name}"))
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def empty_aside(folder: Path) -> Path:
    """Gives a folder a name that nothing takes for a result, and removes what is in it.

    The empty folder tells `clear` which artifact is gone, until ML Metadata has been told.

    Returns:
        The folder under its new name.
    """
    aside = folder.with_name(REMOVING + known_as(folder).name)
    if aside != folder:
        folder.rename(aside)
    for path in aside.iterdir():
        remove(path)
    return aside


def known_as(folder: Path) -> Path:
    """What a folder is called by ML Metadata, whether it has been put aside or not."""
    return folder.with_name(folder.name.removeprefix(REMOVING))
