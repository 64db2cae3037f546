"""Copy the `metadata.db` of a work folder (`darkroom backup`), and restore such a copy (`darkroom restore`)."""

from __future__ import annotations

import datetime
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from common.writing import check_writable, followed, is_stream, put, send, shown
from components.pusher.versions import versions
from pipeline.maintenance import orphans
from pipeline.metadata.store import COPY, damaged, read_record, wait_for_lock
from pipeline.workspace.layout import WorkFolderBusy, Workspace

HEADER = b"SQLite format 3\0"
EMPTY = "it is empty"
PATIENCE = 30.0  # seconds to wait for a lock; a run locks its database only for moments


@dataclass(frozen=True)
class Contents:
    """The contents of a database."""

    executions: frozenset[int]  # the ids of all executions
    runs: int  # the number of runs
    pushed: frozenset[int]  # the versions that the runs pushed

    def __str__(self) -> str:
        latest = f", models up to version {max(self.pushed)}" if self.pushed else ""
        return f"{len(self.executions):,} executions of {self.runs:,} run{'s' * (self.runs != 1)}{latest}"


def backup(out: Path, workspace: Workspace) -> Contents:
    """Copy `metadata.db` in its current state, also while a run writes to it, and return the contents of the copy.

    Args:
        out: The file to write. It is complete and sound afterwards, or not changed. Or a stream, such as - or a FIFO.
        workspace: The work folder.

    Raises:
        InputError: There is nothing to copy, or `out` cannot be written.
        StoreDamaged: The database is damaged.
        WorkFolderBusy: Another program keeps it locked.
    """
    _has_file(workspace)
    if not workspace.metadata.is_file():
        raise InputError(f"there is no {workspace.metadata}: nothing was run in that work folder yet")
    stream = is_stream(out)
    if not stream:
        _check_place(out, workspace)
    try:
        with tempfile.TemporaryDirectory() if stream else nullcontext() as own, _fresh(_beside(out, own)) as copy:
            _copy(workspace.metadata, copy)
            why = fault(copy)
            if why:
                raise damaged(workspace, why)
            result = contents(copy)
            if stream:
                with copy.open("rb") as file:
                    send(file, out)
            else:
                _into_place(copy, followed(out))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"cannot write {shown(out)}: {error.strerror or error}") from None
    except sqlite3.DatabaseError as error:
        raise _translated(error, workspace, out) from None
    return result


def _check_place(out: Path, workspace: Workspace) -> None:
    """Raise InputError if a backup cannot be written to `out`, or would overwrite another file."""
    if out.suffix in (".gz", ".tgz", ".zip", ".tar"):
        raise InputError(
            f"a backup is one SQLite file and no archive: call it {out.name.partition('.')[0]}.db in place of {out.name}"
        )
    if out.is_dir() or not followed(out).parent.is_dir():
        raise InputError(f"cannot write {out}: {'it is a folder' if out.is_dir() else 'there is no such folder'}")
    if out.exists() and (out.samefile(workspace.metadata) or not _is_sqlite(out)):
        raise InputError(f"{out} is no backup, and is not overwritten by one: choose another name")
    try:
        check_writable(out)
    except PermissionError as error:
        raise InputError(f"cannot write {out}: {error.strerror}") from None


def _beside(out: Path, own: str | None) -> Path:
    """Return the path that a temporary copy is named after: in a temporary folder, or in the folder of its target."""
    return Path(own, "metadata.db") if own else followed(out)


def keep_copy(workspace: Workspace) -> None:
    """Keep a copy of the sound database beside it, at the end of a run. A MySQL database is not copied.

    The errors are those of `backup`; the earlier copy then stays.
    """
    if read_record(workspace) is None:
        backup(workspace.root / COPY, workspace)


def check(workspace: Workspace) -> None:
    """Raise StoreDamaged if the database of a run is damaged; it need not exist."""
    if not workspace.metadata.is_file():
        return
    why = fault(workspace.metadata)
    if why and (why != EMPTY or orphans.folders(workspace.artifacts)):  # a run that is killed early may leave an empty file
        raise damaged(workspace, why)


def restore(source: Path, workspace: Workspace) -> list[str]:
    """Replace `metadata.db` by a backup. Files of executions that it does not contain are moved away; nothing is deleted.

    Args:
        source: The backup.
        workspace: The work folder; no run may be active in it.

    Returns:
        What was done, one line each.

    Raises:
        InputError: The file is no backup, is damaged, or has a version that cannot be read.
        WorkFolderBusy: A run, or another program, holds the work folder or its database.
    """
    _has_file(workspace)
    database = workspace.metadata
    if not source.is_file() or not _is_sqlite(source):
        raise InputError(
            f"{source} is {'no SQLite file' if source.is_file() else 'not there'}: give one that 'darkroom backup' wrote"
        )
    if database.exists() and source.samefile(database):
        raise InputError(f"{source} is the database that is in use")
    with workspace.lock():
        wait_for_lock(database)
        with _fresh(followed(database)) as copy:
            try:
                _copy(source, copy)
            except sqlite3.DatabaseError as error:
                raise InputError(f"{source} cannot be restored: {error}") from None
            why = fault(copy) or _unreadable(copy)
            if why:
                raise InputError(f"{source} cannot be restored: {why}")
            result = contents(copy)
            # New ids start above all ids that were ever used in this work folder. A folder's name then means the same
            # execution in every database.
            orphans.count_on(copy, max(_last_id(database), orphans.highest(workspace)))
            before = _put_by(database)
            _into_place(copy, followed(database))
        moved = orphans.set_aside(workspace, lambda number: number not in result.executions)
        back = orphans.bring_back(workspace, result.executions)
        missing = _mark_gone(workspace)
    aside, served = workspace.root / orphans.ASIDE, versions(workspace.serving)
    unknown = ", ".join(str(number) for number in served if number not in result.pushed)
    current = max(served, default=None)
    lines = {
        f"the database that was there is {before}": before,
        f"files of {len(moved):,} executions that it does not know were moved to {aside}": moved,
        f"files of {len(back):,} executions that it knows were brought back from {aside}": back,
        f"files of {missing:,} artifacts that it knows are not there any more: they count as deleted": missing,
        f"in serving/ there stay versions that it does not know: {unknown}; version {current} is in service": unknown,
    }
    return [f"restored {database} from {source}: {result}", *(line for line, happened in lines.items() if happened)]


def fault(database: Path) -> str | None:
    """Return the fault of an ML Metadata database, or None if it is sound."""
    try:
        with _opened(database) as store:
            items = [row[0] for row in store.execute("PRAGMA integrity_check(1)")]
            if items != ["ok"]:
                return " ".join(items[0].replace("*** in database main ***", "").split())
            tables = {row[0] for row in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.OperationalError:  # for example a lock
        raise
    except sqlite3.DatabaseError as error:
        return str(error)
    if not tables:
        return EMPTY
    return None if {"MLMDEnv", "Execution", "Artifact", "Event"} <= tables else "it is no database of ML Metadata"


def contents(database: Path) -> Contents:
    """Return the contents of a sound database."""
    runs = "SELECT count(*) FROM Context JOIN Type ON Type.id = Context.type_id WHERE Type.name = 'pipeline_run'"
    pushed = "SELECT string_value FROM ArtifactProperty WHERE name = 'pushed_version' AND string_value GLOB '[0-9]*'"
    with _opened(database) as store:
        return Contents(
            executions=frozenset(row[0] for row in store.execute("SELECT id FROM Execution")),
            runs=store.execute(runs).fetchone()[0],
            pushed=frozenset(int(row[0]) for row in store.execute(pushed)),
        )


def _has_file(workspace: Workspace) -> None:
    record = read_record(workspace)
    if record:
        raise InputError(
            f"{workspace.root} keeps its metadata in {record.mysql.place}: use the server's own tools, such as mariadb-dump"
        )
    if not workspace.root.is_dir():
        raise InputError(f"there is no work folder {workspace.root}")


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(HEADER)) == HEADER


@contextmanager
def _opened(database: Path) -> Iterator[sqlite3.Connection]:
    """Open an existing database. It is opened for writing if allowed, because only a writer can undo an unfinished transaction."""
    mode = "rw" if os.access(database, os.W_OK) else "ro"
    store = sqlite3.connect(f"{database.absolute().as_uri()}?mode={mode}", uri=True, timeout=PATIENCE, isolation_level=None)
    try:
        yield store
    finally:
        store.close()


def _copy(source: Path, target: Path) -> None:
    """Copy a consistent state of a database, even while others write to it."""
    with _opened(source) as old:
        old.execute("BEGIN")
        old.execute("SELECT count(*) FROM sqlite_master").fetchone()  # waits for a writer, and fails after the timeout
        new = sqlite3.connect(target)
        try:
            old.backup(new)
        finally:
            new.close()


def _translated(error: sqlite3.DatabaseError, workspace: Workspace, out: Path) -> Exception:
    if "locked" in str(error):
        return WorkFolderBusy(f"{workspace.metadata} is locked by another program; wait for it, or end it")
    if isinstance(error, sqlite3.OperationalError):  # a full disk, or a folder without write permission
        return InputError(f"cannot write {out}: {error}")
    return damaged(workspace, str(error))


def _unreadable(database: Path) -> str | None:
    """Return why ML Metadata cannot read a sound database, for example because of another schema version; None if it can."""
    from ml_metadata.metadata_store import metadata_store
    from ml_metadata.proto import metadata_store_pb2 as pb

    sqlite = pb.SqliteMetadataSourceConfig(filename_uri=str(database), connection_mode=pb.SqliteMetadataSourceConfig.READWRITE)
    try:
        metadata_store.MetadataStore(pb.ConnectionConfig(sqlite=sqlite))
    except RuntimeError as error:
        return str(error).partition(". ")[0]
    return None


def _mark_gone(workspace: Workspace) -> int:
    """Mark artifacts without files as deleted, so that the next run does not use them as baselines; return their number."""
    from ml_metadata.proto.metadata_store_pb2 import Artifact

    with _opened(workspace.metadata) as store:
        known = store.execute("SELECT id, uri FROM Artifact WHERE state = ?", (Artifact.LIVE,)).fetchall()
        missing = [id_ for id_, uri in known if uri and Path(uri).is_relative_to(workspace.artifacts) and not Path(uri).exists()]
        store.execute("BEGIN IMMEDIATE")
        store.executemany("UPDATE Artifact SET state = ? WHERE id = ?", [(Artifact.DELETED, id_) for id_ in missing])
        store.execute("COMMIT")
    return len(missing)


def _last_id(database: Path) -> int:
    """Return the last execution id of a database; 0 if there is none, or it cannot be read."""
    try:
        with _opened(database) as store:
            result = store.execute("SELECT seq FROM sqlite_sequence WHERE name = 'Execution'").fetchone()
    except sqlite3.DatabaseError:
        return 0
    return result[0] if result else 0


@contextmanager
def _fresh(target: Path) -> Iterator[Path]:
    """Yield the path of a temporary file beside `target`, and remove it afterwards."""
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        yield fresh
    finally:
        for path in (fresh, fresh.with_name(f"{fresh.name}-journal")):
            path.unlink(missing_ok=True)


def _into_place(fresh: Path, target: Path) -> None:
    """Replace a file by another, so that after a power failure one of the two is complete."""
    _flush(fresh)
    put(fresh, target)
    _flush(target.absolute().parent)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _put_by(database: Path) -> Path | None:
    """Copy the database that is about to be replaced, and move its journal, which must not be applied to the new one."""
    if not database.exists():
        return None
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    names = (f"{database.name}.before-restore-{stamp}{suffix}" for suffix in ("", *(f"-{i}" for i in range(2, 1000))))
    before = next(path for path in map(database.with_name, names) if not path.exists())
    shutil.copy2(database, before)
    for suffix in ("-journal", "-wal", "-shm"):
        journal = database.with_name(database.name + suffix)
        if journal.exists():
            journal.rename(before.with_name(before.name + suffix))
    return before
