"""Flatbuffers, as far as the messages of Arrow's IPC format need them: https://flatbuffers.dev/internals.

Every access is checked by `struct`, which raises where a damaged message points outside itself.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table within a message.

    Attributes:
        data: The message.
        place: Where in it the table begins.
    """

    data: bytes
    place: int

    @classmethod
    def root(cls, data: bytes) -> Table:
        """The table that a message begins with."""
        return cls(data, _number("<I", data, 0))

    def number(self, field: int, kind: str, default: int = 0) -> int:
        """A number, of the format that `struct` calls `kind`."""
        place = self._place(field)
        return _number(f"<{kind}", self.data, place) if place else default

    def table(self, field: int) -> Table | None:
        """A table; None where there is none."""
        place = self._place(field)
        return Table(self.data, place + _number("<I", self.data, place)) if place else None

    def structs(self, field: int, kind: str) -> list[tuple]:
        """A vector of structures, each of the format that `struct` calls `kind`."""
        begin, count = self._vector(field)
        size = struct.calcsize(f"<{kind}")
        if begin + count * size > len(self.data):
            raise ValueError("a vector leads out of its message")
        return list(struct.iter_unpack(f"<{kind}", self.data[begin : begin + count * size]))

    def tables(self, field: int) -> list[Table]:
        """A vector of tables."""
        begin = self._vector(field)[0]
        offsets = self.structs(field, "I")
        return [Table(self.data, begin + 4 * index + offset) for index, (offset,) in enumerate(offsets)]

    def _vector(self, field: int) -> tuple[int, int]:
        place = self._place(field)
        if not place:
            return 0, 0
        begin = place + _number("<I", self.data, place)
        return begin + 4, _number("<I", self.data, begin)

    def _place(self, field: int) -> int:
        """Where a field's value is; 0 where the table does not have it."""
        described = self.place - _number("<i", self.data, self.place)
        at = 4 + 2 * field
        if at >= _number("<H", self.data, described):
            return 0
        offset = _number("<H", self.data, described + at)
        return self.place + offset if offset else 0


def _number(kind: str, data: bytes, place: int) -> int:
    if place < 0:  # Python would count from the end
        raise ValueError("a table leads out of its message")
    return struct.unpack_from(kind, data, place)[0]
