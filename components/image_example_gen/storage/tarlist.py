"""Read tar archives, compressed or not, member by member from streams that cannot seek.

Python's tarfile reads headers of any length at once, parses some in quadratic time, and takes damage for the end of the
archive. The format is POSIX ustar and pax, with GNU long names.
"""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import os
import tarfile
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

from components.image_example_gen import reasons
from components.image_example_gen.storage.archive_kinds import (
    HEAD,
    BrokenArchiveError,
    describe,
    describe_anyway,
    is_tar,
    packing_of,
)
from components.image_example_gen.storage.stores import one_line
from components.image_example_gen.storage.streams import Readable, read_up_to
from components.image_example_gen.storage.tar_header import BLOCK, TarHeader, read_header

_MAX_HEADERS = 1 << 20  # bytes before one file
_MAX_DIGITS = 20
_PIECE = 1 << 16  # bytes skipped at once
_SMALL = 1 << 20  # maximum bytes of a file that is read at once
_PAX, _PAX_FOR_ALL = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE), tarfile.XGLTYPE
_LONG_NAME, _LONG_LINK = tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK
_HEADERS = (*_PAX, _PAX_FOR_ALL, _LONG_NAME, _LONG_LINK)
_WITHOUT_DATA = (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE)
_UNPACKERS: dict[str, Callable[[Any], Any]] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}


class TarEntry(NamedTuple):
    """The facts about a file, a folder, a link ... in a tar archive."""

    name: str  # its name; bytes that are not UTF-8 are surrogates
    size: int  # in bytes
    end: int  # offset of its end in the decompressed archive
    refused: str = ""  # why it is not read; '' if it is
    # opens it, only until the next entry is requested; None for a folder, a device or a pipe
    open: Callable[[], BinaryIO] | None = None


def list_tar(stream: BinaryIO) -> Iterator[TarEntry]:
    """Yield the entries of an archive, which may be compressed and is read once. Raise BrokenArchiveError if it is none, or damaged."""
    inside = stored = _Source(_reader(stream), stream)
    packing = ""
    try:
        head = stored_head = stored.peek(HEAD)
        packing = packing_of(head)
        if packing:
            inside = _Source(_UNPACKERS[packing](stored).read)
            head = inside.peek(HEAD)
        if not is_tar(head):
            packed = reasons.PACKED_NO_TAR.format(describe(stored_head), describe(head) or "one file")
            raise BrokenArchiveError(packed if packing else reasons.NO_TAR.format(describe_anyway(head)))
        yield from _entries(inside)
    except BrokenArchiveError:
        raise
    except UnreadableError as error:
        raise BrokenArchiveError(reasons.UNFORESEEN.format(error)) from error
    except EOFError as error:
        raise BrokenArchiveError(reasons.TAR_TRUNCATED.format(stored.end())) from error
    except Exception as error:  # Python's parsers raise many types of errors on arbitrary bytes
        raise BrokenArchiveError(reasons.TAR_DAMAGED.format(stored.done if packing else inside.header)) from error


class UnreadableError(OSError):
    """An error of a file's store while reading, unrelated to the file's content."""


def _entries(inside: _Source) -> Iterator[TarEntry]:
    of_all: dict[str, str] = {}
    while True:
        inside.header = inside.done
        info, facts = _next_file(inside, of_all)
        if info is None:
            return
        name = facts.get("GNU.sparse.name") or facts.get("path") or info.name
        size = _number(facts["size"]) if "size" in facts else info.size
        begin = inside.done
        end = begin if info.type in _WITHOUT_DATA else begin + -(-size // BLOCK) * BLOCK
        if info.type in (tarfile.LNKTYPE, tarfile.SYMTYPE):
            yield TarEntry(name, 0, end, reasons.MEMBER_LINK)
        elif info.type == tarfile.GNUTYPE_SPARSE or any(key.startswith("GNU.sparse.") for key in facts):
            yield TarEntry(name, 0, end, reasons.MEMBER_SPARSE)
        elif info.type in tarfile.REGULAR_TYPES:
            yield TarEntry(name, size, end, open=functools.partial(_open, inside, begin, size))
        else:
            yield TarEntry(name, 0, end)
        inside.skip(end - inside.done)


def _next_file(inside: _Source, of_all: dict[str, str]) -> tuple[TarHeader | None, dict[str, str]]:
    """Return the next header of a file, None at the end, and the facts in the headers before it."""
    facts = dict(of_all)
    while inside.done - inside.header < _MAX_HEADERS:
        block = inside.exactly(BLOCK)
        info = read_header(block)
        if info is None:
            return None, facts
        if info.size < 0 or (info.type in _HEADERS and info.size > _MAX_HEADERS):
            raise ValueError("a header of impossible size")
        if info.type not in _HEADERS:
            more = info.type == tarfile.GNUTYPE_SPARSE and block[482]
            while more and inside.done - inside.header < _MAX_HEADERS:
                more = inside.exactly(BLOCK)[504]
            if more:
                break
            return info, facts
        data = inside.exactly(-(-info.size // BLOCK) * BLOCK)[: info.size]
        if info.type in _PAX:
            facts |= _pax(data)
        elif info.type == _PAX_FOR_ALL:
            of_all |= _pax(data)
            facts |= of_all
        elif info.type == _LONG_NAME:
            facts["path"] = data.partition(b"\0")[0].decode("utf-8", "surrogateescape")
    raise ValueError("headers without end")


def _pax(data: bytes) -> dict[str, str]:
    """Return a file's name, size and kind from a pax header: lines such as `22 path=pictures/1.png`."""
    facts, at = {}, 0
    while at < len(data) and data[at]:
        digits, _, _ = data[at : at + _MAX_DIGITS].partition(b" ")
        length = _number(digits.decode("ascii"))
        key, equals, value = data[at + len(digits) + 1 : at + length].partition(b"=")
        if not equals or not value.endswith(b"\n") or at + length > len(data):
            raise ValueError("a line of a header is damaged")
        if key in (b"path", b"size") or key.startswith(b"GNU.sparse."):
            facts[key.decode("utf-8", "surrogateescape")] = value[:-1].decode("utf-8", "surrogateescape")
        at += length
    return facts


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < _MAX_DIGITS):
        raise ValueError("no number")
    return int(text)


def _open(inside: _Source, begin: int, size: int) -> BinaryIO:
    if inside.done != begin:
        raise OSError("it was opened before")
    if size <= _SMALL:
        return io.BytesIO(inside.exactly(size))
    end = begin + size
    return io.BufferedReader(Readable(lambda count: inside.exactly(min(count, end - inside.done, _SMALL))), _PIECE)


class _Source(Readable):
    """A stream that counts the bytes read and supports lookahead."""

    def __init__(self, read: Callable[[int], bytes], stream: BinaryIO | None = None):
        self._read_next, self._ahead, self.done, self.header = read, b"", 0, 0
        self._stream = stream if stream is not None and stream.seekable() else None

    def peek(self, count: int) -> bytes:
        """Return the next bytes without consuming them."""
        self._ahead = read_up_to(self, count)
        self.done -= len(self._ahead)
        return self._ahead

    def read(self, count: int = -1) -> bytes:
        if self._ahead:
            data, self._ahead = self._ahead[:count], self._ahead[count:]
        else:
            data = self._read_next(count)
        self.done += len(data)
        return data

    _read = read

    def exactly(self, count: int) -> bytes:
        """Return the next bytes."""
        data = self.read(count) if count else b""
        if len(data) < count:
            data += read_up_to(self, count - len(data))
        if len(data) < count:
            raise EOFError("the archive ends here")
        return data

    def skip(self, count: int) -> None:
        """Skip the next bytes."""
        if self._stream is not None and count > _PIECE:
            ahead = min(len(self._ahead), count)
            self._ahead = self._ahead[ahead:]
            self._stream.seek(count - ahead, os.SEEK_CUR)
            self.done += count
            return
        while count > 0:
            count -= len(self.exactly(min(count, _PIECE)))

    def end(self) -> int:
        """Return the offset of the end of a stream that was read to its end."""
        return self.done if self._stream is None else self._stream.seek(0, os.SEEK_END)


def _reader(stream: BinaryIO) -> Callable[[int], bytes]:
    """Return a function that reads a stored file and distinguishes its store's errors from those of its content."""

    def read(count: int) -> bytes:
        try:
            return stream.read(count)
        except Exception as error:  # each store raises its own errors
            raise UnreadableError(getattr(error, "strerror", None) or one_line(error)) from error

    return read
