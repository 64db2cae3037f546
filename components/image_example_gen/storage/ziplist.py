"""Read zip archives member by member.

Python's zipfile holds the whole list of members in memory, about 700 bytes each, and fails on a whole archive because of one name
that is not the UTF-8 that it claims to be. The format is PKWARE's APPNOTE.TXT.
"""

from __future__ import annotations

import bz2
import io
import lzma
import os
import stat
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from components.image_example_gen import reasons
from components.image_example_gen.storage.archive_kinds import BrokenArchiveError
from components.image_example_gen.storage.streams import Readable, read_up_to

_END, _END_64, _LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_END_SIZE, _END_64_SIZE, _LOCATOR_64_SIZE, _ENTRY_SIZE, _LOCAL_SIZE = 22, 56, 20, 46, 30
_MAX_COMMENT = 1 << 16
_NAME_IS_UTF_8, _ENCRYPTED, _PATCHED = 0x800, 0x1, 0x20
_STORED, _DEFLATED, _BZIP2, _LZMA = 0, 8, 12, 14  # compression methods
_LENGTHS = struct.Struct("<3H")  # of a name, its extra fields and a comment
_LIST_PIECE = 1 << 18  # bytes of the list read at once: more than an entry can have
_FIELDS = 64  # usual maximum of bytes in a header's extra fields
_PIECE, _MAX_AT_ONCE = 1 << 16, 1 << 20  # bytes read, and decompressed, at once


class ZipEntry(NamedTuple):
    """A file in a zip archive, as described by its list of members."""

    raw_name: bytes
    utf_8: str  # the name in UTF-8, from the extra field of Info-ZIP and WinZip; else ''
    claims_utf_8: bool  # whether the archive declares that the name is UTF-8
    size: int  # decompressed size in bytes
    refused: str  # why it is not read; '' if it is
    packed: int  # compressed size in bytes
    method: int
    crc: int  # the checksum of the decompressed data
    at: int  # offset of its own header in the file


def list_zip(stream: BinaryIO) -> Iterator[ZipEntry]:
    """Yield the files in an archive, a stream that supports seeking and that others may read between two files.

    Raises:
        BrokenArchiveError: It is not a zip archive, or its list is damaged.
    """
    start, size, shift = _find_list(stream)
    done, buffer, begin = 0, b"", 0  # `buffer` holds the list from byte `begin` on
    while done < size:
        at, length = done - begin, _ENTRY_SIZE
        if at + length <= len(buffer):
            length += sum(_LENGTHS.unpack_from(buffer, at + 28))
        if at + length > len(buffer):
            buffer, begin, at = _read_at(stream, start + done, min(_LIST_PIECE, size - done)), done, 0
            length = _ENTRY_SIZE + (sum(_LENGTHS.unpack_from(buffer, 28)) if len(buffer) >= _ENTRY_SIZE else 0)
        if not buffer.startswith(b"PK\x01\x02", at):
            raise BrokenArchiveError(reasons.ZIP_DAMAGED.format(start + done))
        if at + length > len(buffer):
            raise BrokenArchiveError(reasons.ZIP_TRUNCATED.format(start + done))
        entry = _entry(buffer[at : at + length], shift)
        if not entry.raw_name.endswith((b"/", b"\\")):
            yield entry
        done += length


def open_entry(stream: BinaryIO, entry: ZipEntry) -> BinaryIO:
    """Open a file of an archive as a stream that ends where the list says, and raises OSError on damage.

    Nothing else may read the archive meanwhile.
    """
    small = entry.method in (_STORED, _DEFLATED) and entry.packed <= _PIECE and entry.size <= _MAX_AT_ONCE
    # The file's header repeats the name and has its own extra fields, whose lengths are only stated there.
    data = _read_at(stream, entry.at, _LOCAL_SIZE + (len(entry.raw_name) + _FIELDS + entry.packed if small else 0))
    if len(data) < _LOCAL_SIZE or not data.startswith(b"PK\x03\x04"):
        raise OSError("its header is damaged")
    if struct.unpack_from("<H", data, 6)[0] & _ENCRYPTED:
        raise OSError(reasons.MEMBER_ENCRYPTED)
    begin = _LOCAL_SIZE + sum(struct.unpack_from("<2H", data, 26))
    if small and begin + entry.packed <= len(data):
        return io.BytesIO(_unpacked(data[begin : begin + entry.packed], entry))
    try:
        return io.BufferedReader(_Unpacked(stream, entry.at + begin, entry), _PIECE)
    except (struct.error, ValueError, lzma.LZMAError) as error:
        raise OSError("its header is damaged") from error


def _unpacked(data: bytes, entry: ZipEntry) -> bytes:
    """Decompress a small file at once, which is faster."""
    try:
        data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, entry.size + 1) if entry.method else data
    except zlib.error as error:
        raise OSError("its bytes are damaged") from error
    if len(data) != entry.size or zlib.crc32(data) != entry.crc:
        raise OSError("it disagrees with its header")
    return data


def _find_list(stream: BinaryIO) -> tuple[int, int, int]:
    """Return the offset of the list of files, its size, and the number of bytes before the archive."""
    length = stream.seek(0, os.SEEK_END)
    tail_at = max(0, length - _END_SIZE - _MAX_COMMENT - _END_64_SIZE - _LOCATOR_64_SIZE)
    tail = _read_at(stream, tail_at, length - tail_at)
    reason = reasons.ZIP_WITHOUT_LIST.format(length)
    result = len(tail)
    while (result := tail.rfind(_END, 0, result)) >= 0:
        if len(tail) - result < _END_SIZE:
            continue
        disk, first_disk, _, _, size, offset = struct.unpack_from("<4H2L", tail, result + 4)
        end = result
        locator = result - _LOCATOR_64_SIZE
        if locator >= _END_64_SIZE and tail.startswith(_LOCATOR_64, locator):
            end = locator - _END_64_SIZE
            if not tail.startswith(_END_64, end):
                continue
            disk, first_disk, _, _, size, offset = struct.unpack_from("<2L4Q", tail, end + 16)
        if disk or first_disk:  # or bytes of a comment
            reason = reasons.ZIP_PARTS
            continue
        start = tail_at + end - size
        if 0 <= offset <= start and (not size or _read_at(stream, start, 4) == b"PK\x01\x02"):
            return start, size, start - offset
    raise BrokenArchiveError(reason)


def _entry(data: bytes, shift: int) -> ZipEntry:
    made_by, flags, method = data[5], *struct.unpack_from("<2H", data, 8)
    crc, packed, size, name_length, extra_length = struct.unpack_from("<3L2H", data, 16)
    (attributes, at) = struct.unpack_from("<2L", data, 38)
    raw = data[_ENTRY_SIZE : _ENTRY_SIZE + name_length]
    utf_8, large = "", b""
    for kind, field in _fields(data[_ENTRY_SIZE + name_length : _ENTRY_SIZE + name_length + extra_length]):
        if kind == 1:
            large = field
        elif kind == 0x7075 and len(field) > 5 and field[0] == 1 and struct.unpack_from("<L", field, 1)[0] == zlib.crc32(raw):
            utf_8 = field[5:].decode("utf-8", "replace")
    values = [size, packed, at]
    for place, value in enumerate(values):  # values of more than 32 bits follow each other in an extra field
        if value == 0xFFFFFFFF and len(large) >= 8:
            values[place], large = struct.unpack_from("<Q", large)[0], large[8:]
    size, packed, at = values
    refused = ""
    if flags & _ENCRYPTED:
        refused = reasons.MEMBER_ENCRYPTED
    elif made_by == 3 and stat.S_ISLNK(attributes >> 16):
        refused = reasons.MEMBER_LINK
    elif flags & _PATCHED or method not in (_STORED, _DEFLATED, _BZIP2, _LZMA):
        refused = reasons.ZIP_METHOD
    return ZipEntry(raw.partition(b"\0")[0], utf_8, bool(flags & _NAME_IS_UTF_8), size, refused, packed, method, crc, at + shift)


def _fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        yield kind, extra[4 : 4 + length]
        extra = extra[4 + length :]


def _read_at(stream: BinaryIO, at: int, count: int) -> bytes:
    try:
        stream.seek(at)
        return read_up_to(stream, count)
    except (OverflowError, ValueError) as error:  # no file is so long
        raise BrokenArchiveError(reasons.ZIP_BEYOND.format(min(at, 10**18))) from error


class _Deflated:
    """Decompress with zlib, with the interface of the other decompressors."""

    def __init__(self) -> None:
        self._inflate, self.eof, self.needs_input = zlib.decompressobj(-zlib.MAX_WBITS), False, True

    def decompress(self, data: bytes, max_bytes: int) -> bytes:
        data = self._inflate.decompress(self._inflate.unconsumed_tail + data, max_bytes)
        self.eof, self.needs_input = self._inflate.eof, not self._inflate.unconsumed_tail
        return data


class _Unpacked(Readable):
    """A file of a zip archive as bytes: never longer than its header says, and an error if its checksum is wrong."""

    def __init__(self, stream: BinaryIO, at: int, entry: ZipEntry):
        self._stream, self._at, self._entry = stream, at, entry
        self._packed, self._left, self._crc = entry.packed, entry.size, 0
        make = {_DEFLATED: _Deflated, _BZIP2: bz2.BZ2Decompressor, _LZMA: self._lzma}.get(entry.method)
        self._unpacker = make() if make else None

    def _read(self, max_bytes: int) -> bytes:
        try:
            data = self._next(min(max_bytes, _MAX_AT_ONCE))
        except OSError:
            raise
        except Exception as error:  # zlib, bz2 and lzma raise their own errors
            raise OSError("its bytes are damaged") from error
        self._crc = zlib.crc32(data, self._crc)
        self._left -= len(data)
        if self._left < 0 or (not data and self._left):
            raise OSError("it is longer or shorter than its header says")
        if not self._left and self._crc != self._entry.crc:
            raise OSError("it disagrees with its checksum")
        return data

    def _next(self, max_bytes: int) -> bytes:
        """Return the next bytes; none at the end."""
        if self._unpacker is None:
            return self._take(min(_PIECE, max_bytes)) if self._left else b""
        while self._left and not self._unpacker.eof:
            hungry = self._unpacker.needs_input
            piece = self._take(min(_PIECE, max_bytes)) if hungry else b""
            data = self._unpacker.decompress(piece, max_bytes)
            if data:
                return data
            if hungry and not piece:
                raise OSError("it breaks off")
        return b""

    def _take(self, max_bytes: int) -> bytes:
        piece = _read_at(self._stream, self._at, min(self._packed, max_bytes))
        self._at, self._packed = self._at + len(piece), self._packed - len(piece)
        return piece

    def _lzma(self) -> lzma.LZMADecompressor:
        """Return a decompressor for data after a zip archive's own LZMA header, by section 5.8 of APPNOTE.TXT."""
        _, length = struct.unpack("<2H", self._take(4))
        model, dictionary = struct.unpack("<BL", self._take(length))
        options = {"lc": model % 9, "lp": model // 9 % 5, "pb": model // 45}
        # It never refers to data before its start, but the header may request 4 GB.
        dictionary = min(dictionary, max(self._entry.size, 1 << 12))
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": dictionary, **options}])
