"""Open files in archives, by paths that lead through them: pictures.zip/gzip/train-images-idx3-ubyte.gz."""

from __future__ import annotations

import contextlib
import errno
import io
import os
from collections.abc import Iterator
from typing import Any, BinaryIO

from components.image_example_gen import reasons
from components.image_example_gen.storage.archive_kinds import BrokenArchiveError, is_archive
from components.image_example_gen.storage.archive_members import ENDLESS, Member, allowed_size, walk
from components.image_example_gen.storage.plain import WEB, is_remote, open_url
from components.image_example_gen.storage.stores import is_stored_file, stat_stored

_PIECE = 1 << 16


def split_member(path: str) -> tuple[str, str] | None:
    """Split a path that leads through an archive into the archive's path and the inner one; None for other paths.

    On this machine and in stores, the archive must be a file, because a folder may be called pictures.tar. The web has no folders
    to check, so there the name decides.
    """
    parts = path.split("/")
    for at in range(3 if is_remote(path) else 0, len(parts) - 1):  # a host may be called pictures.zip
        archive, name = "/".join(parts[: at + 1]), "/".join(parts[at + 1 :])
        if name and is_archive(parts[at]) and _is_file(archive):
            return archive, name
    return None


def open_member(archive: str, name: str) -> BinaryIO:
    """Open a file in an archive as a stream that cannot seek.

    Args:
        archive: A path or a URI.
        name: Its `Member.key`. It is looked up only among the names in the archive.

    Raises:
        OSError: There is no such file, or it cannot be read.
    """
    with contextlib.ExitStack() as stack:
        member = stack.enter_context(_found(archive, name))
        try:
            inside = stack.enter_context(contextlib.closing(member.open()))
        except Exception as error:  # Python's parsers raise many types of errors on arbitrary bytes
            raise _damaged() from error
        return io.BufferedReader(_MemberStream(inside, member.size, stack.pop_all()), _PIECE)


def size_of_member(archive: str, name: str) -> int:
    """Return the decompressed size of a file in an archive. Raise OSError if there is no such file, or it cannot be read."""
    with _found(archive, name) as member:
        return member.size


def size_of_archive(archive: str) -> int:
    """Return the size of a file in bytes; -1 if a web server does not report it. Raise OSError if the file cannot be reached."""
    if not is_remote(archive):
        return os.stat(archive).st_size
    if archive.startswith(WEB):
        with open_url(archive) as stream:
            said = stream.headers.get("Content-Length") or ""
        return int(said) if said.isdigit() else -1
    try:
        return stat_stored(archive)[0]
    except OSError:
        raise
    except Exception as error:  # each store raises its own errors
        raise OSError(errno.EIO, "the store does not answer") from error


@contextlib.contextmanager
def _found(archive: str, name: str) -> Iterator[Member]:
    """Find a file in an archive; it can be opened within the context."""
    size = size_of_archive(archive)
    with contextlib.closing(walk(archive, size)) as members:
        try:
            member = next((member for member in members if name == member.key or member.refused == ENDLESS), None)
        except BrokenArchiveError as error:
            raise OSError(errno.EIO, f"its archive is {error.reason}") from error
        if member is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), f"{archive}/{name}")
        if member.refused:
            raise OSError(errno.EIO, member.refused)
        if member.size > allowed_size(size):
            raise OSError(errno.EIO, ENDLESS)
        yield member


def _is_file(path: str) -> bool:
    if not is_remote(path):
        return os.path.isfile(path)
    return path.startswith(WEB) or is_stored_file(path)


def _damaged() -> OSError:
    return OSError(errno.EIO, reasons.MEMBER_DAMAGED)


class _MemberStream(io.RawIOBase):
    """The bytes of a file in an archive; closing it closes the archive."""

    def __init__(self, inside: BinaryIO, size: int, opened: contextlib.ExitStack):
        self._inside, self._left, self._opened = inside, size, opened

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._inside.read(min(len(buffer), self._left))
        except Exception as error:  # Python's parsers raise many types of errors on arbitrary bytes
            raise _damaged() from error
        if not data and self._left:
            raise _damaged()
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._opened.close()
        super().close()
