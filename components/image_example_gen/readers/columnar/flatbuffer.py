"""Read the parts of flatbuffers that messages of Arrow's IPC format need: https://flatbuffers.dev/internals.

`struct` checks every access, and raises if a damaged message points outside itself.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table within a message."""

    data: bytes  # of the message
    place: int  # offset of the table in it

    @classmethod
    def root(cls, data: bytes) -> Table:
        """Return the root table of a message."""
        return cls(data, _number("<I", data, 0))

    def number(self, field: int, kind: str, default: int = 0) -> int:
        """Return a number of the `struct` format `kind`."""
        place = self._place(field)
        return _number(f"<{kind}", self.data, place) if place else default

    def table(self, field: int) -> Table | None:
        """Return a nested table, or None if there is none."""
        place = self._place(field)
        return Table(self.data, place + _number("<I", self.data, place)) if place else None

    def structs(self, field: int, kind: str) -> list[tuple]:
        """Return a vector of structures, each of the `struct` format `kind`."""
        begin, count = self._vector(field)
        size = struct.calcsize(f"<{kind}")
        if begin + count * size > len(self.data):
            raise ValueError("a vector leads out of its message")
        return list(struct.iter_unpack(f"<{kind}", self.data[begin : begin + count * size]))

    def tables(self, field: int) -> list[Table]:
        """Return a vector of tables."""
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
        """Return the offset of a field's value, or 0 if the table does not have it."""
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
