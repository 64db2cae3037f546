"""GIF: the screen, descriptors of images, extensions, lengths of blocks, sizes of codes, and many frames."""

from __future__ import annotations

import random

import numpy as np
from PIL import Image

from tests.components.image_example_gen.fuzz.damage import Field, Original, Piece, Pieces, fields
from tests.serving.picture_files.made import saved


def mend(pieces: Pieces) -> None:
    """End the file as it has to end."""
    if pieces and pieces[-1].data != b";":
        pieces.append(Piece(bytearray(b";")))


def blocks_of(data: bytes) -> Pieces:
    """The blocks of a GIF file."""
    pieces = [Piece(bytearray(data[:13]), [Field(0, ">3s"), Field(3, ">3s"), *fields(6, "<HHBBB")])]
    at = 13 + _table(data[10])
    if at > 13:
        pieces.append(Piece(bytearray(data[13:at])))
    while at < len(data):
        begin, found, name = at, [Field(0, ">B")], ""
        if data[at] == 0x2C:
            found += fields(1, "<HHHHB")
            at += 10 + _table(data[at + 9])
            found += fields(at - begin, "<B")
            at, name = at + 1, "image"
        elif data[at] == 0x21:
            found += fields(1, "<B")
            at += 2
            found += fields(3, "<BHBB") if data[at - 1] == 0xF9 else []
        else:
            pieces.append(Piece(bytearray(data[at:])))
            break
        while data[at]:
            found.append(Field(at - begin, "<B"))
            at += 1 + data[at]
        found.append(Field(at - begin, "<B"))
        at += 1
        pieces.append(Piece(bytearray(data[begin:at]), found, None, name))
    return pieces


def _table(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def many_frames(pieces: Pieces, rng: random.Random) -> None:
    """Repeat an image hundreds of times."""
    images = [number for number, piece in enumerate(pieces) if piece.name == "image"]
    if images:
        at = rng.choice(images)
        pieces[at:at] = [pieces[at].copy() for _ in range(rng.choice((5, 5, 30, 30, 300)))]


def code_size(pieces: Pieces, rng: random.Random) -> None:
    """Change how many bits the codes of an image begin with."""
    images = [piece for piece in pieces if piece.name == "image" and len(piece.data) > 10]
    if images:
        piece = rng.choice(images)
        at = 10 + _table(piece.data[9])
        piece.data[at : at + 1] = bytes([rng.choice((0, 1, 2, 9, 11, 12, 13, 31, 32, 255))])


def originals() -> list[Original]:
    """A small file of every kind."""
    rng = np.random.default_rng(3)
    grey, color = (Image.fromarray(rng.integers(0, 256, (12, 9, *rest), np.uint8)) for rest in ((), (3,)))
    frames = {"save_all": True, "append_images": [color, grey.rotate(90)], "disposal": 2, "loop": 0}
    files = [
        saved(grey, "GIF"),
        saved(color.quantize(8), "GIF", transparency=1, comment=b"comment"),
        saved(color, "GIF", interlace=True),
        saved(grey, "GIF", **frames),
    ]
    return [
        Original("{:06d}.gif", blocks_of(data), mend, damages=(many_frames, code_size), options=options)
        for number, data in enumerate(files)
        for options in ([()] if number < 3 else [(), (("frames", "all"),)])
    ]
