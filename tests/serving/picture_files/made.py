"""Picture files that no library here writes, made by their specifications."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))  # primaries, x and y
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
D65, D50 = (0.3127, 0.3290), np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def saved(image: Image.Image | np.ndarray, kind: str, **options: object) -> bytes:
    """A picture as a file that Pillow writes."""
    buffer = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(buffer, kind, **options)
    return buffer.getvalue()


def to_xyz(primaries: tuple) -> np.ndarray:
    """The matrix from linear RGB, with a white of D65, to XYZ adapted to D50 (lindbloom.com)."""
    lifted = np.array([[x / y, 1, (1 - x - y) / y] for x, y in (*primaries, D65)]).T
    matrix = lifted[:, :3] * np.linalg.solve(lifted[:, :3], lifted[:, 3])
    cone = np.diag((_BRADFORD @ D50) / (_BRADFORD @ lifted[:, 3]))
    return np.linalg.inv(_BRADFORD) @ cone @ _BRADFORD @ matrix


def profile(primaries: tuple, gamma: float, space: bytes = b"RGB ", curve: bytes | None = None) -> bytes:
    """A color profile of version 2: primaries and a gamma, or the gamma of greys."""
    fixed = lambda values: b"".join(struct.pack(">i", round(float(v) * 65536)) for v in values)
    curve = curve or b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    names = [b"rXYZ", b"gXYZ", b"bXYZ"] if space == b"RGB " else []
    tags = {b"wtpt": b"XYZ " + bytes(4) + fixed(D50)}
    tags |= {name: b"XYZ " + bytes(4) + fixed(column) for name, column in zip(names, to_xyz(primaries).T, strict=False)}
    tags |= dict.fromkeys([b"rTRC", b"gTRC", b"bTRC"] if names else [b"kTRC"], curve)
    tags |= {b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78), b"cprt": b"text" + bytes(4) + b"none\0"}
    return _packed_profile(tags, b"mntr", space, b"XYZ ")


def ink_profile() -> bytes:
    """A profile of CMYK in which paper is white, and black ink, K, takes away lightness (L*) evenly; other inks do nothing."""
    corners = bytes(value for corner in range(16) for value in (0 if corner & 1 else 255, 128, 128))  # K varies fastest
    straight = bytes(range(256))
    matrix = struct.pack(">9i", *(65536 * (place % 4 == 0) for place in range(9)))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + matrix + straight * 4 + corners + straight * 3
    tags = {b"wtpt": b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in D50)), b"A2B0": table}
    tags |= {b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78), b"cprt": b"text" + bytes(4) + b"none\0"}
    return _packed_profile(tags, b"prtr", b"CMYK", b"Lab ")


def _packed_profile(tags: dict[bytes, bytes], kind: bytes, space: bytes, connection: bytes) -> bytes:
    at, table, body = 132 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += struct.pack(">4sII", name, at + len(body), len(content))
        body += content
    header = struct.pack(">I4sI4s4s4s", at + len(body), bytes(4), 0x02400000, kind, space, connection)
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + struct.pack(">3i", *(round(v * 65536) for v in D50))
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def converted(levels: np.ndarray, primaries: tuple, gamma: float, top: float) -> np.ndarray:
    """RGB levels 0 to `top` [..., 3] in sRGB, by the formulas."""
    linear = (levels / top) ** gamma @ to_xyz(primaries).T @ np.linalg.inv(to_xyz(SRGB)).T
    return top * encoded(np.clip(linear, 0, 1))


def encoded(linear: np.ndarray) -> np.ndarray:
    """Light as sRGB writes it (IEC 61966-2-1)."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _packed(block: np.ndarray, order: str, predictor: int, compression: int) -> bytes:
    written = block.astype(block.dtype.newbyteorder(order)).tobytes()
    if predictor == 2:
        words = block.copy().view(f"u{block.itemsize}")
        words[:, 1:] = words[:, 1:] - words[:, :-1]
        written = words.astype(words.dtype.newbyteorder(order)).tobytes()
    if predictor == 3:
        rows, columns, channels = block.shape
        largest_first = np.frombuffer(block.astype(block.dtype.newbyteorder(">")).tobytes(), np.uint8)
        planes = largest_first.reshape(rows, columns * channels, block.itemsize).swapaxes(1, 2)
        planes = planes.reshape(rows, block.itemsize * columns, channels).copy()
        planes[:, 1:] = planes[:, 1:] - planes[:, :-1]
        written = planes.tobytes()
    return zlib.compress(written) if compression == 8 else written


def tiff(
    levels: np.ndarray,
    *,
    order: str = "<",
    compression: int = 1,
    predictor: int = 1,
    planar: int = 1,
    tile: int = 0,
    sample_format: int = 1,
    more: dict[int, list[int]] | None = None,
) -> bytes:
    """A TIFF file of one page, by the TIFF 6.0 specification, from levels [height, width, channels]."""
    height, width, channels = levels.shape
    blocks = []
    for plane in [levels] if planar == 1 else np.split(levels, channels, axis=2):
        rows, columns = (tile, tile) if tile else (2, width)
        padded = np.pad(plane, ((0, -height % tile), (0, -width % tile), (0, 0))) if tile else plane
        corners = ((y, x) for y in range(0, len(padded), rows) for x in range(0, padded.shape[1], columns))
        blocks += [_packed(padded[y : y + rows, x : x + columns].copy(), order, predictor, compression) for y, x in corners]
    offsets = list(np.cumsum([8, *map(len, blocks)]))
    tags = {256: [width], 257: [height], 258: [8 * levels.itemsize] * channels, 259: [compression], 277: [channels]}
    tags |= {262: [2 if channels > 2 else 1], 284: [planar], 317: [predictor], 339: [sample_format] * channels}
    places = (324, 325) if tile else (273, 279)
    tags |= {places[0]: offsets[:-1], places[1]: list(map(len, blocks))} | ({322: [tile], 323: [tile]} if tile else {278: [2]})
    tags |= {338: [2]} if channels in (2, 4) else {}
    tags |= more or {}
    values_at, table, values = offsets[-1] + 6 + 12 * len(tags), b"", b""
    for tag, numbers in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(numbers)}I", *numbers)
        inline = packed if len(numbers) == 1 else struct.pack(f"{order}I", values_at + len(values))
        table += struct.pack(f"{order}HHI", tag, 4, len(numbers)) + inline
        values += packed if len(numbers) > 1 else b""
    header = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", offsets[-1])
    return header + b"".join(blocks) + struct.pack(f"{order}H", len(tags)) + table + bytes(4) + values


def bmp(bits: int, rows: bytes, *, compression: int = 0, header: int = 40, more: bytes = b"", gap: int = 0, used: int = 0) -> bytes:
    """A BMP file of 8 by 4 pixels; `more` is masks and the table of colors."""
    if header == 12:
        described = struct.pack("<IHHHH", 12, 8, 4, 1, bits)
    else:
        described = struct.pack("<IiiHHIIiiII", header, 8, 4, 1, bits, compression, len(rows), 0, 0, used, 0)
        described += more[: header - 40].ljust(header - 40, b"\0") if header in (52, 56, 108, 124) else bytes(header - 40)
        more = more[header - 40 :] if header in (52, 56) else b"" if header > 64 else more
    at = 14 + len(described) + len(more) + gap
    return struct.pack("<2sIHHI", b"BM", at + len(rows), 0, 0, at) + described + more + bytes(gap) + rows
