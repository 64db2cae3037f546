"""ML Metadata's database: the one place that knows where it is and how it is opened."""

from __future__ import annotations

import datetime
import json
import os
import shlex
import sqlite3
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import InputError
from pipeline.config.metadata import MetadataConfig
from pipeline.metadata import mysql
from pipeline.workspace.layout import WorkFolderBusy, Workspace, command

if TYPE_CHECKING:
    from ml_metadata.metadata_store.metadata_store import MetadataStore
    from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig

RECORD = "metadata.json"
COPY = "metadata.db.backup"  # of metadata.db, after the last run that pushed
PATIENCE = 5.0  # seconds that another program may keep metadata.db locked


class StoreDamaged(RuntimeError):
    """`metadata.db` cannot be read: exit status 1, and a message that says how to go on."""


@dataclass(frozen=True)
class Record:
    """Where a work folder's database is, if not in its `metadata.db`: the file `metadata.json`.

    Attributes:
        work: The work folder's id, by which the database knows it.
        mysql: The MySQL database.
    """

    work: str
    mysql: MetadataConfig


def exists(workspace: Workspace) -> bool:
    """Whether a work folder has a database: whether anything was run in it."""
    return workspace.metadata.is_file() or (workspace.root / RECORD).is_file()


def connection(workspace: Workspace) -> ConnectionConfig:
    """How TFX connects to a work folder's database; a file is made where there is none.

    Raises:
        InputError: It is in MySQL, and the password is not set.
    """
    from ml_metadata.proto import metadata_store_pb2 as pb

    record = read_record(workspace)
    if record:
        return mysql.connection(record.mysql)
    sqlite = pb.SqliteMetadataSourceConfig(
        filename_uri=str(workspace.metadata), connection_mode=pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    )
    return pb.ConnectionConfig(sqlite=sqlite)


def open_store(workspace: Workspace) -> MetadataStore:
    """A work folder's database, opened; a file is made where there is none, so ask `exists` first.

    Raises:
        InputError: It is in MySQL and cannot be reached.
        StoreDamaged: It is a file that is no database any more.
    """
    from ml_metadata.metadata_store import metadata_store

    record = read_record(workspace)
    if record:
        return mysql.open_store(record.mysql)
    try:
        return metadata_store.MetadataStore(connection(workspace))
    except RuntimeError as error:
        why = next((words for words in ("file is not a database", "database disk image is malformed") if words in str(error)), None)
        raise damaged(workspace, why) if why else error from None


def damaged(workspace: Workspace, why: str) -> StoreDamaged:
    """What is said of a `metadata.db` that cannot be read."""
    copy = workspace.root / COPY
    if copy.is_file():
        time = datetime.datetime.fromtimestamp(copy.stat().st_mtime).isoformat(" ", timespec="seconds")
        help = f"`{command(f'restore {shlex.quote(str(copy))}', workspace.root)}` goes back to the copy of {time}"
    else:
        help = f"`{command('restore FILE', workspace.root)}` goes back to a backup; without one, move it away and start anew"
    return StoreDamaged(f"{workspace.metadata} is damaged ({why}): {help}")


def read_record(workspace: Workspace) -> Record | None:
    """Where a work folder's database is; None where it is `metadata.db`.

    Raises:
        InputError: The record is damaged.
    """
    path = workspace.root / RECORD
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Record(values.pop("work"), MetadataConfig(**values))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise InputError(f"{path}, which says where ML Metadata's database is, is damaged: bring it back from a backup") from None


def settle(workspace: Workspace, asked: MetadataConfig) -> None:
    """Settles before a run that the database it asks for is the work folder's own, and can be used.

    Args:
        workspace: The work folder; the run holds it.
        asked: What the configuration says.

    Raises:
        InputError: The work folder was begun with another one, or the database belongs to another work folder, or it cannot be
            reached.
        WorkFolderBusy: Another program keeps `metadata.db` locked.
    """
    begun = read_record(workspace)
    if asked.host is None:
        if begun:
            raise InputError(
                f"{workspace.root} was begun with {begun.mysql.place}: ask for that in the configuration's metadata section, or "
                "choose another --work"
            )
        wait_for_lock(workspace.metadata)
        return
    if begun is None and workspace.metadata.exists():
        raise InputError(
            f"{workspace.root} was begun with its own metadata.db and cannot go on with {asked.place}: leave out metadata.host, or "
            "choose another --work"
        )
    from common.quiet import quiet

    with quiet(Path(os.devnull)):  # what ML Metadata's client has to say of a refusal is said better
        _settle_mysql(workspace, begun, asked)


def _settle_mysql(workspace: Workspace, begun: Record | None, asked: MetadataConfig) -> None:
    store = mysql.open_store(asked)
    record = Record(begun.work if begun else uuid.uuid4().hex, asked)
    found = mysql.owner(store)
    if found is None:
        if begun and begun.mysql.place != asked.place:
            raise InputError(f"{workspace.root} was begun with {begun.mysql.place}, and {asked.place} is empty: ask for the former")
        if mysql.is_used(store):
            raise InputError(f"{asked.place} holds what is not Darkroom's: give this work folder an empty one by metadata.database")
        _write_record(workspace, record)
        if mysql.claim(store, record.work, workspace.root) == record.work:
            return
        if begun is None:
            (workspace.root / RECORD).unlink()
        found = mysql.owner(store)
    if found[0] != record.work:
        raise InputError(
            f"{asked.place} belongs to another work folder, {found[1]}: give this one a database of its own by metadata.database; "
            "if that folder is gone, drop the database and make it anew"
        )
    if record != begun:  # the server has moved, or the account is another
        _write_record(workspace, record)


def _write_record(workspace: Workspace, record: Record) -> None:
    """Writes the record, whole or not at all; there is no password in it."""
    fresh = workspace.root / f".{RECORD}.new"
    fresh.write_text(json.dumps({"work": record.work, **asdict(record.mysql)}, indent=2) + "\n", encoding="utf-8")
    fresh.replace(workspace.root / RECORD)


def wait_for_lock(database: Path) -> None:
    """Waits a little for a database that another program has locked; one that is damaged is the run's own affair.

    Raises:
        InputError: It cannot be written.
        WorkFolderBusy: It stays locked.
    """
    if not database.is_file():
        return
    store = sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=PATIENCE, isolation_level=None)
    try:
        store.execute("BEGIN IMMEDIATE")
        store.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise WorkFolderBusy(f"{database} is locked by another program; wait for it, or end it") from None
        if "readonly" in str(error) or "unable to open" in str(error):
            raise InputError(f"cannot write {database}: {error}") from None
    except sqlite3.DatabaseError:
        pass
    finally:
        store.close()
