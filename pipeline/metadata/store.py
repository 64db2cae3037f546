"""Locate and open the database of ML Metadata. No other module knows where it is."""

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

from common.errors import InputError, MachineFault
from common.writing import write_text
from pipeline.config.metadata import MetadataConfig
from pipeline.metadata import mysql
from pipeline.workspace.layout import WorkFolderBusy, Workspace, command

if TYPE_CHECKING:
    from ml_metadata.metadata_store.metadata_store import MetadataStore
    from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig

RECORD = "metadata.json"
COPY = "metadata.db.backup"  # the copy of metadata.db after the last run that pushed
PATIENCE = 5.0  # seconds to wait for another program that has locked metadata.db


class StoreDamaged(MachineFault):
    """`metadata.db` cannot be read. Ends a run with exit status 1; the message says how to continue."""


@dataclass(frozen=True)
class Record:
    """The location of a work folder's database, if it is not its `metadata.db`. Stored in the file `metadata.json`."""

    work: str  # the id of the work folder in the database
    mysql: MetadataConfig  # the MySQL database


def exists(workspace: Workspace) -> bool:
    """Return True if a work folder has a database, which means that something was run in it."""
    return workspace.metadata.is_file() or (workspace.root / RECORD).is_file()


def connection(workspace: Workspace) -> ConnectionConfig:
    """Return TFX's settings for the connection to a work folder's database. A missing file is created.

    Raise InputError if the database is in MySQL, and the password is not set.
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
    """Open a work folder's database. A missing file is created, so check `exists` first.

    Raises:
        InputError: The database is in MySQL and cannot be reached.
        StoreDamaged: The file is not a valid database any more.
    """
    from ml_metadata.metadata_store import metadata_store

    record = read_record(workspace)
    if record:
        return mysql.open_store(record.mysql)
    try:
        return metadata_store.MetadataStore(connection(workspace))
    except RuntimeError as error:
        why = next((text for text in ("file is not a database", "database disk image is malformed") if text in str(error)), None)
        raise damaged(workspace, why) if why else error from None


def damaged(workspace: Workspace, why: str) -> StoreDamaged:
    """Return the error for a `metadata.db` that cannot be read."""
    copy = workspace.root / COPY
    if copy.is_file():
        time = datetime.datetime.fromtimestamp(copy.stat().st_mtime).isoformat(" ", timespec="seconds")
        help = f"`{command(f'restore {shlex.quote(str(copy))}', workspace.root)}` goes back to the copy of {time}"
    else:
        help = f"`{command('restore FILE', workspace.root)}` goes back to a backup; without one, move it away and start anew"
    return StoreDamaged(f"{workspace.metadata} is damaged ({why}): {help}")


def read_record(workspace: Workspace) -> Record | None:
    """Return the location of a work folder's database; None if it is `metadata.db`. Raise InputError if the record is damaged."""
    path = workspace.root / RECORD
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Record(values.pop("work"), MetadataConfig(**values))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise InputError(f"{path}, which says where ML Metadata's database is, is damaged: bring it back from a backup") from None


def settle(workspace: Workspace, asked: MetadataConfig) -> None:
    """Check before a run, which holds the folder's lock, that the database can be used. Record a new MySQL database.

    Raises:
        InputError: The work folder was created with another database, or the database belongs to another work folder, or it cannot
            be reached.
        WorkFolderBusy: Another program keeps `metadata.db` locked.
    """
    begun = read_record(workspace)
    if asked.host is None:
        if begun:
            raise InputError(
                f"{workspace.root} was created with {begun.mysql.place}: name that in the configuration's metadata section, or "
                "choose another --work"
            )
        wait_for_lock(workspace.metadata)
        return
    if begun is None and workspace.metadata.exists():
        raise InputError(
            f"{workspace.root} was created with its own metadata.db and cannot go on with {asked.place}: leave out metadata.host, or "
            "choose another --work"
        )
    from common.quiet import quiet

    with quiet(Path(os.devnull)):  # ML Metadata's client prints its own errors
        _settle_mysql(workspace, begun, asked)


def _settle_mysql(workspace: Workspace, begun: Record | None, asked: MetadataConfig) -> None:
    store = mysql.open_store(asked)
    record = Record(begun.work if begun else uuid.uuid4().hex, asked)
    result = mysql.owner(store)
    if result is None:
        if begun and begun.mysql.place != asked.place:
            raise InputError(f"{workspace.root} was created with {begun.mysql.place}, and {asked.place} is empty: use the former")
        if mysql.is_used(store):
            raise InputError(f"{asked.place} has data of another program: name an empty database in metadata.database")
        _write_record(workspace, record)
        if mysql.claim(store, record.work, workspace.root) == record.work:
            return
        if begun is None:
            (workspace.root / RECORD).unlink()
        result = mysql.owner(store)
    if result[0] != record.work:
        raise InputError(
            f"{asked.place} belongs to another work folder, {result[1]}: give this one a database of its own by metadata.database; "
            "if that folder is gone, drop the database and make it anew"
        )
    if record != begun:  # the server has moved, or the account has changed
        _write_record(workspace, record)


def _write_record(workspace: Workspace, record: Record) -> None:
    """Write the record, completely or not at all; it contains no password."""
    write_text(json.dumps({"work": record.work, **asdict(record.mysql)}, indent=2) + "\n", workspace.root / RECORD)


def wait_for_lock(database: Path) -> None:
    """Wait briefly for a database that another program has locked. A damaged database is not reported here.

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
