"""Parquet and Arrow's IPC: the footer and headers of pages in Thrift, messages in flatbuffers, pages and buffers."""

from __future__ import annotations

import io
import itertools
import random
import struct

import pyarrow as pa
import pyarrow.parquet

from tests.components.image_example_gen.fuzz import archives
from tests.components.image_example_gen.fuzz.damage import Field, Original, Piece, Pieces, change_field, words
from tests.components.image_example_gen.readers.columnar.tables import CLASSES, IMAGE, features

_STRUCT, _LIST, _SET, _BINARY = 12, 9, 10, 8


def _table(bare: bool = False) -> pa.Table:
    pictures = list(archives.pictures(4).values())
    rows = [{"bytes": data, "path": f"{number}.png"} for number, data in enumerate(pictures)]
    image = pa.array(pictures, pa.binary()) if bare else pa.array(rows, IMAGE)
    made = pa.table({"image": image, "label": pa.array([0, 1, 2, 0], pa.int64()), "caption": ["a", "b", None, "c"]})
    return made.replace_schema_metadata(features(image="Image", label=CLASSES))


class Thrift:
    """Walks through a structure in Thrift's compact protocol and notes where each number, length and header is.

    Args:
        data: That holds it.
        at: Where it begins.
    """

    def __init__(self, data: bytes, at: int = 0):
        self.data, self.at = data, at
        self.fields: list[Field] = []
        self._structure()

    def _varint(self) -> int:
        start, value, shift = self.at, 0, 0
        while True:
            byte = self.data[self.at]
            value |= (byte & 127) << shift
            self.at, shift = self.at + 1, shift + 7
            if byte < 128:
                break
        self.fields.append(Field(start, "varint", self.at - start))
        return value

    def _structure(self) -> None:
        while True:
            head = self.data[self.at]
            self.fields.append(Field(self.at, "<B"))
            self.at += 1
            if head == 0:
                return
            if not head >> 4:
                self._varint()
            if head & 15 not in (1, 2):
                self._value(head & 15)

    def _value(self, kind: int) -> None:
        if kind in (_LIST, _SET):
            head = self.data[self.at]
            self.fields.append(Field(self.at, "<B"))
            self.at += 1
            for _ in range(self._varint() if head >> 4 == 15 else head >> 4):
                self._value(head & 15)
        elif kind == _STRUCT:
            self._structure()
        elif kind == _BINARY:
            size = self._varint()
            if size:
                self.fields.append(Field(self.at, "text", size))
            self.at += size
        elif kind == 3 or kind in (1, 2):
            self.at += 1
        elif kind == 7:
            self.at += 8
        else:
            self._varint()


def mend_parquet(pieces: Pieces) -> None:
    """Make the length of the footer right."""
    for footer, end in itertools.pairwise(pieces):
        if footer.name == "footer" and len(end.data) == 8:
            end.data[:4] = struct.pack("<I", len(footer.data))


def _parquet(data: bytes) -> Original:
    (length,) = struct.unpack_from("<I", data, len(data) - 8)
    start, meta = len(data) - 8 - length, pa.parquet.ParquetFile(io.BytesIO(data)).metadata
    pages, cuts = [], {4, start}
    for group in range(meta.num_row_groups):
        for column in range(meta.num_columns):
            said = meta.row_group(group).column(column)
            begin = said.dictionary_page_offset or said.data_page_offset
            pages += Thrift(data, begin).fields
            cuts.add(begin)
    cuts = sorted(cuts)
    body = [
        Piece(bytearray(data[a:b]), [each._replace(at=each.at - a) for each in pages if a <= each.at < b])
        for a, b in itertools.pairwise(cuts)
    ]
    footer = Piece(bytearray(data[start:-8]), Thrift(data[start:-8]).fields, None, "footer")
    end = Piece(bytearray(data[-8:]), [Field(0, "<I"), Field(4, ">4s")])
    return Original("{:06d}.parquet", [Piece(bytearray(b"PAR1")), *body, footer, end], mend_parquet, damages=(footers,))


def footers(pieces: Pieces, rng: random.Random) -> None:
    """Damage a number, a length or a header in the footer, most often the only damage that reaches so deep."""
    for piece in pieces:
        if piece.name == "footer" and piece.fields:
            change_field(piece, rng)


def parquet() -> list[Original]:
    """Packed and not, with dictionaries and not, of several groups of rows, with pages of both versions."""
    found = []
    for bare, options in (
        (False, {"compression": "none"}),
        (False, {"compression": "snappy", "row_group_size": 2}),
        (True, {"compression": "zstd", "use_dictionary": False, "data_page_version": "2.0"}),
        (False, {"compression": "gzip", "write_statistics": False}),
    ):
        stream = io.BytesIO()
        pa.parquet.write_table(_table(bare), stream, **options)
        found.append(_parquet(stream.getvalue()))
    return found


def messages_of(data: bytes, at: int) -> Pieces:
    """The messages of a stream of Arrow's: the length and metadata of each, with a field at every place, and its buffers."""
    pieces = []
    while at + 8 <= len(data) and data[at : at + 4] == b"\xff" * 4:
        (size,) = struct.unpack_from("<i", data, at + 4)
        head = data[at : at + 8 + size]
        pieces.append(Piece(bytearray(head), [Field(0, "<I"), Field(4, "<i"), *words(8, len(head), "<BHIQ")], None, "message"))
        at += len(head)
        if not size:
            break
        nxt = data.find(b"\xff\xff\xff\xff", at)
        while nxt >= 0 and (nxt % 8 or not 0 <= struct.unpack_from("<i", data, nxt + 4)[0] < len(data)):
            nxt = data.find(b"\xff\xff\xff\xff", nxt + 1)
        if nxt > at:
            pieces.append(Piece(bytearray(data[at:nxt]), words(0, min(nxt - at, 64), "<I")))
            at = nxt
    if at < len(data):
        pieces.append(Piece(bytearray(data[at:]), words(0, len(data) - at, "<BHIQ"), None, "footer"))
    return pieces


def mend_arrow(pieces: Pieces) -> None:
    """Make the length of the footer right."""
    for piece in pieces:
        if piece.name == "footer" and len(piece.data) > 10:
            piece.data[-10:-6] = struct.pack("<i", len(piece.data) - 10)


def arrow() -> list[Original]:
    """Files and streams, packed and not."""
    found = []
    for file, compression in ((True, None), (False, None), (True, "zstd"), (False, "lz4")):
        stream = io.BytesIO()
        make = pa.ipc.new_file if file else pa.ipc.new_stream
        with make(stream, _table().schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
            writer.write_table(_table(), max_chunksize=2)
        data = stream.getvalue()
        begin = [Piece(bytearray(data[:8]))] if file else []
        found.append(Original("{:06d}.arrow", begin + messages_of(data, 8 if file else 0), mend_arrow))
    return found
