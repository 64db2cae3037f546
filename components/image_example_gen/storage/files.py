"""List and open files: on this machine, or by any URI that Beam supports (gs://, s3://, azfs:// ...) and http(s)://."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from stat import S_ISDIR, S_ISREG
from typing import BinaryIO

from common.errors import InputError
from components.image_example_gen import reasons
from components.image_example_gen.items import Rejected
from components.image_example_gen.names import is_passed_over, is_picture
from components.image_example_gen.storage.archive_members import open_member, size_of_member, split_member
from components.image_example_gen.storage.plain import is_plain_file, is_remote, local_path, open_plain, seekable, stat_plain
from components.image_example_gen.storage.stores import list_stored, one_line
from serving.picture_files import Refused

_PIECE = 1 << 24  # bytes read at once; Python allocates the whole requested size
_REASONS = {FileNotFoundError: "there is no such file", PermissionError: "the server does not allow it"}


@dataclass(frozen=True)
class FoundFile:
    """A file below a folder."""

    path: str  # relative to that folder, with forward slashes
    size: int  # in bytes; -1 for a broken link
    mtime_ns: int  # modification time, nanoseconds since 1970; -1 for a broken link


def list_files(folder: str, follow_links: bool = False) -> Iterator[FoundFile | Rejected]:
    """Yield all files below `folder`, without opening any, in the order of the file system.

    Hidden files and folders, thumbnails and system files are left out. So is everything that is neither a file nor a folder: a pipe
    would block its reader forever. No list is kept in memory, because the folder may have millions of files. Links within the folder
    are always followed, those that lead out of it only if `follow_links`.

    Raises:
        InputError: `folder` does not exist, is not a folder or may not be read.
    """
    if is_remote(folder):
        yield from _list_remote(folder)
        return
    if not os.path.exists(folder):
        raise InputError(f"the folder {printable(folder)} does not exist: check the path of the pictures")
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise InputError(f"the folder {printable(folder)} cannot be read: {error.strerror}") from error
    yield from _walk(folder, None if follow_links else os.path.realpath(folder))


def join(folder: str, path: str) -> str:
    """Return the full path of a path relative to `folder`; absolute paths and URIs are returned as they are."""
    path = local_path(path)
    return path if is_remote(path) or path.startswith("/") else f"{folder.rstrip('/')}/{path}"


def relative(folder: str, path: str) -> str:
    """Invert `join`, for a path as a user writes it; paths outside `folder` are returned unchanged."""
    path = local_path(path)
    if is_remote(path):
        return path.removeprefix(f"{folder.rstrip('/')}/")
    path = os.path.normpath(path)
    if is_remote(folder):
        return path
    return path.removeprefix(f"{os.path.abspath(folder).rstrip('/')}/")


def open_file(path: str) -> BinaryIO:
    """Open a file, also one in an archive by a path that leads through it. Raise OSError if it cannot be opened."""
    inside = split_member(path) if is_remote(path) else None
    try:
        return open_member(*inside) if inside else open_plain(path)
    except NotADirectoryError:
        inside = split_member(path)
        if inside is None:
            raise
    return open_member(*inside)


def open_seekable(path: str) -> BinaryIO:
    """Open a file for random access; one on the web or in an archive is copied to a temporary file, which deletes itself.

    The copy's size is bounded: `open_member` refuses files beyond an archive's limit. Raise OSError if the file cannot be opened.
    """
    return seekable(open_file(path))


def read_bytes(path: str, max_megabytes: float) -> bytes:
    """Read a file. Raise Refused if the file cannot be read, or is larger than `max_megabytes`."""
    max_bytes = int(max_megabytes * 1e6)
    try:
        try:
            data = None if is_remote(path) else _read_local(path, max_bytes + 1)
        except NotADirectoryError:  # possibly a file in an archive
            data = None
        if data is None:
            with open_file(path) as stream:
                data = stream.read(max_bytes + 1)
    except FileNotFoundError as error:
        raise Refused(reasons.GONE) from error
    except PermissionError as error:
        raise Refused(reasons.NO_PERMISSION) from error
    except IsADirectoryError as error:
        raise Refused(reasons.FOLDER) from error
    except OSError as error:
        raise Refused(reasons.UNREADABLE_FILE.format(error.strerror or type(error).__name__)) from error
    except (ValueError, HTTPException) as error:  # an invalid name, or an invalid answer of a server
        raise Refused(reasons.UNREADABLE_FILE.format(type(error).__name__)) from error
    if len(data) > max_bytes:
        raise Refused(reasons.TOO_LARGE.format(max_megabytes))
    return data


def is_file(path: str) -> bool:
    """Return whether `path` names a file, also one in an archive, and not a folder; http(s) URLs always name files."""
    try:
        return is_plain_file(path) or _is_member(path)
    except InputError:
        raise
    except Exception as error:  # each store raises its own errors
        raise InputError(f"{path} cannot be reached: {one_line(error)}") from error


def _is_member(path: str) -> bool:
    inside = split_member(path)
    try:
        return inside is not None and size_of_member(*inside) >= 0
    except OSError:
        return False


def stat_file(folder: str, name: str) -> FoundFile:
    """Return the facts of one file, wherever it is; -1 for what a web server does not report.

    Raise InputError if the file cannot be reached.
    """
    path = join(folder, name)
    try:
        inside = split_member(path)
        if inside:
            above, archive = posixpath.split(inside[0])
            return FoundFile(name, size_of_member(*inside), stat_file(above or ".", archive).mtime_ns)
        return FoundFile(name, *stat_plain(path))
    except InputError:
        raise
    except Exception as error:  # each store raises its own errors
        reason = _REASONS.get(type(error)) or one_line(error)
        raise InputError(f"{printable(path)} cannot be reached: {reason}") from error


def printable(path: str) -> str:
    r"""Return `path` as valid text for any file or terminal: bytes that are not UTF-8 are written as \xNN."""
    return path if path.isascii() else path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _read_local(path: str, max_bytes: int) -> bytes:
    """Read the first bytes of a file, faster than Python's own streams, which matters for small files."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # opening a pipe without O_NONBLOCK would block forever
    try:
        result = os.fstat(file)
        if not S_ISREG(result.st_mode):
            raise IsADirectoryError(path) if S_ISDIR(result.st_mode) else Refused(reasons.DEVICE)
        pieces = [os.read(file, min(max_bytes, result.st_size, _PIECE) + 1)]
        if len(pieces[0]) != result.st_size:  # large, or being written
            while sum(map(len, pieces)) < max_bytes and (piece := os.read(file, _PIECE)):
                pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)[:max_bytes]
    finally:
        os.close(file)


def _walk(folder: str, root: str | None) -> Iterator[FoundFile | Rejected]:
    """Yield the files of a folder, then of those below, each folder once; links are followed last, for folders not yet visited."""
    visited = set()
    waiting, links = [(folder, "")], []
    while waiting or links:
        if not waiting:
            links.sort(reverse=True)
        folder, prefix = (waiting or links).pop()
        try:
            result = os.stat(folder)  # realpath would stat every parent folder
            if (result.st_dev, result.st_ino) in visited:
                continue
            visited.add((result.st_dev, result.st_ino))
            with os.scandir(folder) as entries:
                for entry in entries:
                    if is_passed_over(entry.name):
                        continue
                    path = f"{prefix}{entry.name}"
                    if root and entry.is_symlink() and not _is_within(entry.path, root):
                        yield Rejected(path, reasons.LINK_OUT)
                        continue
                    try:
                        stat = entry.stat()
                    except OSError:
                        nowhere = entry.is_symlink() and not is_picture(path)  # a picture is rejected when it is read
                        yield Rejected(path, reasons.LINK_NOWHERE) if nowhere else FoundFile(path, -1, -1)
                        continue
                    if S_ISDIR(stat.st_mode):
                        (links if entry.is_symlink() else waiting).append((entry.path, f"{path}/"))
                    elif S_ISREG(stat.st_mode):
                        yield FoundFile(path, stat.st_size, stat.st_mtime_ns)
        except OSError as error:
            yield Rejected(prefix.rstrip("/"), reasons.UNREADABLE_FOLDER.format(error.strerror))


def _is_within(path: str, root: str) -> bool:
    real = os.path.realpath(path)
    return real == root or real.startswith(root.rstrip("/") + "/")


def _list_remote(folder: str) -> Iterator[FoundFile]:
    root = folder.rstrip("/") + "/"
    try:
        for uri, size, changed in list_stored(root):
            path = uri[len(root) :]
            if path and not path.endswith("/") and not any(map(is_passed_over, path.split("/"))):
                yield FoundFile(path, size, int(changed * 1_000_000_000))
    except InputError:
        raise
    except Exception as error:  # each store raises its own errors
        raise InputError(f"{folder} cannot be listed: {one_line(error)}") from error
