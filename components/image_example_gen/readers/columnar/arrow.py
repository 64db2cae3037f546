"""Read Arrow IPC files of pictures: streams as written by Hugging Face's `save_to_disk`, Arrow files, and Feather version 2."""

from __future__ import annotations

import contextlib
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from common.errors import InputError
from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Encoded, Rejected
from components.image_example_gen.readers.beginnings import described_beginning
from components.image_example_gen.readers.columnar.columns import (
    Columns,
    TableRow,
    choose_columns,
    label_texts,
    load_pyarrow,
    take_pictures,
)
from components.image_example_gen.readers.columnar.messages import (
    BATCH,
    DICTIONARY,
    FILE_MAGIC,
    SCHEMA,
    Batch,
    BrokenError,
    Message,
    read_messages,
    width_of,
)
from components.image_example_gen.readers.container import Container
from components.image_example_gen.readers.own_labels import OwnSplits
from components.image_example_gen.splits import split_in_name
from components.image_example_gen.storage.files import FoundFile, join, open_seekable
from components.image_example_gen.storage.streams import read_fully

if TYPE_CHECKING:
    import pyarrow as pa

ARROW_SUFFIXES = (".arrow", ".feather")
_BESIDE = re.compile(r"(cache-.*|.*indices)\.arrow")  # written by Hugging Face beside pictures: cached copies, and row orders
_READ_AT_ONCE = 4 << 20
_MAX_ROWS_PER_BYTE = 8


@dataclass(frozen=True)
class ArrowPictures(Container):
    """The pictures of one Arrow file, as far as it can be read; see `Container`."""

    damaged_here = reasons.ARROW_CUT

    def _items(self, folder: str, start: int, stop: int, config: DataConfig) -> Iterator[Encoded | Rejected]:
        """Yield like `read`; after a damaged batch, continue with the next one."""
        with open_seekable(join(folder, self.path)) as stream:
            reader = _Reader(stream, config)
            first = 0
            for message in reader.messages():
                begin, end = max(start, first), min(stop, first + message.rows)
                if begin < end:
                    yield from self._batch(reader, message, first, begin, end)
                first += message.rows
                if first >= stop != self.count:  # the last unit reads on, so that damage after the last row is reported once
                    return

    def _batch(self, reader: _Reader, message: Message, first: int, begin: int, end: int) -> Iterator[Encoded | Rejected]:
        config, place = reader.config, begin
        try:
            for rows in reader.rows(message, begin - first, end - first):
                yield from take_pictures(self.path, place, rows, self.split, config.max_file_megabytes)
                place += len(rows)
        except Exception:
            yield Rejected(self.path, reasons.ARROW_DAMAGED, end - place)


class _Reader:
    """Read the configured columns of one file."""

    def __init__(self, stream: BinaryIO, config: DataConfig):
        self.stream, self.config = stream, config
        self.size = stream.seek(0, 2)
        self.schema: pa.Schema | None = None
        self.columns: Columns | str = ""
        self.dictionaries: dict[tuple[str, ...], int] = {}  # ids of the dictionaries of labels and splits
        self.entries: dict[int, list[Any]] = {}

    def messages(self) -> Iterator[Message]:
        """Yield the batches of rows, and keep the schema and the dictionaries of labels and splits."""
        for message in read_messages(self.stream, self.size):
            if self.schema is None:
                self._take_schema(message)
            elif message.kind == DICTIONARY and message.header.number(0, "q") in self.dictionaries.values():
                self._take_dictionary(message)
            elif message.kind == BATCH:
                yield message

    def rows(self, message: Message, begin: int, end: int) -> Iterator[list[TableRow]]:
        """Yield rows of a batch, a few megabytes at a time."""
        batch = Batch(self.stream, message, message.header)
        present = self._is_valid(batch, self.columns.image)
        file = self._is_valid(batch, self.columns.file) if self.columns.file else np.zeros(batch.rows, bool)
        columns = self.columns
        labels = self._texts(batch, columns.label, self.config.label_names, columns.names)[begin:end]
        splits = self._texts(batch, columns.split, (), columns.split_names)[begin:end]
        offsets, data = self._offsets(batch, self.columns.image)
        for start, stop in _pieces(offsets, begin, end):
            piece = data(int(offsets[start]), int(offsets[stop]))
            ends = (offsets[start : stop + 1] - offsets[start]).tolist()
            pictures = (
                piece[head:tail] if there else None for head, tail, there in zip(ends, ends[1:], present[start:stop].tolist())
            )
            part = slice(start - begin, stop - begin)
            yield list(zip(pictures, file[start:stop].tolist(), labels[part], splits[part], strict=True))

    def take_splits(self, message: Message, splits: OwnSplits) -> None:
        """Collect the splits in the rows of a batch."""
        path = self.columns.split
        batch = Batch(self.stream, message, message.header)
        splits.add(label_texts(self._looked_up(self._column(batch, path).unique(), path), (), self.columns.split_names))

    def _take_schema(self, message: Message) -> None:
        if message.kind != SCHEMA or message.header.number(0, "h"):
            raise BrokenError("no schema at its beginning, or one of another order of bytes")
        pa = load_pyarrow()
        self.stream.seek(message.start)
        self.schema = pa.ipc.read_schema(pa.py_buffer(read_fully(self.stream, message.body - message.start)))
        self.columns = choose_columns(self.schema, self.config)
        if isinstance(self.columns, Columns):
            paths = [path for path in (self.columns.label, self.columns.split) if path]
            items = {path: _dictionary_of(message, self.schema, path) for path in paths}
            self.dictionaries = {path: number for path, number in items.items() if number >= 0}

    def _take_dictionary(self, message: Message) -> None:
        batch, number = Batch(self.stream, message, message.header.table(1)), message.header.number(0, "q")
        path = next(path for path, each in self.dictionaries.items() if each == number)
        entries = _array(batch, self._place(path)[0].value_type, 0, 0).to_pylist()
        self.entries[number] = [*self.entries.get(number, ()), *entries] if message.header.number(2, "B") else entries

    def _place(self, path: Sequence[str]) -> tuple[pa.DataType, int, int]:
        """Return the type of a column, and the indices of its first node and buffer."""
        fields, node, buffer = list(self.schema), 0, 0
        for depth, name in enumerate(path):
            index = [field.name for field in fields].index(name)
            for field in fields[:index]:
                nodes, buffers = width_of(field.type)
                node, buffer = node + nodes, buffer + buffers
            kind = fields[index].type
            if depth < len(path) - 1:
                fields, node, buffer = list(kind), node + 1, buffer + 1
        return kind, node, buffer

    def _is_valid(self, batch: Batch, path: Sequence[str]) -> np.ndarray:
        result = np.ones(batch.rows, bool)
        for depth in range(1, len(path) + 1):
            _, node, buffer = self._place(path[:depth])
            result &= batch.is_valid(node, buffer)
        return result

    def _texts(self, batch: Batch, path: tuple[str, ...], given: Sequence[str], own: Sequence[str]) -> list[str]:
        return label_texts(self._values(batch, path), given, own) if path else [""] * batch.rows

    def _values(self, batch: Batch, path: tuple[str, ...]) -> list[Any]:
        """Return a column of text or numbers, with None also where its parent is null."""
        values, present = self._looked_up(self._column(batch, path), path), self._is_valid(batch, path).tolist()
        return [value if there else None for value, there in zip(values, present, strict=True)]

    def _column(self, batch: Batch, path: tuple[str, ...]) -> pa.Array:
        """Return a column of text or numbers, or of indices of a dictionary."""
        kind, node, buffer = self._place(path)
        return _array(batch, kind.index_type if load_pyarrow().types.is_dictionary(kind) else kind, node, buffer)

    def _looked_up(self, values: pa.Array, path: tuple[str, ...]) -> list[Any]:
        """Return values, those of a dictionary if the column has one."""
        if not load_pyarrow().types.is_dictionary(self._place(path)[0]):
            return values.to_pylist()
        entries = self.entries.get(self.dictionaries.get(path, -1), [])
        return [None if place is None else entries[place] for place in values.to_pylist()]

    def _offsets(self, batch: Batch, path: Sequence[str]) -> tuple[np.ndarray, Any]:
        """Return the offsets of pictures in their buffer, and a function that reads a part of it."""
        kind, _, buffer = self._place(path)
        dtype = np.dtype("<i8" if load_pyarrow().types.is_large_binary(kind) else "<i4")
        offsets = np.frombuffer(batch.read(buffer + 1), dtype, batch.rows + 1).astype(np.int64)
        if batch.codec:
            unpacked = batch.read(buffer + 2)
            length, data = len(unpacked), lambda begin, end: unpacked[begin:end]
        else:
            place, length = batch.place(buffer + 2)

            def data(begin: int, end: int) -> bytes:
                self.stream.seek(place + begin)
                return read_fully(self.stream, end - begin) if end > begin else b""

        if offsets[0] < 0 or offsets[-1] > length or (np.diff(offsets) < 0).any():
            raise BrokenError("pictures end before they begin, or behind their buffer")
        return offsets, data


def is_mine(path: str) -> bool:
    """Return whether a file has the name of an Arrow file, except those that Hugging Face writes beside the pictures."""
    name = posixpath.basename(path).lower()
    return name.endswith(ARROW_SUFFIXES) and not _BESIDE.fullmatch(name)


def find(folder: str, file: FoundFile, config: DataConfig) -> ArrowPictures | Rejected:
    """Read a file's schema, and the headers of its batches."""
    try:
        with open_seekable(join(folder, file.path)) as stream:
            head = stream.read(64)
            if not head or head.startswith(b"FEA1"):
                return Rejected(file.path, reasons.ARROW_FEATHER_1 if head else reasons.EMPTY)
            return _found(_Reader(stream, config), head, file)
    except InputError:
        raise
    except Exception:
        return Rejected(file.path, reasons.ARROW_UNREADABLE)


def _found(reader: _Reader, head: bytes, file: FoundFile) -> ArrowPictures | Rejected:
    count, broken, splits = 0, False, OwnSplits()
    try:
        for message in reader.messages():
            count += message.rows
            if isinstance(reader.columns, Columns) and reader.columns.split:
                with contextlib.suppress(Exception):  # errors of pyarrow or a store: reported when the file is read
                    reader.take_splits(message, splits)
            if message.body + message.size > reader.size:
                broken = True
            if isinstance(reader.columns, str):
                break
    except Exception:  # reported when the file is read, as far as possible
        broken = True
    if reader.schema is None:
        known = head.startswith((FILE_MAGIC, b"\xff\xff\xff\xff"))
        return Rejected(file.path, reasons.ARROW_SCHEMA_CUT if known else described_beginning(head, "Arrow file"))
    if isinstance(reader.columns, str):
        return Rejected(file.path, reader.columns or reasons.ARROW_SCHEMA)
    if count > reader.size * _MAX_ROWS_PER_BYTE:
        return Rejected(file.path, reasons.ARROW_ROWS.format(reader.size))
    if not count:
        return Rejected(file.path, reasons.ARROW_TRUNCATED.format(reader.size) if broken else reasons.ARROW_EMPTY)
    facts = splits.facts(file.path, f"the column {''.join(reader.columns.split)}", reader.columns.notes)
    return ArrowPictures(file.path, split_in_name(posixpath.basename(file.path)), count, **facts)


def _pieces(offsets: np.ndarray, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows of a few megabytes each, or of a single larger row."""
    while begin < end:
        stop = int(np.searchsorted(offsets, offsets[begin] + _READ_AT_ONCE, "right")) - 1
        stop = min(max(stop, begin + 1), end)
        yield begin, stop
        begin = stop


def _array(batch: Batch, kind: pa.DataType, node: int, buffer: int) -> pa.Array:
    """Return a column of text or numbers, or a dictionary's entries."""
    pa = load_pyarrow()
    count = batch.nodes[node][0]
    if count != batch.rows:
        raise BrokenError("a column is longer or shorter than its batch")
    buffers = [pa.py_buffer(batch.read(buffer + index)) for index in range(width_of(kind)[1])]
    validity = buffers[0] if batch.nodes[node][1] and len(buffers[0]) else None
    array = pa.Array.from_buffers(kind, count, [validity, *buffers[1:]])
    array.validate(full=True)
    return array


def _dictionary_of(message: Message, schema: pa.Schema, path: Sequence[str]) -> int:
    """Return the id of a column's dictionary; -1 if it has none."""
    field = None
    fields = message.header.tables(1)
    names = [[each.name for each in schema]]
    kind = None
    for name in path:
        index = names[-1].index(name)
        field = fields[index]
        kind = schema.field(index).type if kind is None else kind[index].type
        if load_pyarrow().types.is_struct(kind):
            fields = field.tables(5)
            names.append([each.name for each in kind])
    encoding = field.table(4)
    return -1 if encoding is None else encoding.number(0, "q")
