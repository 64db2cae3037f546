"""Go through the files in a zip or tar archive as a stream, and open them; nothing is unpacked to disk."""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import os
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from common.errors import InputError
from components.image_example_gen import reasons
from components.image_example_gen.names import is_passed_over
from components.image_example_gen.storage.archive_kinds import (
    HEAD,
    BrokenArchiveError,
    archive_suffix,
    describe_anyway,
    is_archive,
    is_tar,
    is_zip,
    packing_of,
)
from components.image_example_gen.storage.plain import first_bytes, is_plain_file, is_remote, open_plain, seekable, stat_plain
from components.image_example_gen.storage.stores import one_line
from components.image_example_gen.storage.streams import Readable
from components.image_example_gen.storage.tarlist import list_tar
from components.image_example_gen.storage.ziplist import ZipEntry, list_zip, open_entry

_PIECE = 1 << 16
# Limits of an archive's decompressed size, in bytes: pictures are compressed already, and hardly shrink.
MAX_EXPANSION, ALWAYS_ALLOWED = 100, 256 << 20

ENDLESS = reasons.ARCHIVE_ENDLESS.format(MAX_EXPANSION)


class Member(NamedTuple):
    """A file in an archive."""

    name: str  # its path, with forward slashes
    key: str  # the same path, decoded without the configured encoding of names: the name that `open_member` looks up
    size: int = 0  # decompressed size in bytes
    open: Callable[[], BinaryIO] | None = None  # opens it, only until the next member is requested; None if it is refused
    refused: str = ""  # why it is not read; '' if it is
    undecoded: bool = False  # whether the encoding of its name is unknown


def walk(path: str, size: int, encoding: str | None = None) -> Iterator[Member]:
    """Yield the regular files of an archive, and refused members; files that are ignored in folders are ignored here too.

    Args:
        path: The archive, also as a URI.
        size: Its size in bytes; -1 if unknown.
        encoding: Encoding of names that are not UTF-8.

    Raises:
        BrokenArchiveError: It is not an archive, or is damaged here; no content of the file raises another error.
        InputError: Its store cannot be used.
    """
    allowed = allowed_size(size)
    try:
        with contextlib.closing(_entries(path, encoding)) as entries:
            for end, member in entries:
                if end > allowed:
                    yield Member("", "", refused=ENDLESS)
                    return
                if member:
                    above, _, base = member.name.rpartition("/")
                    if not _is_below_passed_over(above) and not is_passed_over(base):
                        yield member
    except (BrokenArchiveError, InputError):
        raise
    except PermissionError as error:
        raise BrokenArchiveError(reasons.NO_PERMISSION) from error
    except OSError as error:
        raise BrokenArchiveError(reasons.UNFORESEEN.format(error.strerror or one_line(error))) from error
    except Exception as error:  # parsers raise many types of errors on arbitrary bytes
        raise BrokenArchiveError(f"damaged: {type(error).__name__}") from error


def allowed_size(size: int) -> float:
    """Return the maximum decompressed size of an archive of `size` bytes; -1 is an unknown size."""
    return max(MAX_EXPANSION * size, ALWAYS_ALLOWED) if size >= 0 else float("inf")


def check_encoding(encoding: str | None) -> None:
    """Raise InputError if there is no encoding of this name."""
    try:
        b"a".decode(encoding or "utf-8")
    except (LookupError, ValueError):
        raise InputError(
            f"data.archive_encoding: {encoding!r} is no encoding that Python knows; cp932, gbk, big5, cp866 and cp1252 are some"
        ) from None


def split_member(path: str) -> tuple[str, str] | None:
    """Split a path that leads through an archive into the archive's path and the inner one; None for other paths.

    On this machine and in stores, the archive must be a file, because a folder may be called pictures.tar. The web has no folders
    to check, so there the name decides.
    """
    parts = path.split("/")
    for at in range(3 if is_remote(path) else 0, len(parts) - 1):  # a host may be called pictures.zip
        archive, name = "/".join(parts[: at + 1]), "/".join(parts[at + 1 :])
        if name and is_archive(parts[at]) and is_plain_file(archive):
            return archive, name
    return None


def open_member(archive: str, name: str) -> BinaryIO:
    """Open a file in an archive, by its `Member.key`, as a stream that cannot seek.

    The name is looked up only among the names in the archive. Raise OSError if it is not there, or cannot be read.
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


@contextlib.contextmanager
def _found(archive: str, name: str) -> Iterator[Member]:
    """Find a file in an archive; it can be opened within the context."""
    try:
        size, _ = stat_plain(archive)
    except OSError:
        raise
    except Exception as error:  # each store raises its own errors
        raise OSError(errno.EIO, "the store does not answer") from error
    with contextlib.closing(walk(archive, size)) as members:
        try:
            member = next((member for member in members if name == member.key or member.refused == ENDLESS), None)
        except BrokenArchiveError as error:
            raise OSError(errno.EIO, f"its archive is {error.reason}") from error
        if member is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), f"{archive}/{name}")
        if member.refused or member.size > allowed_size(size):
            raise OSError(errno.EIO, member.refused or ENDLESS)
        yield member


def _entries(path: str, encoding: str | None) -> Iterator[tuple[int, Member | None]]:
    """Return the members, None for entries that are not files, each with the decompressed size of the archive up to its end."""
    head = first_bytes(path, HEAD)
    called_zip = archive_suffix(path).lower() == ".zip"
    if not head:
        raise BrokenArchiveError("empty")
    if is_zip(head):
        return _zip_entries(path, encoding)
    if packing_of(head) or is_tar(head):
        return _tar_entries(path, encoding, called_zip)
    if called_zip:  # possibly a self-extracting one
        return _zip_entries(path, encoding, describe_anyway(head))
    raise BrokenArchiveError(reasons.NO_TAR.format(describe_anyway(head)))


def _zip_entries(path: str, encoding: str | None, otherwise: str = "") -> Iterator[tuple[int, Member]]:
    """Yield the members of a zip archive; `otherwise` describes the file for the error if it is not one."""
    end, begun = 0, False
    with seekable(open_plain(path)) as stream:
        try:
            for entry in list_zip(stream):
                begun, end = True, end + entry.size
                yield end, _zip_member(stream, entry, encoding)
        except BrokenArchiveError as error:
            if otherwise and not begun:
                raise BrokenArchiveError(reasons.NO_ZIP.format(otherwise)) from error
            raise


def _zip_member(stream: BinaryIO, entry: ZipEntry, encoding: str | None) -> Member:
    plain, name, undecoded = entry.utf_8, entry.utf_8, False
    if not plain:
        try:
            plain = name = entry.raw_name.decode("utf-8")
            undecoded = bool(encoding) and not name.isascii()
        except UnicodeDecodeError:
            plain = name = entry.raw_name.decode("utf-8", "replace") if entry.claims_utf_8 else entry.raw_name.decode("cp437")
            undecoded = True
        if undecoded and not entry.claims_utf_8:  # short names in another encoding may look like UTF-8: the configured one wins
            name, undecoded = _decoded(entry.raw_name, encoding, plain)
    opened = None if entry.refused else functools.partial(open_entry, stream, entry)
    return _checked(name, plain, entry.size, opened, entry.refused, undecoded)


def _tar_entries(path: str, encoding: str | None, called_zip: bool) -> Iterator[tuple[int, Member | None]]:
    try:
        with open_plain(path) as stream:
            for entry in list_tar(stream):
                if not entry.open and not entry.refused:
                    yield entry.end, None
                    continue
                name, undecoded = entry.name, False
                if not name.isascii() and any("\udc80" <= letter <= "\udcff" for letter in name):
                    name, undecoded = _decoded(name.encode("utf-8", "surrogateescape"), encoding, name)
                yield entry.end, _checked(name, entry.name, entry.size, entry.open, entry.refused, undecoded)
    except BrokenArchiveError as error:
        reason = error.reason.replace("not a tar archive", "not a zip archive") if called_zip else error.reason
        raise BrokenArchiveError(reason) from error


def _checked(name: str, key: str, size: int, opened: Callable[[], BinaryIO] | None, refused: str, undecoded: bool) -> Member:
    plain = _with_slashes(name)
    name, key = plain, plain if key == name else _with_slashes(key)
    if (".." in name and ".." in name.split("/")) or name.startswith("/") or name[1:2] == ":":
        return Member(name, key, refused=reasons.LEADS_OUT)
    return Member(name, key, size, None if refused else opened, refused, undecoded)


def _with_slashes(name: str) -> str:
    name = name.replace("\\", "/")
    return re.sub(r"(^|/)(\./)+", r"\1", name) if "./" in name else name


@functools.lru_cache
def _is_below_passed_over(folder: str) -> bool:
    return any(is_passed_over(part) for part in folder.split("/"))


def _decoded(raw: bytes, encoding: str | None, otherwise: str) -> tuple[str, bool]:
    """Return a name, and whether its encoding is unknown; in that case the name is `otherwise`."""
    try:
        return (raw.decode(encoding), False) if encoding else (otherwise, True)
    except ValueError:
        return otherwise, True


def _damaged() -> OSError:
    return OSError(errno.EIO, reasons.MEMBER_DAMAGED)


class _MemberStream(Readable):
    """The bytes of a file in an archive; closing it closes the archive."""

    def __init__(self, inside: BinaryIO, size: int, opened: contextlib.ExitStack):
        self._inside, self._left, self._opened = inside, size, opened

    def _read(self, max_bytes: int) -> bytes:
        try:
            data = self._inside.read(min(max_bytes, self._left))
        except Exception as error:  # Python's parsers raise many types of errors on arbitrary bytes
            raise _damaged() from error
        if not data and self._left:
            raise _damaged()
        self._left -= len(data)
        return data

    def close(self) -> None:
        if not self.closed:
            self._opened.close()
        super().close()
