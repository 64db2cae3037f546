"""JPEG: segments, their lengths, what they say of components and tables, profiles, Exif, restarts, and bytes between."""

from __future__ import annotations

import random
import struct

import numpy as np
from PIL import Image

from tests.components.image_example_gen.fuzz import tiff
from tests.components.image_example_gen.fuzz.damage import Field, Original, Piece, Pieces, fields
from tests.serving.picture_files.made import ADOBE_RGB, profile, saved

_MARKERS = bytes((*range(0xC0, 0xD0), 0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE, 0x01, 0x00))


def mend(pieces: Pieces) -> None:
    """Make each segment's length right."""
    for piece in pieces:
        if piece.name == "segment" and len(piece.data) >= 4:
            piece.data[2:4] = struct.pack(">H", (len(piece.data) - 2) & 0xFFFF)


def segments_of(data: bytes) -> Pieces:
    """The segments of a JPEG file; what is coded is cut where it can be begun anew."""
    pieces, at = [Piece(bytearray(data[:2]), [Field(0, ">H")])], 2
    while at < len(data):
        marker = data[at + 1]
        if marker == 0xD9:
            pieces.append(Piece(bytearray(data[at:]), [Field(0, ">H")]))
            break
        (length,) = struct.unpack_from(">H", data, at + 2)
        segment = data[at : at + 2 + length]
        pieces.append(Piece(bytearray(segment), _fields(marker, segment), None, "segment"))
        at += len(segment)
        if marker == 0xDA:
            at = _coded(data, at, pieces)
    return pieces


def _coded(data: bytes, at: int, pieces: Pieces) -> int:
    """Take the coded data that begins at a place; return where it ends."""
    begin = at
    while True:
        at = data.index(b"\xff", at)
        if data[at + 1] in range(0xD0, 0xD8):
            pieces.append(Piece(bytearray(data[begin:at]), [Field(0, ">H")]))
            begin = at
        elif data[at + 1] != 0:
            pieces.append(Piece(bytearray(data[begin:at])))
            return at
        at += 2


def _fields(marker: int, segment: bytes) -> list[Field]:
    found = [Field(1, ">B"), Field(2, ">H")]
    if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
        found += fields(4, ">BHHB" + "BBB" * segment[9])
    elif marker == 0xDA:
        found += fields(4, ">B" + "BB" * segment[4] + "BBB")
    elif marker == 0xC4:
        found += fields(4, ">" + "B" * min(40, len(segment) - 4))
    elif marker == 0xE1 and segment[4:10] == b"Exif\0\0":
        found += [each._replace(at=each.at + 10) for each in tiff.fields_of(segment[10:])]
    elif marker == 0xE2:
        found += [*fields(16, ">BB"), *(Field(at, ">I") for at in range(18, min(len(segment) - 4, 300), 4))]
    else:
        found += fields(4, ">" + "B" * min(20, len(segment) - 4))
    return found


def junk(pieces: Pieces, rng: random.Random) -> None:
    """Put bytes between segments."""
    between = rng.choice((b"\xff" * rng.randint(1, 9), bytes(rng.randint(1, 9)), rng.randbytes(rng.randint(1, 30)), b"\xff\x00"))
    pieces.insert(rng.randint(1, len(pieces)), Piece(bytearray(between)))


def marker(pieces: Pieces, rng: random.Random) -> None:
    """Give a segment another marker."""
    piece = rng.choice(pieces)
    if len(piece.data) > 1:
        piece.data[1] = rng.choice(_MARKERS)


def originals() -> list[Original]:
    """A small file of every kind."""
    rng = np.random.default_rng(2)
    color = Image.fromarray(rng.integers(0, 256, (24, 17, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a" * 20
    exif.get_ifd(0x8769)[0x9000] = b"0232"
    options = [
        (color.convert("L"), {}),
        (color, {}),
        (color, {"subsampling": "4:4:4", "restart_marker_blocks": 1}),
        (color, {"progressive": True, "exif": exif}),
        (color, {"icc_profile": profile(ADOBE_RGB, 2.2), "optimize": True}),
        (color.convert("CMYK"), {}),
    ]
    files = [saved(image, "JPEG", **each) for image, each in options]
    return [Original("{:06d}.jpg", segments_of(data), mend, damages=(junk, marker)) for data in files]
