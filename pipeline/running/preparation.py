"""Prepare a work folder for a run: the record of the run, the schema, and what earlier runs have left."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from pipeline.config.schema import Config
from pipeline.maintenance import backup, orphans
from pipeline.maintenance.disk_space import check_room, disk_full
from pipeline.maintenance.recovery import clear
from pipeline.running.request import Request
from pipeline.workspace.layout import DiskFull, Workspace


def new_record(workspace: Workspace, config: Config) -> str:
    """Create the folder of a new run with its configuration, and return the run's id.

    Raise DiskFull, and leave no folder behind, if there is not enough space.
    """
    run_id = ""
    try:
        run_id = workspace.new_run()
        (workspace.run(run_id) / "config.yaml").write_text(config.to_yaml(), encoding="utf-8")
    except OSError as error:
        if run_id:
            shutil.rmtree(workspace.run(run_id))
        full = disk_full(error, workspace.root)
        raise DiskFull(full) if full else error from None
    return run_id


def make_ready(request: Request, workspace: Workspace) -> int:
    """Prepare a work folder for a run, so that no unfinished output of an earlier run is used as a result.

    Returns:
        The number of executions unknown to ML Metadata whose files were moved aside.

    Raises:
        StoreDamaged: ML Metadata's database is damaged.
        DiskFull: There is not enough space for the run.
    """
    backup.check(workspace)
    moved = orphans.put_away(workspace)
    clear(workspace)
    check_room(workspace, request.images, request.config, request.find)
    return len(moved)


def place_schema(path: str | None, workspace: Workspace) -> Path:
    """Copy the curated schema to a folder named by its content, from which the pipeline imports it, or raise InputError.

    The importer identifies a schema by its location, so that an edited one needs another folder.
    """
    from pipeline.data.schemas import default_schema, read_schema

    source = Path(path) if path else default_schema()
    read_schema(source)
    text = source.read_text(encoding="utf-8")
    folder = workspace.artifacts / "schemas" / hashlib.sha256(text.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / "schema.pbtxt"
    if not copy.is_file() or copy.read_text(encoding="utf-8") != text:
        copy.write_text(text, encoding="utf-8")
    return folder
