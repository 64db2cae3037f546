"""Read streams that may return fewer bytes than requested, and that may not support seeking."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, BinaryIO

_PIECE = 1 << 20
_LARGE_PIECE = 1 << 24  # Python allocates the whole requested size, and a damaged header may request any size


class Readable(io.RawIOBase):
    """A stream of the bytes that `read`, or the method `_read` of a subclass, returns: at most as many as asked for, none at the end."""

    def __init__(self, read: Callable[[int], bytes]):
        self._read = read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def read_up_to(stream: BinaryIO, size: int) -> bytes:
    """Return `size` bytes, or fewer if the stream ends."""
    pieces, left = [], size
    while left and (piece := stream.read(min(left, _LARGE_PIECE))):
        pieces.append(piece)
        left -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def read_fully(stream: BinaryIO, size: int) -> bytes:
    """Return `size` bytes. Raise EOFError if the stream has fewer bytes."""
    data = read_up_to(stream, size)
    if len(data) != size:
        raise EOFError("it ends too early")
    return data


def read_until_damage(stream: BinaryIO, size: int) -> tuple[bytes, Exception | None]:
    """Return `size` bytes, or those before the end or before an error; and the error."""
    read = getattr(stream, "read1", stream.read)
    pieces, left = [], size
    try:
        while left and (piece := read(min(left, _PIECE // 16))):
            pieces.append(piece)
            left -= len(piece)
    except Exception as error:  # errors of gzip, of a store ...
        return b"".join(pieces), error
    return b"".join(pieces), None


def skip(stream: BinaryIO, count: int) -> None:
    """Skip `count` bytes. Raise EOFError if a stream that does not support seeking, which is read instead, has fewer."""
    if not count:
        return
    try:
        stream.seek(count, io.SEEK_CUR)
    except (OSError, AttributeError, NotImplementedError):
        while count:
            count -= len(read_fully(stream, min(count, _PIECE)))


def count_rest(stream: BinaryIO) -> int:
    """Return the number of remaining bytes of a stream."""
    return sum(map(len, iter(lambda: stream.read(_PIECE), b"")))
