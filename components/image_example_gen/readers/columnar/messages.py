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
_MOST_HEADER, _MOST_UNPACKED = 64 << 20, 1 << 30


class BrokenError(ValueError):
    """A message that is inconsistent with itself or with the file."""


@dataclass(frozen=True)
class Message:
    """A message of a stream.

    Attributes:
        kind: SCHEMA, DICTIONARY, BATCH or another number.
        data: Its header, a flatbuffer.
        body: Offset of its body in the file.
        size: Size of the body in bytes.
        start: Offset of the message in the file.
    """

    kind: int
    data: bytes
    body: int
    size: int
    start: int

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
    """Yield a file's messages without reading their bodies.

    Args:
        stream: The file.
        size: Its size in bytes.

    Raises:
        BrokenError: The file is cut short, or the next bytes are not a message.
    """
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
        if not 0 < length <= min(_MOST_HEADER, size - place - prefix):
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
    """A batch of rows, or a dictionary's entries, whose buffers are read one by one.

    Args:
        stream: The file.
        message: The message.
        header: The header of the batch in it.
    """

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
        if length > _MOST_UNPACKED:
            raise BrokenError("a buffer is too large")
        self.stream.seek(begin)
        data = read_fully(self.stream, length)
        if self.codec is None:
            return data
        (unpacked,) = struct.unpack_from("<q", data)
        if unpacked == -1:
            return data[8:]
        if not 0 <= unpacked <= _MOST_UNPACKED:
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
    """Return the number of nodes and buffers of a column, including nested ones.

    Raises:
        BrokenError: The type is not supported here.
    """
    types = load_pyarrow().types
    if isinstance(kind, load_pyarrow().BaseExtensionType):
        return width_of(kind.storage_type)
    if types.is_null(kind):
        return 1, 0
    inside = [kind.field(index).type for index in range(kind.num_fields)]
    if types.is_struct(kind) or types.is_fixed_size_list(kind):
        own = 1
    elif types.is_list(kind) or types.is_large_list(kind) or types.is_map(kind):
        own = 2
    elif types.is_union(kind):
        own = 1 if kind.mode == "sparse" else 2
    elif types.is_binary(kind) or types.is_string(kind) or types.is_large_binary(kind) or types.is_large_string(kind):
        own = 3
    elif types.is_dictionary(kind) or types.is_primitive(kind) or types.is_decimal(kind) or types.is_fixed_size_binary(kind):
        own = 2
    else:
        raise BrokenError("a column of a type that is not known")
    widths = [width_of(each) for each in inside]
    return 1 + sum(nodes for nodes, _ in widths), own + sum(buffers for _, buffers in widths)
