"""Listing and opening the files of a folder: on this machine, or by any URI that Beam knows (gs://, s3:// ...)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from stat import S_ISDIR, S_ISREG
from typing import BinaryIO

from trainer.errors import InputError


@dataclass(frozen=True)
class FoundFile:
    """A file below a folder.

    Attributes:
        path: Relative to that folder, with forward slashes.
        size: In bytes; -1 for a link that leads nowhere.
        mtime_ns: Time of the last change, nanoseconds since 1970; -1 for such a link.
    """

    path: str
    size: int
    mtime_ns: int


def list_files(folder: str) -> list[FoundFile]:
    """Lists all files below `folder`, sorted by path, without opening any.

    Names that begin with a dot are left out, folders and files alike. Links are followed. What is neither a file nor a
    folder (a pipe would block its reader for ever) is left out too.

    Raises:
        InputError: `folder` does not exist, is not a folder or may not be read.
    """
    found = _list_remote(folder) if is_remote(folder) else _list_local(folder)
    return sorted(found, key=lambda file: file.path)


def is_remote(path: str) -> bool:
    """Whether `path` is a URI of another machine's storage."""
    return "://" in path


def join(folder: str, path: str) -> str:
    """The full path of a relative one below `folder`."""
    return f"{folder.rstrip('/')}/{path}"


def open_file(path: str) -> BinaryIO:
    """Opens a file for reading bytes as they are stored.

    Raises:
        OSError: It cannot be opened.
    """
    if not is_remote(path):
        return open(path, "rb")
    from apache_beam.io.filesystem import CompressionTypes
    from apache_beam.io.filesystems import FileSystems

    return FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)


def printable(path: str) -> str:
    r"""`path` as text that any file or terminal takes: bytes that are not UTF-8 are written as \xNN."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _list_local(folder: str) -> Iterator[FoundFile]:
    if not os.path.exists(folder):
        raise InputError(f"the folder {printable(folder)} does not exist: check the path of the pictures")
    if not os.path.isdir(folder):
        raise InputError(f"{printable(folder)} is a file, not a folder: unpack an archive, and give its folder")
    yield from _walk(folder, "", ())


def _walk(folder: str, prefix: str, above: tuple[str, ...]) -> Iterator[FoundFile]:
    """Yields the files of a folder and of those below; `above` are the folders on the way, against circular links."""
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise InputError(f"the folder {printable(folder)} cannot be read: {error.strerror}") from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = f"{prefix}{entry.name}"
        try:
            stat = entry.stat()
        except OSError:
            yield FoundFile(path, -1, -1)
            continue
        if S_ISDIR(stat.st_mode):
            yield from _walk(entry.path, f"{path}/", (*above, real))
        elif S_ISREG(stat.st_mode):
            yield FoundFile(path, stat.st_size, stat.st_mtime_ns)


def _list_remote(folder: str) -> Iterator[FoundFile]:
    from apache_beam.io.filesystem import BeamIOError
    from apache_beam.io.filesystems import FileSystems

    root = folder.rstrip("/") + "/"
    try:
        (result,) = FileSystems.match([f"{root}**"])
    except (BeamIOError, ValueError) as error:
        raise InputError(f"{folder} cannot be listed: {' '.join(str(error).split())[:200]}") from error
    for file in result.metadata_list:
        path = file.path[len(root) :]
        if path and not path.endswith("/") and not any(part.startswith(".") for part in path.split("/")):
            yield FoundFile(path, file.size_in_bytes, int(file.last_updated_in_seconds * 1_000_000_000))
