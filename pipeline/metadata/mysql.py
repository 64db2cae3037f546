"""Use ML Metadata in a MySQL database: connect, explain failures, and record the work folder that owns the database."""

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

OWNER = "darkroom.WorkFolder"  # the context type that records the work folder that owns a database
TIMEOUT = 10.0
GREETING, ERROR = 10, 255  # values of the first byte of the server's first packet
CAN_TLS = 0x0800
PASSWORD = "MYSQL_PWD"  # the variable from which MySQL's client takes a missing password


def connection(config: MetadataConfig) -> ConnectionConfig:
    """Return TFX's settings for the connection to the database; raise InputError if the password's variable is not set.

    The password is passed in the environment, because TFX logs the connection and compiles it into the pipeline.
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
    host = "127.0.0.1" if config.host == "localhost" else config.host  # for "localhost" the client would use a socket file
    mysql = pb.MySQLDatabaseConfig(host=host, port=config.port, database=config.database, user=config.user, skip_db_creation=True)
    if config.tls:
        mysql.ssl_options.verify_server_cert = False  # if True, ML Metadata's client rejects all certificates, even valid ones
    return pb.ConnectionConfig(mysql=mysql)


def open_store(config: MetadataConfig) -> MetadataStore:
    """Open the database, and create its tables if it is empty; raise InputError if it cannot be used, one line with the reason."""
    from ml_metadata.metadata_store import metadata_store

    settings = connection(config)
    _greet(config)
    try:
        return metadata_store.MetadataStore(settings)
    except RuntimeError as error:
        raise InputError(_message(str(error), config)) from None


def _greet(config: MetadataConfig) -> None:
    """Check the server's greeting. ML Metadata's client reports an absent server and a wrong password with the same message."""
    try:
        with socket.create_connection((config.host, config.port), timeout=TIMEOUT) as server:
            greeting = server.recv(512)
    except OSError as error:
        raise InputError(f"no server answers for {config.place}: {error.strerror or error}") from None
    kind = greeting[4] if len(greeting) > 4 else None
    if kind == ERROR:
        raise InputError(f"the server of {config.place} rejects this machine: {greeting[7:].decode(errors='replace')}")
    if kind != GREETING:
        raise InputError(f"the server at {config.host}:{config.port} is not MySQL")
    # The version is followed by a number (4 bytes), salt (8 bytes), a filler (1 byte) and the server's capabilities (2 bytes).
    after = greeting[5:].partition(b"\0")[2]
    if config.tls and not int.from_bytes(after[13:15], "little") & CAN_TLS:  # the client would silently connect without TLS
        raise InputError(f"the server of {config.place} does not support TLS, which metadata.tls requires")


def _message(error: str, config: MetadataConfig) -> str:
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
    """Return the id and the path of the work folder that owns a database, or None if none does."""
    records = sorted(store.get_contexts_by_type(OWNER), key=lambda context: context.id)
    return (records[0].name, records[0].custom_properties["path"].string_value) if records else None


def claim(store: MetadataStore, work: str, folder: Path) -> str:
    """Record that a database belongs to the work folder with the id `work`.

    Returns:
        The id of the owner from now on: that of another work folder if it was faster.
    """
    from ml_metadata.proto import metadata_store_pb2 as pb

    kind = store.put_context_type(pb.ContextType(name=OWNER))
    record = pb.Context(type_id=kind, name=work)
    record.custom_properties["path"].string_value = f"{platform.node()}:{folder}"
    store.put_contexts([record])
    result = owner(store)
    return result[0] if result else work


def is_used(store: MetadataStore) -> bool:
    """Return True if a database contains executions, of this project or of another."""
    from ml_metadata.metadata_store import ListOptions

    return bool(store.get_executions(ListOptions(limit=1)))
