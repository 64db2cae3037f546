"""Takes originals apart and damages them; what is damaged has right lengths and checksums in half of the cases."""

from __future__ import annotations

import math
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

_TEXTS = (
    b"",
    b"0",
    b"-1",
    b"1",
    b"+1",
    b"01",
    b"2",
    b"255",
    b"256",
    b"65536",
    b"4294967296",
    b"9" * 30,
    b"1e9",
    b"1e400",
    b"nan",
    b"inf",
)
_TEXTS += (
    b"0x10",
    b"1_0",
    b"1.5",
    b"\xd9\xa1",
    b" ",
    b"\0",
    b"\n",
    b"\r",
    b'"',
    b"'",
    b"\\",
    b"/",
    b"..",
    b",",
    b";",
    b"{}",
    b"[]",
    b"null",
)
_TEXTS += (
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xe2\x80\xae",
    b"a" * 3000,
    b"../../etc/passwd",
    b"/etc/passwd",
    b"train",
    b"%s",
    b"(" * 500,
)
_FLOATS = (0.0, -0.0, 1.0, -1.0, math.nan, math.inf, -math.inf, 1e300, 5e-324, 255.5)
_MOST_BYTES = 1 << 20  # of what a piece is repeated to


class Field(NamedTuple):
    """A place in a piece where something is said of the rest.

    Attributes:
        at: Where it begins.
        kind: As `struct` writes it; or `text`, `octal` or `varint`.
        size: In bytes, where the kind does not say it.
    """

    at: int
    kind: str
    size: int = 0

    @property
    def stop(self) -> int:
        """One behind its last byte."""
        return self.at + (self.size or struct.calcsize(self.kind))


@dataclass
class Piece:
    """A part of a file that can be left out, doubled or moved.

    Attributes:
        data: Its bytes.
        fields: Its fields.
        packed: Where a stream of zlib's begins and ends in it; None where there is none.
        name: What kind of piece it is.
    """

    data: bytearray
    fields: list[Field] = field(default_factory=list)
    packed: tuple[int, int] | None = None
    name: str = ""

    def copy(self) -> Piece:
        """Return one that can be damaged by itself."""
        return Piece(bytearray(self.data), list(self.fields), self.packed, self.name)


Pieces = list[Piece]
Damage = Callable[[Pieces, random.Random], None]


def leave(pieces: Pieces) -> None:
    """Mend nothing: the format has neither lengths nor checksums that are not fields."""


@dataclass(frozen=True)
class Original:
    """A sound file.

    Attributes:
        name: What its mutants are called, with a place for their number.
        pieces: What it is made of.
        mend: Makes lengths and checksums right once more.
        pack: Packs the whole, as gzip does.
        damages: Kinds of damage that only this format knows.
        beside: Sound files that belong to each mutant: their names and bytes.
        options: Of the configuration that it is read by.
    """

    name: str
    pieces: Sequence[Piece]
    mend: Callable[[Pieces], None] = leave
    pack: Callable[[bytes], bytes] = bytes
    damages: Sequence[Damage] = ()
    beside: Sequence[tuple[str, bytes]] = ()
    options: tuple[tuple[str, object], ...] = ()

    @property
    def sound(self) -> bytes:
        """The file as it was."""
        return self.pack(joined(self.pieces))


def joined(pieces: Sequence[Piece]) -> bytes:
    """The file that pieces make."""
    return b"".join(bytes(piece.data) for piece in pieces)


def plain(name: str, data: bytes, fields: Sequence[Field] = (), **more: object) -> Original:
    """An original that is one piece."""
    return Original(name, [Piece(bytearray(data), list(fields))], **more)


def fields(at: int, formats: str) -> list[Field]:
    """Fields one after the other, in the order of bytes that the first letter says: `fields(4, ">IHH")`."""
    found = []
    for kind in formats[1:]:
        found.append(Field(at, formats[0] + kind))
        at += struct.calcsize(formats[0] + kind)
    return found


def words(start: int, stop: int, kinds: str = "<BHI") -> list[Field]:
    """Every aligned place taken for a number of each size: for structures that point at each other."""
    return [
        Field(at, kinds[0] + kind)
        for kind in kinds[1:]
        for at in range(start, stop - struct.calcsize("=" + kind) + 1, struct.calcsize("=" + kind))
    ]


def mutated(original: Original, rng: random.Random) -> bytes:
    """A file with one to four kinds of damage that differs from the original."""
    sound = original.sound
    for _ in range(20):
        pieces = [piece.copy() for piece in original.pieces]
        for _ in range(rng.randint(1, 3)):
            if not pieces:
                break
            if original.damages and rng.random() < 0.4:
                rng.choice(original.damages)(pieces, rng)
            else:
                _damage(pieces, rng)
        if rng.random() < 0.5:
            original.mend(pieces)
            if pieces and rng.random() < 0.2:
                _damage(pieces, rng)
        data = joined(pieces)
        if rng.random() < 0.15:
            data = at_random(data, rng)
        data = original.pack(data)
        if original.pack is not bytes and rng.random() < 0.1:
            data = at_random(data, rng)
        if data != sound:
            return data
    return sound[:-1]


def _damage(pieces: Pieces, rng: random.Random) -> None:
    with_fields = [piece for piece in pieces if piece.fields]
    packed = [piece for piece in pieces if piece.packed]
    roll = rng.random()
    if with_fields and roll < 0.6:
        change_field(rng.choice(with_fields), rng)
    elif packed and roll < 0.7:
        _change_packed(rng.choice(packed), rng)
    elif len(pieces) > 1 and roll < 0.88:
        move_pieces(pieces, rng)
    else:
        piece = rng.choice(pieces)
        piece.data[:] = flipped(bytes(piece.data), rng) if rng.random() < 0.6 else at_random(bytes(piece.data), rng)


def change_field(piece: Piece, rng: random.Random) -> None:
    """Give one field of a piece another value, most often one at a boundary."""
    one = rng.choice(piece.fields)
    if one.stop > len(piece.data):  # a piece that was cut
        return
    old = bytes(piece.data[one.at : one.stop])
    if one.kind == "text":
        new = rng.choice((*_TEXTS, old + old, old[:-1], old + b"1", b"-" + old, at_random(old, rng)))
    elif one.kind == "octal":
        new = _octal(len(old), old, rng)
    elif one.kind == "varint":
        new = varint(rng.choice((0, 1, 127, 128, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1, rng.randrange(64))))
        new = new if rng.random() < 0.9 else b"\xff" * rng.randint(1, 12)
    else:
        new = _number(one, old, piece, rng)
    piece.data[one.at : one.stop] = new
    shift = len(new) - len(old)
    if shift:
        piece.fields = [
            Field(each.at + shift if each.at >= one.stop else each.at, each.kind, len(new) if each == one else each.size)
            for each in piece.fields
            if each != one or new
        ]
        if piece.packed and piece.packed[0] >= one.stop:
            piece.packed = (piece.packed[0] + shift, piece.packed[1] + shift)


def _number(one: Field, old: bytes, piece: Piece, rng: random.Random) -> bytes:
    """Another value of a number, or of some letters."""
    alike = [each for each in piece.fields if each.kind == one.kind and each.stop <= len(piece.data) and not each.size]
    if rng.random() < 0.1:
        other = rng.choice(alike)
        return bytes(piece.data[other.at : other.stop])
    if one.kind[-1] == "s":
        return bytes(rng.choice((byte, byte ^ 0x20, rng.randrange(256))) for byte in old)
    if one.kind[-1] in "fd":
        return struct.pack(one.kind, rng.choice(_FLOATS)) if one.kind[-1] == "d" else struct.pack(one.kind, rng.choice(_FLOATS[:7]))
    bits = 8 * len(old)
    (value,) = struct.unpack(one.kind.lower() if one.kind[-1] in "bhilq" else one.kind, old)
    top = 2**bits - 1
    choices = (0, 1, 2, top, top - 1, top // 2, top // 2 + 1, value + 1, value - 1, 2 * value, value // 2, value + 4, -value)
    chosen = rng.choice((*choices, value ^ 1 << rng.randrange(bits), rng.randrange(256), rng.randrange(top + 1), 30_000, 1 << 16))
    order = "little" if one.kind[0] == "<" else "big"
    return (chosen & top).to_bytes(len(old), order)


def _octal(size: int, old: bytes, rng: random.Random) -> bytes:
    """A number as tar writes it: in octal digits, or in base 256."""
    values = (0, 1, 7, 511, 512, 513, 2**33 - 1, 2**31, rng.randrange(4096))
    chosen = rng.randrange(6)
    if chosen == 0:
        return (b"\x80" + bytes(size - 1)) if rng.random() < 0.5 else b"\xff" * size
    if chosen == 1:
        return b"\x80" + rng.choice((2**55, 2**40, 1024)).to_bytes(size - 1, "big")
    if chosen == 2:
        return rng.choice((b" " * size, b"\0" * size, b"9" * size, b"-1".ljust(size, b"\0"), b"7" * size, old[::-1]))
    return (b"%0*o" % (size - 1, rng.choice(values)))[-size + 1 :] + b"\0"


def varint(value: int) -> bytes:
    """A number as Protocol Buffers and Thrift write it."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes((*found, value))


def _change_packed(piece: Piece, rng: random.Random) -> None:
    """Damage what a stream of zlib's holds, and pack it once more."""
    start, stop = piece.packed
    try:
        inner = zlib.decompress(bytes(piece.data[start:stop]))
    except zlib.error:  # it has been damaged before
        return
    longer = inner + bytes(rng.choice((1, 1 << 10, 1 << 16)))
    new = zlib.compress(rng.choice((at_random(inner, rng), longer, inner * 2, inner[: len(inner) // 2], b"")), 1)
    piece.data[start:stop] = new
    shift = len(new) - (stop - start)
    piece.fields = [each._replace(at=each.at + shift) if each.at >= stop else each for each in piece.fields]
    piece.packed = (start, start + len(new))


def move_pieces(pieces: Pieces, rng: random.Random) -> None:
    """Leave a piece out, double it, put it elsewhere, swap two, cut the file, or repeat one very often."""
    first, second = rng.randrange(len(pieces)), rng.randrange(len(pieces))
    how = rng.randrange(8)
    if how <= 1:
        del pieces[first]
    elif how == 2:
        pieces.insert(second, pieces[first].copy())
    elif how == 3:
        pieces.insert(second, pieces.pop(first))
    elif how == 4:
        pieces[first], pieces[second] = pieces[second], pieces[first]
    elif how == 5:
        del pieces[first:]
    elif how == 6:
        pieces.insert(first, Piece(bytearray(rng.choice((b"\0", b"\xff", rng.randbytes(1))) * rng.randint(1, 700))))
    else:
        times = min(rng.choice((3, 3, 20, 20, 200)), _MOST_BYTES // max(len(pieces[first].data), 1) + 1)
        pieces[first:first] = [pieces[first].copy() for _ in range(times)]


def flipped(data: bytes, rng: random.Random) -> bytes:
    """Some other bytes in the same places: the damage that reaches deepest."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 4) if found else 0):
        found[rng.randrange(len(found))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
    return bytes(found)


def at_random(data: bytes, rng: random.Random, other: bytes = b"") -> bytes:
    """Damage that knows nothing of the format; sometimes the end is that of another file."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(len(found) + 1)
        near = rng.randrange(min(len(found), 64) + 1)
        how = rng.randrange(8 if other else 7)
        if how == 0:
            del found[at:]
        elif how == 1 and at < len(found):
            found[at] ^= 1 << rng.randrange(8)
        elif how == 2 and near < len(found):
            found[near] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
        elif how == 3:
            found[near : near + 4] = rng.choice(
                (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0u0")
            )
        elif how == 4:
            del found[at : at + rng.randint(1, 200)]
        elif how == 5:
            found[at:at] = rng.randbytes(rng.randint(1, 200))
        elif how == 6:
            found[at : at + 16] = found[near : near + 16] * 2
        else:
            found[at:] = other[at:]
    return bytes(found)
