"""What a run that was killed left behind: nothing may take it for a result."""

from __future__ import annotations

import logging
import shutil

from components.pusher.versions import UNFINISHED as UNFINISHED_PUSH
from pipeline.metadata_store import exists, open_store
from pipeline.workspace import Workspace

UNFINISHED_REPORT = ".report-"
LOGGER = logging.getLogger(__name__)


def clear(workspace: Workspace) -> list[int]:
    """Ends the executions that nobody ended, and removes what they had written.

    Call it while no run holds the work folder: what is running then has been killed.

    Args:
        workspace: The work folder, in whose `artifacts` outputs lie in `NODE/KEY/EXECUTION`.

    Returns:
        The executions' ids.
    """
    for folder in (*workspace.root.glob(f"{UNFINISHED_REPORT}*"), *workspace.serving.glob(f"{UNFINISHED_PUSH}*")):
        shutil.rmtree(folder)
    if not exists(workspace):
        return []
    from ml_metadata.metadata_store import ListOptions
    from ml_metadata.proto import metadata_store_pb2

    store, artifacts = open_store(workspace), workspace.artifacts
    running = store.get_executions(ListOptions(filter_query="last_known_state = NEW OR last_known_state = RUNNING"))
    for execution in running:
        for folder in (*artifacts.glob(f"*/*/{execution.id}"), *artifacts.glob(f"*/.system/*/{execution.id}")):
            LOGGER.warning("removing %s: it was never finished", folder)
            shutil.rmtree(folder)
        execution.last_known_state = metadata_store_pb2.Execution.CANCELED
    if running:
        store.put_executions(running)
    return [execution.id for execution in running]
