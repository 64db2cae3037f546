"""Read messages of Arrow's IPC format piece by piece: https://arrow.apache.org/docs/format/Columnar.html.

pyarrow reads a whole batch at once, which may have a million pictures. This module reads only headers
and the requested buffers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from components.image_example_gen.readers.columnar.columns import load_pyarrow
from components.image_example_gen.readers.columnar.flatbuffer import Table
from components.image_example_gen.storage.streams import read_fully

if TYPE_CHECKING:
    import pyarrow as pa

FILE_MAGIC = b"ARROW1\0\0"
SCHEMA, DICTIONARY, BATCH = 1, 2, 3  # kinds of messages, from format/Message.fbs
_CODECS = {0: "lz4", 1: "zstd"}  # from the same file
_BUFFERS = {  # number of a column's own buffers: its types
    1: ("struct", "fixed_size_list"),
    2: ("list", "large_list", "map", "dictionary", "primitive", "decimal", "fixed_size_binary"),
    3: ("binary", "string", "large_binary", "large_string"),
}
_MAX_HEADER, _MAX_UNPACKED = 64 << 20, 1 << 30


class BrokenError(ValueError):
    """A message that is inconsistent with itself or with the file."""


@dataclass(frozen=True)
class Message:
    """A message of a stream."""

    kind: int  # SCHEMA, DICTIONARY, BATCH or another number
    data: bytes  # its header, a flatbuffer
    body: int  # offset of its body in the file
    size: int  # size of the body in bytes
    start: int  # offset of the message in the file

    @property
    def header(self) -> Table:
        """The table in the header that describes the schema or batch."""
        table = Table.root(self.data).table(2)
        if table is None:
            raise BrokenError("a message without a header")
        return table

    @property
    def rows(self) -> int:
        """Number of rows of a batch."""
        return self.header.number(0, "q")


def read_messages(stream: BinaryIO, size: int) -> Iterator[Message]:
    """Yield the messages of a file of `size` bytes without their bodies. Raise BrokenError if it is cut short or damaged."""
    stream.seek(0)
    place = 8 if stream.read(8) == FILE_MAGIC else 0
    while place < size:
        stream.seek(place)
        begin = stream.read(8)
        prefix = 8 if begin[:4] == b"\xff\xff\xff\xff" else 4  # absent before Arrow 0.15
        if len(begin) < prefix:
            raise BrokenError("a header is cut short")
        (length,) = struct.unpack_from("<i", begin, prefix - 4)
        if length == 0:
            return
        if not 0 < length <= min(_MAX_HEADER, size - place - prefix):
            raise BrokenError("a header is longer than the file")
        stream.seek(place + prefix)
        message = _message(read_fully(stream, length), place, place + prefix + length)
        yield message
        place = message.body + message.size


def _message(data: bytes, start: int, body: int) -> Message:
    try:
        table = Table.root(data)
        message = Message(table.number(1, "B"), data, body, table.number(3, "q"), start)
        if message.size < 0 or (message.kind == BATCH and message.rows < 0):
            raise BrokenError("a negative size")
        return message
    except struct.error as error:
        raise BrokenError(str(error)) from error


class Batch:
    """A batch of rows, or a dictionary's entries, whose buffers are read one by one; `header` describes it in the message."""

    def __init__(self, stream: BinaryIO, message: Message, header: Table):
        self.stream, self.message = stream, message
        self.rows = header.number(0, "q")
        self.nodes, self.buffers = header.structs(1, "qq"), header.structs(2, "qq")
        compression = header.table(3)
        self.codec = None if compression is None else _CODECS[compression.number(0, "b")]

    def place(self, index: int) -> tuple[int, int]:
        """Return the offset of a buffer in the file, and its length there."""
        offset, length = self.buffers[index]
        if min(offset, length) < 0 or offset + length > self.message.size:
            raise BrokenError("a buffer leads out of its message")
        return self.message.body + offset, length

    def read(self, index: int) -> bytes:
        """Return a buffer's bytes, decompressed."""
        begin, length = self.place(index)
        if not length:
            return b""
        if length > _MAX_UNPACKED:
            raise BrokenError("a buffer is too large")
        self.stream.seek(begin)
        data = read_fully(self.stream, length)
        if self.codec is None:
            return data
        (unpacked,) = struct.unpack_from("<q", data)
        if unpacked == -1:
            return data[8:]
        if not 0 <= unpacked <= _MAX_UNPACKED:
            raise BrokenError("a buffer unpacks to too much")
        return load_pyarrow().Codec(self.codec).decompress(data[8:], unpacked, asbytes=True) if unpacked else b""

    def is_valid(self, node: int, buffer: int) -> np.ndarray:
        """Return for each row of a column whether it is not null."""
        if self.nodes[node][0] != self.rows:
            raise BrokenError("a column is longer or shorter than its batch")
        data = self.read(buffer) if self.nodes[node][1] else b""
        if not data:
            return np.ones(self.rows, bool)
        return np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little", count=self.rows).astype(bool)


def width_of(kind: pa.DataType) -> tuple[int, int]:
    """Return the number of nodes and buffers of a column, including nested ones. Raise BrokenError for types not supported here."""
    types = load_pyarrow().types
    if isinstance(kind, load_pyarrow().BaseExtensionType):
        return width_of(kind.storage_type)
    if types.is_null(kind):
        return 1, 0
    own = next((count for count, names in _BUFFERS.items() if any(getattr(types, f"is_{name}")(kind) for name in names)), None)
    if types.is_union(kind):
        own = 1 if kind.mode == "sparse" else 2
    if own is None:
        raise BrokenError("a column of a type that is not known")
    widths = [width_of(kind.field(index).type) for index in range(kind.num_fields)]
    return 1 + sum(nodes for nodes, _ in widths), own + sum(buffers for _, buffers in widths)
