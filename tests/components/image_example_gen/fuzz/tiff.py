"""TIFF: tags, their types, counts, values and offsets; directories that lead to each other; strips, tiles, BigTIFF."""

from __future__ import annotations

import random
import struct

import numpy as np
from PIL import Image

from tests.components.image_example_gen.fuzz.damage import Field, Original, Pieces, plain
from tests.serving.picture_files.made import ADOBE_RGB, profile, saved, tiff

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8, 17: 8, 18: 8}
_KINDS = {3: "H", 4: "I", 8: "H", 9: "I", 11: "f", 12: "d", 16: "Q", 17: "Q", 18: "Q"}
_TAGS = (
    254,
    256,
    257,
    258,
    259,
    262,
    266,
    273,
    274,
    277,
    278,
    279,
    284,
    292,
    297,
    317,
    320,
    322,
    323,
    324,
    325,
    330,
    332,
    338,
    339,
)
_TAGS += (340, 347, 512, 513, 514, 519, 529, 530, 532, 700, 33723, 34377, 34665, 34675, 34853, 50706)
_LEADS = (330, 34665, 34853)
_SHAPES = {False: ("H", 2, "HHI", 12, "I", 4), True: ("Q", 8, "HHQ", 20, "Q", 8)}  # of directories, small and big


def directories(data: bytes) -> tuple[str, bool, list[int]]:
    """The order of bytes, whether it is BigTIFF, and where directories begin."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    count_kind, count_size, _, entry, word, width = _SHAPES[big]
    waiting, found = [struct.unpack_from(order + word, data, 8 if big else 4)[0]], []
    while waiting:
        at = waiting.pop(0)
        if not at or at in found or at + count_size > len(data):
            continue
        found.append(at)
        (count,) = struct.unpack_from(order + count_kind, data, at)
        for number in range(count):
            place = at + count_size + entry * number
            if struct.unpack_from(order + "H", data, place)[0] in _LEADS:
                waiting.append(struct.unpack_from(order + word, data, place + entry - width)[0])
        waiting.append(struct.unpack_from(order + word, data, at + count_size + entry * count)[0])
    return order, big, found


def fields_of(data: bytes) -> list[Field]:
    """All that a TIFF file says: its header, its directories, and the values that lie elsewhere."""
    order, big, places = directories(data)
    count_kind, count_size, _, entry, word, width = _SHAPES[big]
    found = [Field(0, ">2s"), Field(2, order + "H"), Field(8 if big else 4, order + word)]
    found += [Field(4, order + "H")] if big else []
    for at in places:
        found.append(Field(at, order + count_kind))
        (count,) = struct.unpack_from(order + count_kind, data, at)
        for number in range(count):
            place = at + count_size + entry * number
            kind, values = struct.unpack_from(f"{order}H{word}", data, place + 2) if not big else _kind(order, data, place)
            found += [Field(place, order + "H"), Field(place + 2, order + "H"), Field(place + 4, order + word)]
            size, letter, value = _SIZES.get(kind, 1) * values, _KINDS.get(kind, "B"), place + entry - width
            found.append(Field(value, order + (letter if size <= width else word)))
            start = value if size <= width else struct.unpack_from(order + word, data, value)[0]
            step = struct.calcsize(order + letter)
            found += [
                Field(start + step * n, order + letter) for n in range(min(values, 24)) if start + step * (n + 1) <= len(data)
            ]
        found.append(Field(at + count_size + entry * count, order + word))
    return [each for each in found if each.stop <= len(data)]


def _kind(order: str, data: bytes, place: int) -> tuple[int, int]:
    return struct.unpack_from(order + "H", data, place + 2)[0], struct.unpack_from(order + "Q", data, place + 4)[0]


def _directory(pieces: Pieces, rng: random.Random) -> tuple[bytearray, str, bool, int, int] | None:
    """A directory that is sound enough to find its entries: the file, order, whether it is big, where, and how many entries."""
    try:
        data = pieces[0].data
        order, big, places = directories(bytes(data))
        at = rng.choice(places)
        (count,) = struct.unpack_from(order + _SHAPES[big][0], data, at)
        return (data, order, big, at, count) if 0 < count < 60 else None
    except (IndexError, struct.error):
        return None


def cycle(pieces: Pieces, rng: random.Random) -> None:
    """Let a directory lead to itself, to another, or to any place."""
    found = _directory(pieces, rng)
    if found:
        data, order, big, at, count = found
        _, count_size, _, entry, word, width = _SHAPES[big]
        place = at + count_size + entry * count
        target = rng.choice((at, 8, place, len(data) - 2, len(data), rng.randrange(len(data))))
        if place + width <= len(data):
            data[place : place + width] = struct.pack(order + word, target)


def tags(pieces: Pieces, rng: random.Random) -> None:
    """Swap two entries, put one in another's place, or give one another tag."""
    found = _directory(pieces, rng)
    if not found:
        return
    data, order, big, at, count = found
    _, count_size, _, entry, _, _ = _SHAPES[big]
    one, two = (at + count_size + entry * rng.randrange(count) for _ in range(2))
    first, second, how = bytes(data[one : one + entry]), bytes(data[two : two + entry]), rng.randrange(3)
    if two + entry > len(data) or one + entry > len(data):
        return
    if how == 2:
        data[one : one + 2] = struct.pack(order + "H", rng.choice(_TAGS))
        return
    data[two : two + entry] = first
    if how == 0:
        data[one : one + entry] = second


def originals() -> list[Original]:
    """A small file of every kind."""
    rng = np.random.default_rng(5)
    levels = rng.integers(0, 256, (9, 10, 3), np.uint8)
    deep, real = rng.integers(0, 65536, (9, 10, 3), np.uint16), rng.random((9, 10, 3)).astype(np.float32)
    color = Image.fromarray(levels)
    pages = {"save_all": True, "append_images": [color.rotate(90), color.convert("L")]}
    files = [
        *(saved(color, "TIFF", compression=how) for how in (None, "tiff_lzw", "jpeg", "packbits", "tiff_adobe_deflate")),
        saved(color.convert("1"), "TIFF", compression="group4"),
        saved(color.convert("1"), "TIFF", compression="group3"),
        saved(color.convert("CMYK"), "TIFF"),
        saved(color.quantize(16), "TIFF"),
        saved(color.convert("F"), "TIFF"),
        saved(color.convert("I"), "TIFF", compression="tiff_lzw"),
        saved(color, "TIFF", icc_profile=profile(ADOBE_RGB, 2.2), big_tiff=True),
        *(tiff(levels, order=order, tile=tile, planar=planar) for order in "<>" for tile, planar in ((0, 1), (16, 2), (0, 2))),
        *(tiff(deep, order=order, compression=8, predictor=2) for order in "<>"),
        tiff(real, sample_format=3, tile=16, compression=8, predictor=3),
        tiff(real.astype(np.float64), sample_format=3),
        tiff(deep.astype(np.uint32), sample_format=1),
    ]
    found = [(data, ()) for data in files] + [(saved(color, "TIFF", **pages), how) for how in ((), (("pages", "all"),))]
    deeper = (("depth", 16), ("range", (0.0, 1.0)))
    found += [(data, deeper) for data in files[-5:]]
    return [plain("{:06d}.tif", data, fields_of(data), damages=(cycle, tags), options=options) for data, options in found]
