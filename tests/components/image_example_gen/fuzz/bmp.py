"""BMP of bmpsuite's kinds: all depths, run lengths, masks, OS/2's headers, versions 4 and 5, short and long tables, any order of rows."""

from __future__ import annotations

import random
import struct

from tests.components.image_example_gen.fuzz.damage import Field, Original, Piece, Pieces, fields

_WIDTH, _HEIGHT = 8, 4
_SHORT = ">2s"
_RUNS_8 = bytes([3, 5, 0, 3, 2, 1, 2, 0, 2, 7, 0, 0, 0, 2, 1, 1, 3, 1, 2, 3, 0, 0, 8, 4, 0, 0, 0, 1])
_RUNS_4 = bytes([5, 0x12, 0, 3, 0x12, 0x30, 0, 0, 8, 0x45, 0, 0, 0, 2, 2, 0, 4, 0x11, 0, 0, 0, 1])


def mend(pieces: Pieces) -> None:
    """Make the file's size, the place of the rows and their size right."""
    if len(pieces) < 2 or pieces[0].name != "file" or len(pieces[0].data) < 14:
        return
    rows = next((number for number, piece in enumerate(pieces) if piece.name == "rows"), len(pieces))
    before, whole = (sum(len(piece.data) for piece in pieces[:stop]) for stop in (rows, len(pieces)))
    pieces[0].data[2:6], pieces[0].data[10:14] = struct.pack("<I", whole), struct.pack("<I", before)
    if pieces[1].name == "header" and len(pieces[1].data) >= 24:
        pieces[1].data[20:24] = struct.pack("<I", whole - before)


def made(
    bits: int, header: int = 40, *, compression: int = 0, rows: bytes = b"", table: int = 0, masks: str = "", up: int = 1
) -> Original:
    """A BMP file.

    Args:
        bits: Of a pixel.
        header: How long it is: 12 (OS/2), 16, 40, 52, 56, 64 (OS/2), 108, 124.
        compression: As the header says it.
        rows: Those that are packed.
        table: How many colors are in the table.
        masks: Of the channels, in hexadecimal digits.
        up: -1 where the first row comes first.
    """
    rng = random.Random(bits + header + compression)
    rows = rows or rng.randbytes((_WIDTH * bits + 31) // 32 * 4 * _HEIGHT)
    if header == 12:
        said, found = struct.pack("<IHHHH", 12, _WIDTH, _HEIGHT, 1, bits), fields(0, "<IHHHH")
    else:
        said = struct.pack("<IiiHHIIiiII", 40, _WIDTH, up * _HEIGHT, 1, bits, compression, len(rows), 2835, 2835, table, 0)
        said = struct.pack("<I", header) + said[4:]
        found = fields(0, "<IIIHHIIIIII")
        extra = b"".join(struct.pack("<I", int(mask, 16)) for mask in masks.split())
        said = said[:header] if header < 40 else said + extra.ljust(header - 40, b"\0")
        found += fields(40, "<" + "I" * ((len(said) - 40) // 4))
    pieces = [
        Piece(bytearray(), [Field(0, _SHORT), *fields(2, "<IHHI")], None, "file"),
        Piece(bytearray(said), [each for each in found if each.stop <= len(said)], None, "header"),
        Piece(bytearray(rng.randbytes(table * (3 if header == 12 else 4)))),
        Piece(bytearray(rows), fields(0, "<" + "B" * min(len(rows), 12)), None, "rows"),
    ]
    at = 14 + len(said) + len(pieces[2].data)
    pieces[0].data += struct.pack("<2sIHHI", b"BM", at + len(rows), 0, 0, at)
    return Original("{:06d}.bmp", pieces, mend)


def table(pieces: Pieces, rng: random.Random) -> None:
    """Make the table of colors longer or shorter than the header says."""
    for piece in pieces:
        if not piece.name:
            piece.data[:] = rng.randbytes(4 * rng.choice((0, 1, 2, 15, 17, 255, 257, 300)))


def run(pieces: Pieces, rng: random.Random) -> None:
    """Write other run lengths: ends of rows, leaps, runs that are too long, and none that ends."""
    for piece in pieces:
        if piece.name == "rows":
            parts = (
                b"\0\0",
                b"\0\1",
                b"\0\2\xff\xff",
                b"\0\2\0\0",
                b"\xff\7",
                b"\0\xff" + bytes(255),
                b"\0\3\1\2\3\0",
                b"\1",
                b"\0",
            )
            piece.data[:] = b"".join(rng.choice(parts) for _ in range(rng.randint(0, 12)))


def originals() -> list[Original]:
    """A small file of every kind."""
    found = [made(bits, table=1 << bits) for bits in (1, 2, 4, 8)]
    found += [made(8, table=300), made(8, table=40), made(8, table=256, up=-1), made(24, table=5), made(24, up=-1)]
    found += [made(bits, 12, table=(1 << bits) * (bits < 16)) for bits in (1, 4, 8, 24)]
    found += [made(8, 64, table=256), made(24, 64), made(4, 16), made(8, 64, table=256, compression=1, rows=_RUNS_8)]
    found += [made(8, compression=1, rows=_RUNS_8, table=256), made(4, compression=2, rows=_RUNS_4, table=16)]
    found += [made(bits) for bits in (16, 24, 32)]
    for header in (40, 52, 56, 108, 124):
        found += [
            made(16, header, compression=3, masks="f800 7e0 1f"),
            made(32, header, compression=3, masks="ff0000 ff00 ff ff000000"),
        ]
        found += [
            made(32, header, compression=3, masks="3ff00000 ffc00 3ff"),
            made(32, header, compression=6, masks="ff ff00 ff0000 ff000000"),
        ]
    found += [made(24, 124), made(8, 108, table=256), made(24, 40, compression=4, rows=b"\xff\xd8\xff\xe0"), made(64)]
    return [Original(each.name, each.pieces, mend, damages=(table, run)) for each in found]
