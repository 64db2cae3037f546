"""IDX, NumPy's .npy and .npz, and MATLAB's .mat: headers, shapes, kinds of numbers, names, and labels beside them."""

from __future__ import annotations

import gzip
import io
import random
import re
import struct
import zipfile
import zlib

import numpy as np
import scipy.io

from tests.components.image_example_gen.fuzz import archives
from tests.components.image_example_gen.fuzz.damage import Field, Original, Piece, Pieces, fields, plain
from tests.components.image_example_gen.readers.arrays.files import idx_bytes

RNG = np.random.default_rng(8)
PIXELS, COLOR = RNG.integers(0, 256, (6, 5, 4), np.uint8), RNG.integers(0, 256, (6, 5, 4, 3), np.uint8)
LABELS = (np.arange(6) % 3).astype(np.uint8)
_KINDS = (
    "|u1",
    "<u2",
    ">i8",
    "<f4",
    "<f2",
    "|b1",
    "|O",
    "<U3",
    "|S5",
    "|V4",
    "<c8",
    "<M8[s]",
    "<f16",
    "",
    "|u1|u1",
    "u",
    "{}",
    "float8",
)
_SHAPES = (
    "()",
    "(0,)",
    "(6,)",
    "(0, 5, 4)",
    "(6, 0, 4)",
    "(-1, 5, 4)",
    "(6, 5)",
    "(6, 5, 4)",
    "(999999999, 999999999, 4)",
    "(6, 20, 1)",
)
_SHAPES += (
    "(2**70,)",
    "(6.0, 5, 4)",
    "('6', 5)",
    "6",
    "None",
    "(6L, 5L, 4L)",
    "(True, 5, 4)",
    "(" * 90,
    "(1,) * 9**9",
    "(6, 5, 4,,)",
)


def compress(data: bytes) -> bytes:
    """Pack as gzip does, the same in every run."""
    return gzip.compress(data, 1, mtime=0)


def idx() -> list[Original]:
    """Pictures of several kinds of numbers, packed or not, with labels beside them; and labels beside pictures."""
    found = []
    for array in (PIXELS, COLOR, PIXELS.astype(np.int16), PIXELS.astype(np.float32) / 255):
        data, kind = idx_bytes(array), {2: "short", 4: "float"}.get(array.itemsize, "ubyte")
        places = [*fields(0, ">BBBB" + "I" * array.ndim), Field(4 + 4 * array.ndim, ">B")]
        name = f"{{:06d}}-images-idx{array.ndim}-{kind}"
        beside = [("{:06d}-labels-idx1-ubyte", idx_bytes(LABELS))]
        options = (("range", (0.0, 1.0)),) if kind == "float" else ()
        found.append(plain(name, data, places, beside=beside, options=options))
        found.append(plain(name + ".gz", data, places, beside=beside, options=options, pack=compress))
    for labels in (LABELS, np.stack([LABELS, LABELS], 1), LABELS.astype(np.int32)):
        kind = {4: "int"}.get(labels.itemsize, "ubyte")
        name, beside = f"{{:06d}}-labels-idx{labels.ndim}-{kind}", [("{:06d}-images-idx3-ubyte", idx_bytes(PIXELS))]
        options = (("label_column", 1),) if labels.ndim == 2 else ()
        found.append(plain(name, idx_bytes(labels), fields(0, ">BBBB" + "I" * labels.ndim), beside=beside, options=options))
    return found


def npy_pieces(array: np.ndarray, version: tuple[int, int] = (1, 0)) -> Pieces:
    """The header of a .npy file, with a field for each word in it, and the numbers."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version, allow_pickle=False)
    data = stream.getvalue()
    wide = 10 if version == (1, 0) else 12
    end = data.index(b"\n") + 1
    words = [
        Field(one.start(), "text", len(one[0]))
        for one in re.finditer(rb"[A-Za-z0-9<>|']+|[(){},:]", data[:end])
        if one.start() >= wide
    ]
    head = [Field(0, ">6s"), *fields(6, "<BB" + ("H" if wide == 10 else "I"))]
    return [Piece(bytearray(data[:end]), head + words, None, "header"), Piece(bytearray(data[end:]))]


def mend_npy(pieces: Pieces) -> None:
    """Make the length of the header right."""
    for piece in pieces:
        if piece.name == "header" and len(piece.data) >= 12:
            wide = 10 if piece.data[6] == 1 else 12
            piece.data[8:wide] = struct.pack("<H" if wide == 10 else "<I", (len(piece.data) - wide) & 0xFFFF)


def header(pieces: Pieces, rng: random.Random) -> None:
    """Say another kind of numbers, another shape, or another order."""
    for piece in pieces:
        if piece.name == "header":
            said = re.sub(
                rb"'descr': '[^']*'", b"'descr': '%s'" % rng.choice(_KINDS).encode(), bytes(piece.data), count=rng.randrange(2)
            )
            said = (
                re.sub(rb"'shape': \([^)]*\)", b"'shape': " + rng.choice(_SHAPES).encode(), said, count=1)
                if rng.random() < 0.6
                else said
            )
            said = said.replace(b"False", rng.choice((b"True", b"1", b"False", b"x"))) if rng.random() < 0.3 else said
            piece.data[:] = said
            piece.fields = piece.fields[:4]


def npy() -> list[Original]:
    """Arrays of several kinds, with labels beside them, and labels beside arrays."""
    beside = [("{:06d}_y.npy", saved(LABELS))]
    kinds = [
        (npy_pieces(PIXELS), ()),
        (npy_pieces(COLOR, (2, 0)), ()),
        (npy_pieces(np.asfortranarray(COLOR)), ()),
        (npy_pieces(COLOR.astype(">f4") / 255), (("range", (0.0, 1.0)),)),
        (npy_pieces(PIXELS.astype("<u2") * 257, (3, 0)), (("levels", 65535),)),
    ]
    found = [
        Original("{:06d}_x.npy", pieces, mend_npy, damages=(header,), beside=beside, options=options) for pieces, options in kinds
    ]
    pictures = [("{:06d}_x.npy", saved(PIXELS))]
    for labels in (LABELS.astype(np.int64), LABELS.astype("<U2"), np.stack([LABELS] * 2, 1)):
        options = (("label_column", 0),) if labels.ndim == 2 else ()
        found.append(Original("{:06d}_y.npy", npy_pieces(labels), mend_npy, damages=(header,), beside=pictures, options=options))
    found.append(Original("{:06d}_x.npy", npy_pieces(PIXELS), mend_npy, damages=(header,)))
    return found


def saved(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def npz() -> list[Original]:
    """Archives whose directory is damaged, and sound ones around a damaged array."""
    found = []
    for save, arrays in ((np.savez, {"x": PIXELS, "y": LABELS}), (np.savez_compressed, {"x_train": COLOR, "y_train": LABELS})):
        stream = io.BytesIO()
        save(stream, **arrays)
        pieces = archives.zip_pieces(stream.getvalue())
        for piece in pieces:  # without the time of day
            if piece.name in ("PK\3\4", "PK\1\2"):
                at = 10 if piece.name == "PK\3\4" else 12
                piece.data[at : at + 4] = bytes(4)
        found.append(Original("{:06d}.npz", pieces, archives.mend_zip))
    for first, damaged in (("y", npy_pieces(PIXELS)), ("x", npy_pieces(LABELS)), ("y", npy_pieces(COLOR))):
        sound = saved(LABELS if first == "y" else PIXELS)
        inside = "x" if first == "y" else "y"
        pack = lambda data, first=first, sound=sound, inside=inside: _zipped({f"{first}.npy": sound, f"{inside}.npy": data})
        found.append(Original("{:06d}.npz", damaged, mend_npy, pack, damages=(header,)))
    return found


def _zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return stream.getvalue()


def mat() -> list[Original]:
    """MATLAB's version 5: packed or not, of both orders of bytes; and version 4."""
    found = []
    turned = np.moveaxis(COLOR, 0, -1)
    for packed in (False, True):
        stream = io.BytesIO()
        scipy.io.savemat(
            stream, {"X": turned, "y": LABELS[:, None], "s": "text", "c": np.array([{"a": 1}], object)}, do_compression=packed
        )
        data = b"MATLAB 5.0 MAT-file".ljust(116) + stream.getvalue()[116:]  # without the time of day
        pieces = _elements(data)
        found.append(Original("{:06d}.mat", pieces, _mend_mat, damages=(inflated,) if packed else ()))
    found.append(Original("{:06d}.mat", _swapped(), _mend_mat))
    stream = io.BytesIO()
    scipy.io.savemat(stream, {"X": PIXELS[0], "y": LABELS[:, None]}, format="4")
    found.append(plain("{:06d}.mat", stream.getvalue(), fields(0, "<IIIII"), beside=[]))
    return found


def _elements(data: bytes, order: str = "<") -> Pieces:
    """The header and the elements of a version 5 file, with fields for all that is nested in them."""
    head = [Field(0, "text", 6), Field(124, order + "H"), Field(126, ">2s"), Field(116, order + "Q")]
    pieces, at = [Piece(bytearray(data[:128]), head)], 128
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(order + "II", data, at)
        piece = Piece(bytearray(data[at : at + 8 + size]), _tags(data[at : at + 8 + size], 0, 8 + size, order), None, "element")
        if kind == 15:
            piece.packed, piece.fields = (8, 8 + size), fields(0, order + "II")
        pieces.append(piece)
        at += 8 + size
    return pieces


def _tags(data: bytes, at: int, stop: int, order: str) -> list[Field]:
    found = []
    while at + 8 <= stop:
        kind, size = struct.unpack_from(order + "II", data, at)
        if kind >> 16:  # a small element: its size and kind share a word
            found += fields(at, order + "HHI")
            at += 8
            continue
        found += fields(at, order + "II")
        if kind == 14:
            found += _tags(data, at + 8, at + 8 + size, order)
        else:
            found += fields(at + 8, order + "I" * min(size // 4, 6))
        at += 8 + size + (-size % 8)
    return [each for each in found if each.stop <= stop]


def _mend_mat(pieces: Pieces) -> None:
    for piece in pieces:
        if piece.name == "element" and len(piece.data) >= 8:
            order = ">" if piece.data[0] == 0 else "<"  # kinds are small numbers
            piece.data[4:8] = struct.pack(order + "I", len(piece.data) - 8)


def inflated(pieces: Pieces, rng: random.Random) -> None:
    """Damage fields of what is packed, and pack it once more."""
    packed = [piece for piece in pieces if piece.packed and piece.name == "element"]
    if not packed:
        return
    piece = rng.choice(packed)
    try:
        data = bytearray(zlib.decompress(bytes(piece.data[8:])))
        places = _tags(bytes(data), 0, len(data), "<")
        for _ in range(rng.randint(1, 2)):
            one = rng.choice(places)
            data[one.at : one.stop] = rng.choice((0, 1, 5, 6, 8, 14, 15, 255, 2**31, 2**32 - 1)).to_bytes(8, "little")[
                : one.stop - one.at
            ]
    except (zlib.error, IndexError, struct.error):
        return
    piece.data[:] = b"\x0f\0\0\0" + struct.pack("<I", len(zlib.compress(bytes(data)))) + zlib.compress(bytes(data))
    piece.packed = (8, len(piece.data))


def _swapped() -> Pieces:
    """A file of the other order of bytes, with one array of pictures."""
    turned = np.moveaxis(PIXELS, 0, -1)
    element = lambda kind, body: struct.pack(">II", kind, len(body)) + body + bytes(-len(body) % 8)
    shape = struct.pack(">iii", *turned.shape)
    body = element(6, struct.pack(">II", 9, 0)) + element(5, shape) + element(1, b"X") + element(2, turned.tobytes(order="F"))
    data = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(">H2s", 0x0100, b"MI") + element(14, body)
    return _elements(data, ">")
