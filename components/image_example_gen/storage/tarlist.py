"""Read tar archives one member after the other, packed or not, from streams that cannot go back."""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

from components.image_example_gen.storage.archive_kinds import (
    BLOCK,
    HEAD,
    beginning,
    describe,
    describe_packing,
    is_tar,
    packing_of,
)
from components.image_example_gen.storage.plain import read_up_to
from components.image_example_gen.storage.stores import one_line

# What a header may hold beside a member's name: attributes of 64 KiB at most. Python reads a header of any length at once,
# and searches some in a time that grows with the square of it.
_MOST_HEADER, _MOST_HEADERS = 1 << 15, 1 << 20
_EXTENDED = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_UNPACKERS: dict[str, Callable[[Any], Any]] = {
    "gzip": lambda stream: gzip.GzipFile(fileobj=stream),
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
}

LINK = "a link within its archive, which is not followed"
SPARSE = "a sparse file within its archive, which is not read"


class DamagedTarError(Exception):
    """A tar archive that breaks off, contradicts itself, or is none.

    Args:
        reason: What is wrong, in a person's words.
    """

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


class TarEntry(NamedTuple):
    """What a tar archive says of a file, a folder, a link ...

    Attributes:
        name: Its name; bytes that are not UTF-8 are surrogates.
        size: In bytes.
        end: How many bytes of the archive, unpacked, there are up to its end.
        refused: Why it is not read; '' where it is.
        open: Opens it, only until the next one is asked for; None for a folder, a device or a pipe.
    """

    name: str
    size: int
    end: int
    refused: str = ""
    open: Callable[[], BinaryIO] | None = None


def list_tar(stream: BinaryIO) -> Iterator[TarEntry]:
    """Yield what an archive holds, one after the other.

    Args:
        stream: The archive from its beginning, maybe packed; it is read once.

    Raises:
        DamagedTarError: It is no tar archive, or breaks off.
    """
    inside = counted = _Counted(_reader(stream))
    at, packing = 0, ""
    try:
        head = counted.peek(HEAD)
        packing = packing_of(head)
        if packing:
            # read1: what was unpacked before the damage is not lost with it
            inside = _Counted(_UNPACKERS[packing](counted).read1)
            head = inside.peek(HEAD)
        if not is_tar(head):
            raise DamagedTarError(_no_tar(packing, head))
        if not any(head[:BLOCK]):  # nothing in it, where Python would go on behind the end
            return
        with tarfile.open(
            fileobj=inside, mode="r|", tarinfo=_Header, encoding="utf-8", errors="surrogateescape", bufsize=20 * BLOCK
        ) as archive:
            while True:
                inside.allow(at + _MOST_HEADERS)
                info = archive.next()
                if info is None:
                    return
                archive.members = []  # it would keep them all
                at = info.offset_data + -(-max(info.size, 0) // BLOCK) * BLOCK
                inside.allow(at + _MOST_HEADERS)
                yield _entry(archive, info, at)
    except DamagedTarError:
        raise
    except UnreadableError as error:
        raise DamagedTarError(f"it cannot be read: {error}") from error
    except Exception as error:  # Python's parsers meet bytes of any kind here
        cut = isinstance(error, EOFError) or "unexpected end of data" in str(error)
        what = "truncated" if cut else "damaged"
        raise DamagedTarError(f"{what} at byte {counted.done if packing or cut else at:,}") from error


class UnreadableError(OSError):
    """What a file's own store answered when it was read: nothing that the file holds."""


def _no_tar(packing: str, head: bytes) -> str:
    if not packing:
        return f"no tar archive: {describe(head) or f'it begins with {beginning(head)}'}"
    return f"{describe_packing(packing)} that holds {describe(head) or 'one file'}, not a tar archive"


def _entry(archive: tarfile.TarFile, info: tarfile.TarInfo, end: int) -> TarEntry:
    if info.issym() or info.islnk():
        return TarEntry(info.name, 0, end, LINK)
    if info.issparse():
        return TarEntry(info.name, 0, end, SPARSE)
    if not info.isfile():
        return TarEntry(info.name, 0, end)
    return TarEntry(info.name, info.size, end, open=functools.partial(_open, archive, info))


def _open(archive: tarfile.TarFile, info: tarfile.TarInfo) -> BinaryIO:
    stream = archive.extractfile(info)
    if stream is None:
        raise OSError("no file")
    return stream


class _Header(tarfile.TarInfo):
    """A member's header. Python takes what is no header for the end of the archive, and would lose what follows unsaid."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> tarfile.TarInfo:
        info = super().frombuf(buf, encoding, errors)
        if info.size < 0 or (info.type in _EXTENDED and info.size > _MOST_HEADER):
            raise tarfile.ReadError("a header of impossible size")
        return info

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> tarfile.TarInfo:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:
            raise
        except (tarfile.EmptyHeaderError, tarfile.TruncatedHeaderError) as error:
            raise EOFError(str(error)) from error
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error


class _Counted(io.RawIOBase):
    """A stream that knows how far it was read, may be looked ahead in, and gives no more than is allowed."""

    def __init__(self, read: Callable[[int], bytes]):
        self._read_next, self._ahead, self._allowed = read, b"", -1
        self.done = 0

    def readable(self) -> bool:
        return True

    def allow(self, position: int) -> None:
        """Set how far it may be read."""
        self._allowed = position

    def peek(self, count: int) -> bytes:
        """Return the next bytes without passing them."""
        self._ahead = read_up_to(self, count)
        self.done -= len(self._ahead)
        return self._ahead

    def read(self, count: int = -1) -> bytes:
        if 0 <= self._allowed < self.done:
            raise tarfile.ReadError("headers without end")
        if self._ahead:
            data, self._ahead = self._ahead[:count], self._ahead[count:]
        else:
            data = self._read_next(count)
        self.done += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _reader(stream: BinaryIO) -> Callable[[int], bytes]:
    """Return how to read a stored file such that its store's errors are told from those of its bytes."""

    def read(count: int) -> bytes:
        try:
            return stream.read(count)
        except Exception as error:  # each store has its own
            raise UnreadableError(getattr(error, "strerror", None) or one_line(error)) from error

    return read
