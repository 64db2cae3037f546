"""Netpbm's formats, AVIF, JPEG 2000 and QOI."""

from __future__ import annotations

import re
import struct

import numpy as np
from PIL import Image

from tests.components.image_example_gen.fuzz.damage import Field, Original, Piece, Pieces, fields, plain
from tests.serving.picture_files.made import saved

_BOXES = (b"meta", b"iprp", b"ipco", b"iinf", b"jp2h", b"dinf")
_FULL = {b"meta": 4, b"iinf": 6}  # bytes before the first box within


def _picture(*channels: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(6).integers(0, 256, (9, 10, *channels), np.uint8))


def pnm() -> list[Original]:
    """P1 to P6, with levels of 8 and 16 bits, comments, and floats."""
    rng = np.random.default_rng(7)
    digits = lambda count, top: " ".join(map(str, rng.integers(0, top + 1, count))).encode()
    files = {
        "pbm": [b"P1\n# drawn\n6 4\n" + digits(24, 1), b"P4 12 3\n" + rng.bytes(6)],
        "pgm": [b"P2 5 4 255\n" + digits(20, 255), b"P5\n5 4\n# deep\n65535\n" + rng.bytes(40), b"P5 5 4 200 " + bytes(range(20))],
        "ppm": [b"P3 3 2 1023\n" + digits(18, 1023), b"P6 5 4 255\n" + rng.bytes(60)],
        "pfm": [
            b"Pf\n4 3\n-1.0\n" + rng.random(12, np.float32).tobytes(),
            b"PF\n2 2\n1\n" + rng.random(12, np.float32).astype(">f4").tobytes(),
        ],
    }
    found = []
    for suffix, datas in files.items():
        for data in datas:
            tokens = [Field(one.start(), "text", len(one[0])) for one in re.finditer(rb"\S+", data[:40])][:9]
            options = [(), (("range", (0.0, 1.0)), ("depth", 16))] if suffix == "pfm" else [()]
            found += [plain(f"{{:06d}}.{suffix}", data, tokens, options=each) for each in options]
    return found


def boxes_of(data: bytes) -> Pieces:
    """The outermost boxes of an ISO file, each with fields for itself and all within."""
    pieces, at = [], 0
    while at < len(data):
        size = struct.unpack_from(">I", data, at)[0] or len(data) - at
        pieces.append(Piece(bytearray(data[at : at + size]), _box_fields(data[at : at + size]), None, "box"))
        at += size
    return pieces


def _box_fields(data: bytes, at: int = 0, stop: int | None = None) -> list[Field]:
    stop, found = len(data) if stop is None else stop, []
    while at + 8 <= stop:
        size, kind = struct.unpack_from(">I4s", data, at)
        end = min(at + size, stop) if size >= 8 else stop
        found += [Field(at, ">I"), Field(at + 4, ">4s")]
        if kind in _BOXES:
            inner = at + 8 + _FULL.get(kind, 0)
            found += [Field(place, ">H") for place in range(at + 8, inner, 2)] + _box_fields(data, inner, end)
        elif kind == b"jp2c":
            found += _codestream(data, at + 8)
        else:
            for letter, step in ("B", 1), ("H", 2), ("I", 4):
                found += [Field(place, ">" + letter) for place in range(at + 8, min(end, at + 72) - step + 1, step)]
        at = end
    return found


def _codestream(data: bytes, at: int) -> list[Field]:
    """The fields of the markers of a codestream of JPEG 2000, up to the coded data."""
    found = [Field(at, ">H")]
    at += 2
    while at + 4 <= len(data):
        marker, length = struct.unpack_from(">HH", data, at)
        found += [Field(at, ">H"), Field(at + 2, ">H")]
        if marker == 0xFF51:  # SIZ
            found += fields(at + 4, ">HIIIIIIIIH" + "BBB" * ((length - 38) // 3))
        elif marker == 0xFF90:  # SOT
            found += fields(at + 4, ">HIBB")
            return [*found, *fields(at + 2 + length, ">HBBBB")]
        else:
            found += fields(at + 4, ">" + "B" * (length - 2))
        at += 2 + length
    return found


def mend_boxes(pieces: Pieces) -> None:
    """Make the sizes of the outermost boxes right."""
    for piece in pieces:
        if piece.name == "box" and len(piece.data) >= 8:
            piece.data[:4] = struct.pack(">I", len(piece.data))


def avif() -> list[Original]:
    """Colors, transparency, greys, several frames, and a picture that is to be turned."""
    exif = Image.Exif()
    exif[0x0112] = 6
    files = [
        saved(_picture(3), "AVIF", exif=exif),
        saved(_picture(4), "AVIF", subsampling="4:4:4"),
        saved(_picture(), "AVIF"),
        saved(_picture(3), "AVIF", save_all=True, append_images=[_picture(3).rotate(180)]),
    ]
    return [Original("{:06d}.avif", boxes_of(_timeless(data)), mend_boxes) for data in files]


def _timeless(data: bytes) -> bytes:
    """An animation without the time of day at which it was made (ISO/IEC 14496-12, 8.2.2, 8.3.2, 8.4.2)."""
    found = bytearray(data)
    for one in re.finditer(b"mvhd|tkhd|mdhd", data):
        size = 16 if data[one.end()] == 1 else 8
        found[one.end() + 4 : one.end() + 4 + size] = bytes(size)
    return bytes(found)


def jpeg2000() -> list[Original]:
    """Boxes and bare codestreams: whole numbers, loss, tiles, transparency, 16 bits."""
    deep = Image.fromarray(np.arange(90, dtype=np.uint16).reshape(9, 10) * 700)
    boxed = [
        saved(_picture(3), "JPEG2000"),
        saved(_picture(4), "JPEG2000", irreversible=True),
        saved(_picture(), "JPEG2000", tile_size=(4, 4)),
        saved(deep, "JPEG2000"),
    ]
    bare = [saved(_picture(3), "JPEG2000", no_jp2=True), saved(_picture(), "JPEG2000", no_jp2=True, num_resolutions=2)]
    return [Original("{:06d}.jp2", boxes_of(data), mend_boxes) for data in boxed] + [
        plain("{:06d}.j2k", data, _codestream(data, 0)) for data in bare
    ]


def qoi() -> list[Original]:
    """Noise, which is stored as it is, and drawings, which are runs and differences."""
    drawn = np.zeros((20, 30, 3), np.uint8)
    drawn[4:9, 5:20], drawn[10:, 2:9] = 200, (1, 2, 3)
    files = [saved(_picture(3), "QOI"), saved(_picture(4), "QOI"), saved(drawn, "QOI")]
    ends = [len(data) for data in files]
    return [
        Original(
            "{:06d}.qoi",
            [
                Piece(bytearray(data[:14]), [Field(0, ">4s"), *fields(4, ">IIBB")]),
                Piece(bytearray(data[14 : end - 8]), fields(0, ">" + "B" * 20)),
                Piece(bytearray(data[end - 8 :])),
            ],
        )
        for data, end in zip(files, ends, strict=True)
    ]
