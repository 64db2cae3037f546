"""ML Metadata's database: the one place that knows where it is and how it is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from ml_metadata.metadata_store.metadata_store import MetadataStore
    from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig


def exists(workspace: Workspace) -> bool:
    """Whether a work folder has a database: whether anything was run in it."""
    return workspace.metadata.is_file()


def connection(workspace: Workspace) -> ConnectionConfig:
    """How TFX connects to a work folder's database, which it makes where there is none."""
    from ml_metadata.proto import metadata_store_pb2 as pb

    sqlite = pb.SqliteMetadataSourceConfig(
        filename_uri=str(workspace.metadata), connection_mode=pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    )
    return pb.ConnectionConfig(sqlite=sqlite)


def open_store(workspace: Workspace) -> MetadataStore:
    """A work folder's database, opened; made where there is none, so ask `exists` first."""
    from ml_metadata.metadata_store import metadata_store

    return metadata_store.MetadataStore(connection(workspace))
