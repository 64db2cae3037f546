"""Read and write 16-bit PNG files; Pillow supports them only in gray."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from serving.picture_files.pillow import opened

_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by channels (PNG specification, table 11.1)


def write_png(levels: np.ndarray) -> bytes:
    """Encode levels as PNG: uint8 or uint16 [height, width, channels]. Equal levels give equal bytes.

    The channels are 1 (gray), 2 (gray, alpha), 3 (color) or 4 (color, alpha).
    """
    height, width, channels = levels.shape
    bits = 8 * levels.itemsize
    rows = np.ascontiguousarray(levels.astype(f">u{levels.itemsize}")).view(np.uint8).reshape(height, -1)
    filtered = np.empty((height, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = 2  # filter "Up": each byte minus the byte above; compresses smooth pictures well
    filtered[:1, 1:] = rows[:1]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, bits, _COLOR_TYPES[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def read_deep_png(data: bytes, max_megapixels: float) -> np.ndarray:
    """Decode a 16-bit PNG as uint16 [height, width, 1 to 4 channels]; a transparent level or color becomes alpha.

    Pillow returns the upper bytes of color levels by default, and the lower bytes on request.
    """
    color_type = data[25]
    if color_type == 4:  # gray with alpha takes four bytes a pixel, like 8-bit color with alpha
        header = data[16:24] + b"\x08\x06" + data[26:29]
        data = data[:8] + _chunk(b"IHDR", header) + data[33:]
        return _pixels(data, max_megapixels, None).copy().view(">u2").astype(np.uint16)
    if color_type == 0:
        levels = _pixels(data, max_megapixels, None)
        levels = levels[..., np.newaxis].astype(np.uint16)
    else:
        mode = "RGBA" if color_type == 6 else "RGB"
        upper, lower = (_pixels(data, max_megapixels, f"{mode};16{end}") for end in "BL")
        levels = upper.astype(np.uint16) << 8 | lower
    with opened(data, "png", max_megapixels) as image:
        image.load()
        key = image.info.get("transparency")
    if key is None or levels.shape[2] not in (1, 3):
        return levels
    opaque = (levels != np.array(key)).any(axis=2, keepdims=True)
    return np.concatenate([levels, 65535 * opaque.astype(np.uint16)], axis=2)


def _pixels(data: bytes, max_megapixels: float, rawmode: str | None) -> np.ndarray:
    with opened(data, "png", max_megapixels) as image:
        if rawmode is not None:
            image.tile = [tile._replace(args=rawmode) for tile in image.tile]
        return np.asarray(image)
