"""The tf.Examples of pictures."""

from __future__ import annotations

import functools
import struct
from typing import NamedTuple


class Row(NamedTuple):
    """What an example says of a picture.

    Attributes:
        encoded: A picture file's bytes, as TensorFlow reads them.
        format: Their format: png, jpeg, gif or bmp.
        reencoded_from: The format in which the picture was found where `encoded` was made from it; '' where it is as found.
        label: Its label; '' where there is none.
        path: Where it came from, printable.
        sha256: The hash of its pixels, as hexadecimal digits.
        height: Of the picture.
        width: Of the picture.
        channels: 1 (grey), 2 (grey, alpha), 3 (colour) or 4 (colour, alpha).
        mean: Of its levels, 0 to 255.
        std: Their standard deviation.
        exposure: One of `pictures.EXPOSURES`.
    """

    encoded: bytes
    format: str
    reencoded_from: str
    label: str
    path: str
    sha256: str
    height: int
    width: int
    channels: int
    mean: float
    std: float
    exposure: str


def serialize(row: Row) -> bytes:
    """A picture as a serialised tf.Example, every feature present with one value; equal pictures give equal bytes.

    It writes the bytes that `tf.train.Example.SerializeToString(deterministic=True)` would, in a tenth of the time: a message
    for each feature costs more than to decode a small picture.

    Args:
        row: What it says; the features are called `image/` and the field's name.

    Returns:
        A tf.Example: whole numbers as int64_list, `mean` and `std` as float_list, all others as bytes_list.
    """
    return _delimited(_FIRST, b"".join([entry(place, row[place]) for place, entry in _ENTRIES]))


def _entry(place: int, value: int | float | bytes | str) -> bytes:
    """A feature as an entry of the map that `tf.train.Features` is."""
    if type(value) is int:
        kind, values = _INT64_LIST, _varint(value)
    elif type(value) is float:
        kind, values = _FLOAT_LIST, struct.pack("<f", value)
    else:
        kind, values = _BYTES_LIST, value if type(value) is bytes else value.encode()
    inner = _delimited(_FIRST, values)  # packed numbers and a single text look alike
    return _delimited(_FIRST, _KEYS[place] + _delimited(_SECOND, _delimited(kind, inner)))


# Tags of length-delimited fields: the number of the field times 8, plus 2 (protobuf.dev/programming-guides/encoding).
_FIRST, _SECOND = b"\x0a", b"\x12"
_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = b"\x0a", b"\x12", b"\x1a"  # the fields of tf.train.Feature


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _delimited(tag: bytes, content: bytes) -> bytes:
    size = len(content)
    return tag + (bytes((size,)) if size < 128 else _varint(size)) + content


_KEYS = [_delimited(_FIRST, f"image/{name}".encode()) for name in Row._fields]
_OWN = {"encoded", "path", "sha256", "mean", "std"}  # what differs from picture to picture; the rest is remembered
_remembered = functools.lru_cache(maxsize=1 << 12)(_entry)
# In the order of the features' names, as deterministic serialisation has them.
_ENTRIES = [(Row._fields.index(name), _entry if name in _OWN else _remembered) for name in sorted(Row._fields)]
