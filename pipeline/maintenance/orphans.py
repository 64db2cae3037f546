"""Handle orphans: files of executions that ML Metadata does not know, because its database was lost or an old copy restored."""

from __future__ import annotations

import datetime
import logging
import sqlite3
from collections.abc import Callable, Collection
from pathlib import Path

from pipeline.metadata.store import open_store, read_record
from pipeline.workspace.layout import Workspace

LOGGER = logging.getLogger(__name__)
ASIDE = "aside"
PATTERNS = ("*/*/*", "*/.system/executor_execution/*")  # NODE/KEY/EXECUTION, and TFX's own; its drivers use clock times as ids


def folders(root: Path) -> dict[Path, int]:
    """Return the folders of executions below a pipeline's root, as relative paths with the execution's id."""
    result = (path for pattern in PATTERNS for path in root.glob(pattern))
    return {path.relative_to(root): int(path.name) for path in result if path.name.isascii() and path.name.isdecimal()}


def highest(workspace: Workspace) -> int:
    """Return the highest execution id of any folder, including those set aside; 0 if there is none."""
    roots = (workspace.artifacts, *(workspace.root / ASIDE).glob("*"))
    return max((number for root in roots for number in folders(root).values()), default=0)


def put_away(workspace: Workspace) -> list[int]:
    """Set aside, before a run, the folders whose ids the database has not assigned yet, and return the ids.

    TFX accepts an existing folder for a new execution, and would add the new files to the old ones. A search for the latest
    folder would also find an old one. The caller holds the lock of the work folder.
    """
    from ml_metadata.metadata_store import ListOptions
    from ml_metadata.metadata_store.metadata_store import OrderByField

    if not folders(workspace.artifacts):
        return []
    store = open_store(workspace)
    latest = store.get_executions(ListOptions(limit=1, order_by=OrderByField.ID, is_asc=False))
    last = latest[0].id if latest else 0
    moved = set_aside(workspace, lambda number: number > last)
    if moved and read_record(workspace) is None:
        count_on(workspace.metadata, highest(workspace))
    return moved


def set_aside(workspace: Workspace, unknown: Callable[[int], bool]) -> list[int]:
    """Move the folders of executions whose id is `unknown` out of the pipeline's root, and return the ids."""
    items = {path: number for path, number in folders(workspace.artifacts).items() if unknown(number)}
    aside = workspace.root / ASIDE / datetime.datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    for path in items:
        LOGGER.warning("moving %s to %s: ML Metadata does not know of it", workspace.artifacts / path, aside)
        _move(workspace.artifacts / path, aside / path)
    return sorted(set(items.values()))


def bring_back(workspace: Workspace, known: Collection[int]) -> list[int]:
    """Move folders of known executions that were set aside back, for a database that knows them again; return the ids."""
    moved = set()
    for aside in sorted((workspace.root / ASIDE).glob("*"), reverse=True):
        for path, number in folders(aside).items():
            if number in known and not (workspace.artifacts / path).exists():
                _move(aside / path, workspace.artifacts / path)
                moved.add(number)
        for folder in sorted((path for path in aside.rglob("*") if path.is_dir()), reverse=True):
            _remove_empty(folder)
        _remove_empty(aside)
    return sorted(moved)


def count_on(database: Path, last: int) -> None:
    """Make a `metadata.db` assign execution ids above `last`."""
    store = sqlite3.connect(database, isolation_level=None)
    try:
        store.execute("BEGIN IMMEDIATE")
        if not store.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'Execution'", (last,)).rowcount:
            store.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('Execution', ?)", (last,))
        store.execute("COMMIT")
    finally:
        store.close()


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)


def _remove_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()
