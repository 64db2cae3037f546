"""Read BMP files that Pillow does not: unusual masks, 2 bits, long color tables, gaps in run lengths (learn.microsoft.com, GDI)."""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np

from serving.picture_files import reasons
from serving.picture_files.base import Refused, check_size, damaged

_RGB, _RLE8, _RLE4, _MASKS, _MASKS_ALPHA = 0, 1, 2, 3, 6  # values of `compression`


class _Header(NamedTuple):
    pixels_at: int
    size: int
    width: int
    height: int
    bits: int
    compression: int
    used: int


def read_bmp(data: bytes, max_megapixels: float) -> np.ndarray:
    """Decode a BMP file to uint8 [height, width, 3 or 4].

    Raises:
        Refused: The file is too large, damaged, or of an unsupported kind.
    """
    header = _header(data)
    height = abs(header.height)
    check_size((header.width, height), max_megapixels)
    if header.bits not in (1, 2, 4, 8, 16, 24, 32) or header.compression not in (_RGB, _RLE8, _RLE4, _MASKS, _MASKS_ALPHA):
        raise Refused(reasons.BMP_KIND)
    if header.compression in (_RLE8, _RLE4):
        pixels = _palette(data, header)[_run_lengths(data, header)]
    else:
        rows = _rows(data, header)
        pixels = _palette(data, header)[_indices(rows, header)] if header.bits <= 8 else _masked(data, rows, header)
    return pixels if header.height < 0 else pixels[::-1]


def _header(data: bytes) -> _Header:
    pixels_at, size = struct.unpack_from("<II", data, 10)
    if size == 12:  # OS/2
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        return _Header(pixels_at, size, width, height, bits, _RGB, 0)
    width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    return _Header(pixels_at, size, width, height, bits, compression, struct.unpack_from("<I", data, 46)[0] if size >= 36 else 0)


def _rows(data: bytes, header: _Header) -> np.ndarray:
    length, height = (header.width * header.bits + 31) // 32 * 4, abs(header.height)
    if len(data) - header.pixels_at < length * height:
        raise damaged("bmp")
    return np.frombuffer(data, np.uint8, length * height, header.pixels_at).reshape(height, length)


def _indices(rows: np.ndarray, header: _Header) -> np.ndarray:
    if header.bits == 8:
        return rows[:, : header.width]
    shifts = np.arange(8 - header.bits, -1, -header.bits, dtype=np.uint8)
    return (rows[..., np.newaxis] >> shifts & 2**header.bits - 1).reshape(len(rows), -1)[:, : header.width]


def _palette(data: bytes, header: _Header) -> np.ndarray:
    """Return the color table, uint8 [256, 3]; missing entries are black."""
    entry = 3 if header.size == 12 else 4
    start = 14 + header.size
    count = min(header.used or 2**header.bits, max(header.pixels_at - start, 0) // entry, 256)
    entries = np.frombuffer(data, np.uint8, count * entry, start).reshape(count, entry)
    palette = np.zeros((256, 3), np.uint8)
    palette[:count] = entries[:, 2::-1]
    return palette


def _masked(data: bytes, rows: np.ndarray, header: _Header) -> np.ndarray:
    """Return colors stored as bit fields of a 16, 24 or 32-bit number."""
    size = header.bits // 8
    if size == 3:
        return rows[:, : 3 * header.width].reshape(len(rows), -1, 3)[..., ::-1]
    numbers = np.ascontiguousarray(rows[:, : size * header.width]).view(f"<u{size}").astype(np.uint32)
    masks = (0x7C00, 0x3E0, 0x1F) if size == 2 else (0xFF0000, 0xFF00, 0xFF)
    if header.compression != _RGB:
        alpha = header.compression == _MASKS_ALPHA or header.size >= 56
        masks = struct.unpack_from("<4I" if alpha else "<3I", data, 54)
        masks = masks if masks[-1] or not alpha else masks[:3]
    return np.stack([_channel(numbers, mask) for mask in masks], axis=-1)


def _channel(numbers: np.ndarray, mask: int) -> np.ndarray:
    """Return the bits of a mask, scaled to 0 to 255."""
    shift = (mask & -mask).bit_length() - 1
    top = mask >> max(shift, 0)
    if not mask or top & (top + 1):
        raise Refused(reasons.BMP_KIND)
    return ((((numbers & mask) >> shift).astype(np.uint64) * 510 + top) // (2 * top)).astype(np.uint8)


def _run_lengths(data: bytes, header: _Header) -> np.ndarray:
    """Return the color indices of a run-length encoded picture; skipped pixels are 0."""
    width, height, four = header.width, abs(header.height), header.compression == _RLE4
    indices = np.zeros((height, width), np.uint8)
    at, x, y, runs = header.pixels_at, 0, 0, 0
    while y < height:
        runs += 1
        if at + 2 > len(data) or runs > 2 * (width + 1) * height:
            raise damaged("bmp")
        count, value = data[at], data[at + 1]
        at += 2
        if count == 0 and value == 0:
            x, y = 0, y + 1
        elif count == 0 and value == 1:
            break
        elif count == 0 and value == 2:
            if at + 2 > len(data):
                raise damaged("bmp")
            x, y, at = x + data[at], y + data[at + 1], at + 2
        else:
            number = count or value
            length = 1 if count else (number + 1) // 2 if four else number
            part = bytes((value,)) if count else data[at : at + length]
            run = np.frombuffer(part, np.uint8)
            run = np.stack([run >> 4, run & 15], axis=1).reshape(-1) if four else run
            run = np.resize(run, number)[: max(width - x, 0)]
            indices[y, x : x + len(run)] = run
            x += number
            at += 0 if count else length + length % 2  # padded to an even number of bytes
    return indices
