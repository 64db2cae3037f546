"""PNG and APNG: chunks, their lengths, types, order and checksums; what is in the header, the palette, profiles and frames."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from PIL import Image, PngImagePlugin

from tests.components.image_example_gen.fuzz.damage import Field, Original, Piece, Pieces, fields
from tests.serving.picture_files.made import ADOBE_RGB, profile, saved

_FIELDS = {
    b"IHDR": ">IIBBBBB",
    b"acTL": ">II",
    b"fcTL": ">IIIIIHHBB",
    b"fdAT": ">I",
    b"gAMA": ">I",
    b"pHYs": ">IIB",
    b"tRNS": ">HHH",
    b"PLTE": ">BBBBBB",
    b"sRGB": ">B",
    b"cHRM": ">IIII",
}


def mend(pieces: Pieces) -> None:
    """Make each chunk's length and checksum right."""
    for piece in pieces:
        if piece.name != "chunk" or len(piece.data) < 12:
            continue
        piece.data[:4] = struct.pack(">I", len(piece.data) - 12)
        piece.data[-4:] = struct.pack(">I", zlib.crc32(piece.data[4:-4]))


def chunks_of(data: bytes) -> Pieces:
    """The signature and the chunks of a PNG file."""
    pieces, at = [Piece(bytearray(data[:8]))], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        chunk, kind = data[at : at + 12 + length], data[at + 4 : at + 8]
        found = [Field(0, ">I"), Field(4, ">4s"), Field(8 + length, ">I")]
        found += [each for each in fields(8, _FIELDS.get(kind, ">")) if each.stop <= 8 + length]
        packed = None
        if kind in (b"IDAT", b"fdAT"):
            packed = (8 if kind == b"IDAT" else 12, 8 + length)
        elif kind in (b"iCCP", b"zTXt"):
            packed = (chunk.index(b"\0", 8) + 2, 8 + length)
        pieces.append(Piece(bytearray(chunk), found, packed, "chunk"))
        at += len(chunk)
    return pieces


def originals() -> list[Original]:
    """A small file of every kind."""
    rng = np.random.default_rng(1)
    grey, color, alpha = (Image.fromarray(rng.integers(0, 256, (14, 11, *rest), np.uint8)) for rest in ((), (3,), (4,)))
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "x" * 40, zip=True)
    text.add_itxt("Title", "y" * 40, zip=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = {"save_all": True, "append_images": [color.rotate(90), color.rotate(180)], "duration": 40}
    files = [
        saved(grey, "PNG"),
        saved(grey.convert("1"), "PNG", pnginfo=text),
        saved(np.asarray(grey).astype(np.uint16) * 257, "PNG"),
        saved(color.quantize(16), "PNG", bits=4, transparency=2),
        saved(color.quantize(256), "PNG"),
        saved(alpha, "PNG", icc_profile=profile(ADOBE_RGB, 2.2), exif=exif),
        saved(color, "PNG", transparency=(1, 2, 3), dpi=(72, 72)),
        saved(color, "PNG", **frames),
        saved(color, "PNG", default_image=True, **frames),
    ]
    return [
        Original("{:06d}.png", chunks_of(data), mend, options=options)
        for number, data in enumerate(files)
        for options in ([()] if number < 7 else [(), (("frames", "all"),)])
    ]
