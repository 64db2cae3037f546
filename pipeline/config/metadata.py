"""The configuration section `metadata`: the database of ML Metadata."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le


@dataclass(frozen=True)
class MetadataConfig:
    """Where ML Metadata is kept: in a file of the work folder, or in a MySQL (or MariaDB) database of its own.

    Attributes:
        host: The MySQL server; null keeps `metadata.db` in the work folder.
        port: The port of the MySQL server.
        database: The database on that server. It must exist, and belongs to one work folder alone.
        user: The account, of the plugin mysql_native_password.
        password_env: The environment variable that holds the password; null for an account without one. The password itself is
            not part of the configuration, and is never written.
        tls: Whether the connection is encrypted. ML Metadata's client does not verify the certificate of the server.
    """

    host: str | None = None
    port: Annotated[int, Ge(1), Le(65535)] = 3306
    database: str = "darkroom"
    user: str = "darkroom"
    password_env: str | None = "DARKROOM_METADATA_PASSWORD"
    tls: bool = False

    def __post_init__(self) -> None:
        """Check values that a server would reject with an unclear message: raise ValueError, with a message for the user."""
        if self.host is not None and not re.fullmatch(r"[\w.:-]+", self.host):
            raise ValueError(f"metadata.host must be a name or an address such as db.example.org, not {self.host!r}")
        if not re.fullmatch(r"\w{1,64}", self.database, re.ASCII):
            raise ValueError(f"metadata.database must be of letters, digits and underscores, not {self.database!r}")
        if self.password_env is not None and not re.fullmatch(r"[A-Za-z_]\w*", self.password_env, re.ASCII):
            # The message does not repeat the value: it may be the password itself.
            raise ValueError("metadata.password_env must be the name of an environment variable, which holds the password")

    @property
    def place(self) -> str:
        """The database as text for messages."""
        return f"the MySQL database {self.database} at {self.host}:{self.port}"
