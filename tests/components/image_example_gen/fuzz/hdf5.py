"""HDF5: superblocks, headers of objects and their messages, trees, heaps, in the old and the new layout with its checksums."""

from __future__ import annotations

import io
import re
import struct

import h5py
import numpy as np

from tests.components.image_example_gen.fuzz.damage import Field, Original, Piece, Pieces, words

_RNG = np.random.default_rng(10)
_PIXELS, _LABELS = _RNG.integers(0, 256, (6, 5, 4, 3), np.uint8), np.arange(6) % 3
_BLOCKS = re.compile(rb"TREE|HEAP|SNOD|GCOL|OHDR|OCHK|FRHP|FHDB|FHIB|BTHD|BTLF|BTIN|FAHD|FADB|EAHD|EAIB|EADB|SMTB")
_SUMMED = (b"OHDR",)


def _rotated(value: int, by: int) -> int:
    return (value << by | value >> 32 - by) & 0xFFFFFFFF


def lookup3(data: bytes) -> int:
    """Bob Jenkins' hash, which the new layout has for a checksum (lookup3.c, hashlittle)."""
    a = b = c = (0xDEADBEEF + len(data)) & 0xFFFFFFFF
    if not data:
        return c
    whole = data + bytes(-len(data) % 12)
    blocks = [struct.unpack_from("<III", whole, at) for at in range(0, len(whole), 12)]
    for number, (x, y, z) in enumerate(blocks):
        a, b, c = (a + x) & 0xFFFFFFFF, (b + y) & 0xFFFFFFFF, (c + z) & 0xFFFFFFFF
        if number < len(blocks) - 1:
            for first, by in ((0, 4), (1, 6), (2, 8), (0, 16), (1, 19), (2, 4)):
                a, b, c = _mix(a, b, c, first, by)
    for first, by in ((0, 14), (1, 11), (2, 25), (0, 16), (1, 4), (2, 14), (0, 24)):
        found = [a, b, c]
        changed, other = ((2, 1), (0, 2), (1, 0))[first]
        found[changed] = ((found[changed] ^ found[other]) - _rotated(found[other], by)) & 0xFFFFFFFF
        a, b, c = found
    return c


def _mix(a: int, b: int, c: int, first: int, by: int) -> tuple[int, int, int]:
    found = [a, b, c]
    changed, other, summed = first, (first + 2) % 3, (first + 1) % 3
    found[changed] = ((found[changed] - found[other]) & 0xFFFFFFFF) ^ _rotated(found[other], by)
    found[other] = (found[other] + found[summed]) & 0xFFFFFFFF
    return found[0], found[1], found[2]


def _summed_spans(data: bytes) -> list[tuple[int, int]]:
    """Where checksums of the new layout lie: what is summed begins and ends there, and the sum follows."""
    found = []
    if data[:8] == b"\x89HDF\r\n\x1a\n" and data[8] in (2, 3):
        found.append((0, 44))
    for one in re.finditer(b"OHDR", data):
        at = one.start()
        if at + 40 > len(data):
            continue
        flags = data[at + 5]
        head = 6 + 16 * bool(flags & 32) + 4 * bool(flags & 16) + (1 << (flags & 3))
        size = int.from_bytes(data[at + head - (1 << (flags & 3)) : at + head], "little")
        found.append((at, at + head + size))
    return found


def mend(pieces: Pieces) -> None:
    """Make the checksums of the superblock and of headers right."""
    if len(pieces) != 1:
        return
    data = pieces[0].data
    for start, stop in _summed_spans(bytes(data)):
        if start < stop and stop + 4 <= len(data) and stop - start < 5000:
            data[stop : stop + 4] = struct.pack("<I", lookup3(bytes(data[start:stop])))


def _places(data: bytes) -> list[Field]:
    """Numbers of every size: in the superblock, and in what follows each signature and each header of an object."""
    starts = {0, *(one.start() for one in _BLOCKS.finditer(data))}
    if data[8] == 0:  # headers of the old layout have no signature: symbol tables say where they are
        starts |= {
            at
            for at in range(0, len(data) - 16, 8)
            if data[at] == 1 and data[at + 1] == 0 and 0 < data[at + 2] < 20 and data[at + 4] < 4
        }
    return [place for start in sorted(starts) for place in words(start + start % 2, min(start + 120, len(data)))]


def _written(latest: bool, **options: object) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w", libver="latest" if latest else "earliest") as file:
        file.create_dataset("images", data=_PIXELS, **options)
        file["labels"] = _LABELS
        file["labels"].attrs["names"] = ["cat", "dog", "horse"]
    return stream.getvalue()


def _of_text() -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["train/images"] = _PIXELS
        file.create_dataset("train/labels", data=["cat", "dog", "horse"] * 2, dtype=h5py.string_dtype())
    return stream.getvalue()


def originals() -> list[Original]:
    """Files of both layouts: contiguous, in chunks, packed; labels as numbers and as text."""
    packed = {"chunks": (2, 5, 4, 3), "compression": "gzip", "shuffle": True}
    datas = [_written(False), _written(False, **packed), _written(True), _written(True, **packed, fletcher32=True), _of_text()]
    return [Original("{:06d}.h5", [Piece(bytearray(data), _places(data))], mend) for data in datas]
