"""The tf.Examples of pictures."""

from __future__ import annotations

import functools
import struct
from typing import NamedTuple

from common.features import PREFIX


class Row(NamedTuple):
    """The values of an example."""

    encoded: bytes  # a picture file's bytes in a form that TensorFlow reads
    format: str  # their format: png, jpeg, gif or bmp
    reencoded_from: str  # the original format if `encoded` was made from it; '' if the file is unchanged
    label: str  # its label; '' for none
    path: str  # its source, printable
    sha256: str  # the hash of its pixels, as hexadecimal digits
    height: int
    width: int
    channels: int  # 1 (gray), 2 (gray, alpha), 3 (color) or 4 (color, alpha)
    mean: float  # mean of its levels, 0 to 255
    std: float  # standard deviation of its levels
    exposure: str  # one of `pictures.EXPOSURES`


def serialize(row: Row) -> bytes:
    """Serialize a picture as tf.Example, with one value for every feature; equal pictures give equal bytes.

    The result has the same bytes as `tf.train.Example.SerializeToString(deterministic=True)`, in a thirtieth of the time: creating
    a message per feature takes longer than decoding a small picture. Parts that most pictures share are cached. A feature's name is
    `image/` and the field's name; integers are int64_list, `mean` and `std` float_list, all others bytes_list.
    """
    shared = (row.channels, row.exposure, row.format, row.height, row.label, row.reencoded_from, row.width)
    channels, exposure_to_label, reencoded_from, width = _shared(*shared)
    path, sha256 = row.path.encode(), row.sha256.encode()
    features = (  # in the order of their names, as in deterministic serialization
        channels,
        _before("encoded", _BYTES_LIST, len(row.encoded)),
        row.encoded,
        exposure_to_label,
        _before("mean", _FLOAT_LIST, 4),
        _FLOAT.pack(row.mean),
        _before("path", _BYTES_LIST, len(path)),
        path,
        reencoded_from,
        _before("sha256", _BYTES_LIST, len(sha256)),
        sha256,
        _before("std", _FLOAT_LIST, 4),
        _FLOAT.pack(row.std),
        width,
    )
    return b"".join((_FIRST, _varint(sum(map(len, features))), *features))


# Tags of length-delimited fields: the field number times 8, plus 2 (protobuf.dev/programming-guides/encoding).
_FIRST, _SECOND = b"\x0a", b"\x12"
_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = b"\x0a", b"\x12", b"\x1a"  # the fields of tf.train.Feature
_FLOAT = struct.Struct("<f")


@functools.lru_cache(maxsize=1 << 12)
def _shared(channels: int, exposure: str, kind: str, height: int, label: str, reencoded_from: str, width: int) -> tuple[bytes, ...]:
    """Return the features that many pictures share: those before `encoded`, before `mean`, before `sha256` and the last."""
    middle = _text("exposure", exposure) + _text("format", kind) + _number("height", height) + _text("label", label)
    return _number("channels", channels), middle, _text("reencoded_from", reencoded_from), _number("width", width)


def _text(name: str, value: str) -> bytes:
    data = value.encode()
    return _before(name, _BYTES_LIST, len(data)) + data


def _number(name: str, value: int) -> bytes:
    data = _varint(value)
    return _before(name, _INT64_LIST, len(data)) + data


@functools.lru_cache(maxsize=1 << 12)
def _before(name: str, kind: bytes, size: int) -> bytes:
    """Return the bytes before a value of `size` bytes in an entry of the map in `tf.train.Features`.

    An entry is a key and a `tf.train.Feature`, which holds a list, which holds the value: packed numbers and one text alike.
    """
    value = _FIRST + _varint(size)
    feature = kind + _varint(len(value) + size) + value
    key = f"{PREFIX}{name}".encode()
    entry = _FIRST + _varint(len(key)) + key + _SECOND + _varint(len(feature) + size) + feature
    return _FIRST + _varint(len(entry) + size) + entry


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)
