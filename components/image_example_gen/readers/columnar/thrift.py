"""Determine how deeply a Parquet file's columns are nested, before anything else reads its footer.

pyarrow reads a schema by recursion: a footer of 300 kilobytes with 50,000 nested levels crashes the process. The footer is in
Thrift's compact protocol (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md); its layout is in
parquet.thrift.
"""

from __future__ import annotations

from collections.abc import Iterator

_STOP, _TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 0, 1, 2, 3, 7, 8, 9, 10, 11, 12
_INTEGERS = (0, 4, 5, 6)  # 0 ends a structure, but pyarrow reads it as a number elsewhere
_SCHEMA, _CHILDREN = 2, 5  # fields of FileMetaData and of SchemaElement
_MAX_NESTED = 64  # nested structures of the footer itself


def nesting_of(footer: bytes) -> int:
    """Return the maximum nesting depth of groups of columns. Raise ValueError or IndexError if the footer is damaged."""
    reader = _Reader(footer)
    for field, kind in reader.fields():
        if field == _SCHEMA and kind == _LIST:
            return _deepest(reader)
        reader.value(kind)
    raise ValueError("a footer without a schema")


def _deepest(reader: _Reader) -> int:
    kind, count = reader.list_header()
    if kind != _STRUCT:
        raise ValueError("a schema that is none")
    open_groups: list[int] = []  # number of remaining columns of each open group
    deepest = 0
    for _ in range(count):
        children = {field: reader.value(kind) for field, kind in reader.fields()}.get(_CHILDREN, 0)
        while open_groups and not open_groups[-1]:
            open_groups.pop()
        if open_groups:
            open_groups[-1] -= 1
        if children > 0:
            open_groups.append(children)
            deepest = max(deepest, len(open_groups))
    return deepest


class _Reader:
    """Read Thrift's compact protocol."""

    def __init__(self, data: bytes):
        self.data, self.place = data, 0

    def byte(self) -> int:
        self.place += 1
        return self.data[self.place - 1]

    def varint(self) -> int:
        number = 0
        for shift in range(0, 64, 7):
            byte = self.byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
        raise ValueError("a number that is too long")

    def fields(self) -> Iterator[tuple[int, int]]:
        """Yield the id and the type of each field of a structure; read its value before the next one."""
        field = 0
        while (header := self.byte()) != _STOP:
            field = field + (header >> 4) if header >> 4 else self.varint() >> 1
            yield field, header & 15

    def list_header(self) -> tuple[int, int]:
        """Return the type and the number of a list's entries."""
        header = self.byte()
        return header & 15, self.varint() if header >> 4 == 15 else header >> 4

    def value(self, kind: int, nested: int = 0, in_list: bool = False) -> int:
        """Return an integer; skip any other value, and return 0."""
        if nested > _MAX_NESTED or self.place > len(self.data):
            raise ValueError("a structure that is nested too deeply, or breaks off")
        if kind in _INTEGERS:
            number = self.varint()
            return number >> 1 ^ -(number & 1)
        if kind in (_LIST, _SET):
            inner, count = self.list_header()
            for _ in range(count):
                self.value(inner, nested + 1, in_list=True)
        elif kind == _MAP:
            count = self.varint()
            kinds = self.byte() if count else 0
            for _ in range(count):
                self.value(kinds >> 4, nested + 1, in_list=True)
                self.value(kinds & 15, nested + 1, in_list=True)
        elif kind == _STRUCT:
            for _, inner in self.fields():
                self.value(inner, nested + 1)
        else:
            size = self.varint() if kind == _BINARY else {_TRUE: int(in_list), _FALSE: int(in_list), _BYTE: 1, _DOUBLE: 8}.get(kind)
            if size is None:
                raise ValueError("a value of a kind that is not known")
            self.place += size
        return 0
