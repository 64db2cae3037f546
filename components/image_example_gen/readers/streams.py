"""Reading streams that may give fewer bytes at a time than are asked for, and that may not be sought."""

from __future__ import annotations

import io
from typing import BinaryIO

_PIECE = 1 << 20


def read_up_to(stream: BinaryIO, size: int) -> bytes:
    """Return so many bytes, or fewer where the stream ends."""
    pieces, left = [], size
    while left and (piece := stream.read(left)):
        pieces.append(piece)
        left -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def read_until_damage(stream: BinaryIO, size: int) -> tuple[bytes, Exception | None]:
    """Return so many bytes, or those before the end or before an error; and the error."""
    read = getattr(stream, "read1", stream.read)
    pieces, left = [], size
    try:
        while left and (piece := read(min(left, _PIECE // 16))):
            pieces.append(piece)
            left -= len(piece)
    except Exception as error:  # of gzip, of a store ...
        return b"".join(pieces), error
    return b"".join(pieces), None


def go_on(stream: BinaryIO, count: int) -> None:
    """Go so many bytes on in a stream; one that cannot be sought is read."""
    if not count:
        return
    try:
        stream.seek(count, io.SEEK_CUR)
    except (OSError, AttributeError, NotImplementedError):
        while count and (piece := stream.read(min(count, _PIECE))):
            count -= len(piece)


def count_rest(stream: BinaryIO) -> int:
    """Return how many bytes a stream still has."""
    count = 0
    while piece := stream.read(_PIECE):
        count += len(piece)
    return count
