"""Read the headers of PNG, JPEG, BMP and WebP files without decoding pixels."""

from __future__ import annotations

import struct
import zlib

from serving.picture_files.base import check_size, damaged

_MAX_PROFILE = 8 << 20  # bytes; printer profiles have one or two million
_GREYS = b"".join(bytes((level, level, level, 0)) for level in range(256))


def png_size(data: bytes) -> tuple[int, int]:
    """Return a PNG's width and height."""
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise damaged("png")
    return struct.unpack_from(">II", data, 16)


def png_chunk(data: bytes, name: bytes) -> bytes | None:
    """Return the content of a PNG chunk before the pixels, or None if there is no such chunk."""
    at = 33
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind == name:
            return data[at + 8 : at + 8 + length]
        if kind == b"IDAT":
            break
        at += 12 + length
    return None


def check_png_chunks(data: bytes) -> None:
    """Check that no chunk of a PNG is longer than the file: libpng would allocate and fill up to 2 GB for it.

    Raises:
        Refused: A chunk is longer than the file.
    """
    at, kind = 8, b""
    while at + 8 <= len(data) and kind != b"IEND":
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if length > len(data) and kind != b"IDAT":  # IDAT is read piece by piece
            raise damaged("png")
        at += 12 + length


def png_profile(data: bytes) -> bytes | None:
    """Return a PNG's color profile (PNG specification, 11.3.3.3 iCCP), or None if it is missing or broken."""
    chunk = png_chunk(data, b"iCCP")
    if chunk is None:
        return None
    try:
        unpacked = zlib.decompressobj().decompress(chunk[chunk.index(b"\0", 0, 80) + 2 :], _MAX_PROFILE)
    except (ValueError, zlib.error):
        return None
    return unpacked or None


def png_has_frames(data: bytes) -> bool:
    """Return whether a PNG is an animation (acTL with more than one frame)."""
    chunk = png_chunk(data, b"acTL")
    return chunk is not None and int.from_bytes(chunk[:4], "big") > 1


def png_has_color_key(data: bytes, pixels_at: int) -> bool:
    """Return whether a gray or color PNG has one transparent level or color (11.3.2.1 tRNS).

    TensorFlow applies tRNS only to palettes.
    """
    return data[25] in (0, 2) and data.find(b"tRNS", 33, pixels_at) > 0


def jpeg_header(data: bytes) -> tuple[tuple[int, int], bool, bytes | None]:
    """Return a JPEG's width and height, whether it has Exif data, and its color profile, None if missing or incomplete.

    They precede the pixels (ITU-T T.81, annex B: segments up to the frame header). Like libjpeg, skip bytes between segments.
    """
    at, exif, parts = 2, False, []
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 9 > len(data):
            raise damaged("jpeg")
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker == 0 or marker == 0x01 or 0xD0 <= marker <= 0xD7:  # not a marker, or a marker without a segment
            at += 2
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return (width, height), exif, _joined(parts) if parts else None
        if marker in (0xD8, 0xD9, 0xDA):  # libjpeg gives up too: second start, end, or scan without a frame
            raise damaged("jpeg")
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        exif = exif or (marker == 0xE1 and data[at + 4 : at + 8] == b"Exif")
        if marker == 0xE2 and data[at + 4 : at + 16] == b"ICC_PROFILE\0":
            parts.append(data[at + 16 : at + 2 + length])
        at += 2 + max(length, 2)


def _joined(parts: list[bytes]) -> bytes | None:
    """Return a profile from its segments, each with its number and the total (ICC.1, B.4); None if one is missing."""
    parts = sorted(part for part in parts if len(part) > 2)
    if not parts or [part[0] for part in parts] != list(range(1, parts[0][1] + 1)):
        return None
    return b"".join(part[2:] for part in parts)


def bmp_is_plain(data: bytes, max_megapixels: float) -> bool:
    """Return whether TensorFlow decodes a BMP correctly.

    Pixels of at most one byte are indices into a color table; TensorFlow reads them as gray levels.
    """
    if len(data) < 54:
        return False
    pixels_at, header_size, width, height = struct.unpack_from("<IIii", data, 10)
    bits, compression = struct.unpack_from("<HI", data, 28)
    if header_size != 40 or compression != 0 or bits not in (8, 24):
        return False
    check_size((width, abs(height)), max_megapixels)
    return bits == 24 or (pixels_at <= 54 + len(_GREYS) and _GREYS.startswith(data[54:pixels_at]))


def webp_has_frames(data: bytes) -> bool:
    """Return whether a WebP file is an animation, by the flags of its extended header."""
    return data[12:16] == b"VP8X" and len(data) > 20 and bool(data[20] & 2)
