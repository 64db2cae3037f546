"""Read PBM, PGM and PPM files (text or binary) and PFM files (floats) (netpbm.sourceforge.net/doc)."""

from __future__ import annotations

import re

import numpy as np

from serving.picture_files.base import check_size, damaged
from serving.picture_files.samples import Samples

_SPACE = rb"(?:\s|#[^\n\r]*[\n\r])"
_SIZE = re.compile(rb"P(.)" + _SPACE + rb"+(\d{1,9})" + _SPACE + rb"+(\d{1,9})")
_WHITE = re.compile(_SPACE + rb"+(\d{1,5})(?:#[^\n\r]*)?\s")
_BITS_BEGIN = re.compile(rb"(?:#[^\n\r]*)?\s")
_FLOATS_BEGIN = re.compile(rb"\s+([-+]?[0-9.eE+-]{1,40})\s")
_COMMENT = re.compile(rb"#[^\n\r]*")


def netpbm_header(data: bytes) -> tuple[int, int, int]:
    """Return a file's width, height and channels."""
    header = _SIZE.match(data)
    if header is None:
        raise damaged("pnm" if data[1:2].isdigit() else "pfm")
    return int(header[2]), int(header[3]), 3 if header[1] in b"36F" else 1


def read_netpbm(data: bytes, max_megapixels: float) -> Samples:
    """Read the first picture of a PBM, PGM, PPM or PFM file."""
    width, height, channels = netpbm_header(data)
    check_size((width, height), max_megapixels)
    kind, shape = data[1:2], (height, width, channels)
    at = _SIZE.match(data).end()
    if kind in b"fF":
        return Samples(_floats(data, at, shape), 0)
    begin = (_BITS_BEGIN if kind in b"14" else _WHITE).match(data, at)
    if begin is None:
        raise damaged("pnm")
    white = 1 if kind in b"14" else int(begin[1])
    if not 0 < white < 65536:
        raise damaged("pnm")
    if kind in b"14":
        read = _bit_text if kind == b"1" else _bits
        return Samples(1 - read(data, begin.end(), shape), 1)
    levels = (_text if kind in b"23" else _bytes)(data, begin.end(), shape, white)
    return Samples(np.minimum(levels, white), white)  # levels above the file's own white are clipped, as in Pillow


def _text(data: bytes, at: int, shape: tuple[int, int, int], white: int) -> np.ndarray:
    count = int(np.prod(shape))
    text = _COMMENT.sub(b" ", data[at:]) if b"#" in data[at:] else data[at:]
    if re.search(rb"[^\s\d]", text):
        raise damaged("pnm")
    levels = np.fromstring(text, np.int64, sep=" ")[:count]  # without fromstring's `count`, which leaves missing values undefined
    if levels.size < count:
        raise damaged("pnm")
    return levels.reshape(shape)


def _bytes(data: bytes, at: int, shape: tuple[int, int, int], white: int) -> np.ndarray:
    return _whole(data, at, np.dtype(np.uint8 if white < 256 else ">u2"), int(np.prod(shape))).reshape(shape)


def _bit_text(data: bytes, at: int, shape: tuple[int, int, int]) -> np.ndarray:
    digits = _COMMENT.sub(b" ", data[at:]).translate(None, b" \t\r\n\v\f")
    bits = _whole(digits, 0, np.dtype(np.uint8), int(np.prod(shape))) - ord("0")
    if bits.max() > 1:
        raise damaged("pnm")
    return bits.reshape(shape)


def _bits(data: bytes, at: int, shape: tuple[int, int, int]) -> np.ndarray:
    height, width, _ = shape
    row = -(-width // 8)
    packed = _whole(data, at, np.dtype(np.uint8), height * row).reshape(height, row)
    return np.unpackbits(packed, axis=1)[:, :width, np.newaxis]


def _floats(data: bytes, at: int, shape: tuple[int, int, int]) -> np.ndarray:
    begin = _FLOATS_BEGIN.match(data, at)
    if begin is None:
        raise damaged("pfm")
    order = "<" if float(begin[1]) < 0 else ">"
    return _whole(data, begin.end(), np.dtype(f"{order}f4"), int(np.prod(shape)), "pfm").reshape(shape)[::-1]  # bottom row first


def _whole(data: bytes, at: int, kind: np.dtype, count: int, name: str = "pnm") -> np.ndarray:
    if len(data) - at < count * kind.itemsize:
        raise damaged(name)
    return np.frombuffer(data, kind, count, at)
