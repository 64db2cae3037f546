"""WebP: sizes in RIFF, flags of VP8X, animation, alpha, profiles, and the headers of the two codecs."""

from __future__ import annotations

import struct

import numpy as np
from PIL import Image

from tests.components.image_example_gen.fuzz.damage import Field, Original, Piece, Pieces, fields
from tests.serving.picture_files.made import ADOBE_RGB, profile, saved

_FIELDS = {
    b"VP8X": ">BBBBBBBBBB",
    b"ANIM": "<BBBBH",
    b"ANMF": "<BBBBBBBBBBBBBBBB",
    b"ALPH": "<BBBBB",
    b"VP8 ": "<BBBBBBHHBBBB",
    b"VP8L": "<BBBBBBB",
    b"ICCP": ">IIIIIIIIIIII",
    b"EXIF": "<IIHHI",
}


def mend(pieces: Pieces) -> None:
    """Make the sizes of the whole and of all chunks right, and the padding behind odd ones."""
    for number, piece in enumerate(pieces):
        if piece.name not in ("chunk", "ANMF", "inner") or len(piece.data) < 8:
            continue
        if piece.name != "ANMF" and len(piece.data) % 2:
            piece.data.append(0)
        size = len(piece.data) - 8
        if piece.data[-1] == 0 and int.from_bytes(piece.data[4:8], "little") == size - 1:
            continue  # padded, and right
        if piece.name == "ANMF":
            for inner in pieces[number + 1 :]:
                if inner.name != "inner":
                    break
                size += len(inner.data)
        piece.data[4:8] = struct.pack("<I", size)
    if pieces and pieces[0].name == "RIFF" and len(pieces[0].data) >= 8:
        pieces[0].data[4:8] = struct.pack("<I", sum(len(piece.data) for piece in pieces) - 8)


def chunks_of(data: bytes) -> Pieces:
    """The header and the chunks of a WebP file; those in a frame follow it."""
    pieces = [Piece(bytearray(data[:12]), [Field(0, ">4s"), Field(4, "<I"), Field(8, ">4s")], None, "RIFF")]
    _take(data, 12, len(data), "chunk", pieces)
    return pieces


def _take(data: bytes, at: int, stop: int, name: str, pieces: Pieces) -> None:
    while at + 8 <= stop:
        kind, size = struct.unpack_from("<4sI", data, at)
        end = at + 8 + size + size % 2
        head = at + 24 if kind == b"ANMF" else end
        found = [Field(0, ">4s"), Field(4, "<I"), *fields(8, _FIELDS.get(kind, ">"))]
        found = [each for each in found if each.stop <= head - at]
        pieces.append(Piece(bytearray(data[at:head]), found, None, "ANMF" if kind == b"ANMF" else name))
        if kind == b"ANMF":
            _take(data, head, end, "inner", pieces)
        at = end


def originals() -> list[Original]:
    """A small file of every kind."""
    rng = np.random.default_rng(4)
    color, alpha = (Image.fromarray(rng.integers(0, 256, (10, 13, rest), np.uint8)) for rest in (3, 4))
    exif = Image.Exif()
    exif[0x0112] = 8
    frames = {"save_all": True, "append_images": [alpha.rotate(180), color.convert("RGBA")], "duration": 30}
    files = [
        saved(color, "WEBP"),
        saved(alpha, "WEBP", lossless=True, exif=exif),
        saved(alpha, "WEBP", quality=30, icc_profile=profile(ADOBE_RGB, 2.2)),
        saved(alpha, "WEBP", **frames),
    ]
    return [
        Original("{:06d}.webp", chunks_of(data), mend, options=options)
        for number, data in enumerate(files)
        for options in ([()] if number < 3 else [(), (("frames", "all"),)])
    ]
