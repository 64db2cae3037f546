"""Read streams that may return fewer bytes than requested, and that may not support seeking."""

from __future__ import annotations

import io
from typing import BinaryIO

_PIECE = 1 << 20
_LARGE_PIECE = 1 << 24  # Python allocates the whole requested size, and a damaged header may request any size


def read_up_to(stream: BinaryIO, size: int) -> bytes:
    """Return `size` bytes, or fewer if the stream ends."""
    pieces, left = [], size
    while left and (piece := stream.read(left)):
        pieces.append(piece)
        left -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def read_fully(stream: BinaryIO, size: int) -> bytes:
    """Return `size` bytes. Raise EOFError if the stream has fewer bytes."""
    pieces = []
    while size:
        piece = stream.read(min(size, _LARGE_PIECE))
        if not piece:
            raise EOFError("it ends too early")
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


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
    """Skip `count` bytes of a stream; read them if it does not support seeking.

    Raises:
        EOFError: A stream that does not support seeking has fewer bytes.
    """
    if not count:
        return
    try:
        stream.seek(count, io.SEEK_CUR)
    except (OSError, AttributeError, NotImplementedError):
        while count:
            count -= len(read_fully(stream, min(count, _PIECE)))


def count_rest(stream: BinaryIO) -> int:
    """Return the number of remaining bytes of a stream."""
    count = 0
    while piece := stream.read(_PIECE):
        count += len(piece)
    return count
