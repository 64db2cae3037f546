"""ML Metadata in a MySQL database: how it is reached, what it says if it is not, and whose it is."""

from __future__ import annotations

import os
import platform
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import InputError
from pipeline.config.metadata import MetadataConfig

if TYPE_CHECKING:
    from ml_metadata.metadata_store.metadata_store import MetadataStore
    from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig

OWNER = "darkroom.WorkFolder"  # the context type that says which work folder a database belongs to
TIMEOUT = 10.0
GREETING, ERROR = 10, 255  # the first byte of what a server says first
CAN_TLS = 0x0800
PASSWORD = "MYSQL_PWD"  # where MySQL's client looks for the password that it is not given


def connection(config: MetadataConfig) -> ConnectionConfig:
    """How TFX connects to the database.

    The password is handed over in the environment: TFX writes the connection to the log, and compiles it into the pipeline.

    Raises:
        InputError: The variable that holds the password is not set.
    """
    from ml_metadata.proto import metadata_store_pb2 as pb

    if config.password_env is not None:
        if not os.environ.get(config.password_env):
            raise InputError(
                f"the environment variable {config.password_env}, which holds the password of {config.place}, is not set"
            )
        os.environ[PASSWORD] = os.environ[config.password_env]
    elif PASSWORD in os.environ:
        del os.environ[PASSWORD]
    host = "127.0.0.1" if config.host == "localhost" else config.host  # by that name it would look for a socket file
    mysql = pb.MySQLDatabaseConfig(host=host, port=config.port, database=config.database, user=config.user, skip_db_creation=True)
    if config.tls:
        mysql.ssl_options.verify_server_cert = False  # with it ML Metadata's client takes no certificate at all, good ones neither
    return pb.ConnectionConfig(mysql=mysql)


def open_store(config: MetadataConfig) -> MetadataStore:
    """The database, opened; its tables are made where it is empty.

    Raises:
        InputError: It cannot be reached or used; one line that says why.
    """
    from ml_metadata.metadata_store import metadata_store

    settings = connection(config)
    _greet(config)
    try:
        return metadata_store.MetadataStore(settings)
    except RuntimeError as error:
        raise InputError(_words(str(error), config)) from None


def _greet(config: MetadataConfig) -> None:
    """Hears the server's greeting: ML Metadata's client has the same empty words for a server that is away and a wrong password.

    Raises:
        InputError: There is none.
    """
    try:
        with socket.create_connection((config.host, config.port), timeout=TIMEOUT) as server:
            said = server.recv(512)
    except OSError as error:
        raise InputError(f"no server answers for {config.place}: {error.strerror or error}") from None
    kind = said[4] if len(said) > 4 else None
    if kind == ERROR:
        raise InputError(f"the server of {config.place} turns this machine away: {said[7:].decode(errors='replace')}")
    if kind != GREETING:
        raise InputError(f"what answers at {config.host}:{config.port} is no MySQL server")
    # After the version: four bytes of a number, eight of salt, a filler; then what the server can, in two bytes.
    after = said[5:].partition(b"\0")[2]
    if config.tls and not int.from_bytes(after[13:15], "little") & CAN_TLS:  # the client would do without, and say nothing
        raise InputError(f"the server of {config.place} knows no TLS, which metadata.tls asks for")


def _words(error: str, config: MetadataConfig) -> str:
    """What ML Metadata says when it cannot open a database, for a person."""
    if "mysql_real_connect" in error:
        password = f"the password in {config.password_env} is wrong" if config.password_env else "it needs a password"
        tls = "" if config.tls else "it asks for TLS (metadata.tls), "
        return (
            f"the server of {config.place} does not let the user {config.user} in: {password}, {tls}or the account is not of the "
            "plugin mysql_native_password"
        )
    if "Unknown database" in error:
        return f"there is no database {config.database} on the server at {config.host}:{config.port}: make it there first"
    if "denied" in error:
        return f"the user {config.user} may not use {config.place}: it needs all rights to it"
    return f"{config.place} cannot be used: {' '.join(error.split())[:300]}"


def owner(store: MetadataStore) -> tuple[str, str] | None:
    """The work folder that a database belongs to, as its id and where it was; None where it belongs to none yet."""
    records = sorted(store.get_contexts_by_type(OWNER), key=lambda context: context.id)
    return (records[0].name, records[0].custom_properties["path"].string_value) if records else None


def claim(store: MetadataStore, work: str, folder: Path) -> str:
    """Records that a database belongs to a work folder.

    Args:
        store: The database.
        work: The work folder's id.
        folder: Where it is.

    Returns:
        The id of the one that it belongs to from now on: another's, if that one was quicker.
    """
    from ml_metadata.proto import metadata_store_pb2 as pb

    kind = store.put_context_type(pb.ContextType(name=OWNER))
    record = pb.Context(type_id=kind, name=work)
    record.custom_properties["path"].string_value = f"{platform.node()}:{folder}"
    store.put_contexts([record])
    found = owner(store)
    return found[0] if found else work


def is_used(store: MetadataStore) -> bool:
    """Whether a database holds executions, be they of this project or another's."""
    from ml_metadata.metadata_store import ListOptions

    return bool(store.get_executions(ListOptions(limit=1)))
