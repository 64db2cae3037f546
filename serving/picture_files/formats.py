"""Detect the format of a picture file by its first bytes."""

from __future__ import annotations

import re

from serving.picture_files import reasons
from serving.picture_files.base import Refused

_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpeg",
    b"GIF87a": "gif",
    b"GIF89a": "gif",
    b"BM": "bmp",
    b"II*\x00": "tiff",
    b"MM\x00*": "tiff",
    b"II+\x00": "tiff",
    b"MM\x00+": "tiff",
    b"\x00\x00\x00\x0cjP  \r\n\x87\n": "jpeg2000",
    b"\xff\x4f\xff\x51": "jpeg2000",  # a bare codestream
    b"qoif": "qoi",
}
_SEGMENT = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")
_MAX_JUNK = 1 << 16  # bytes
_NETPBM = re.compile(rb"P(?:([1-6])[\s#]|([fF])\s)")
_AVIF = {b"avif", b"avis"}
_HEIF = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1", b"mif2"}


def format_of(data: bytes) -> str:
    """Return the format of a picture file by its first bytes: a key of `base.NAMES`.

    Raises:
        Refused: The file is empty or has no supported format.
    """
    if not data:
        raise Refused(reasons.EMPTY)
    for signature, kind in _SIGNATURES.items():
        if data.startswith(signature):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp" and (kind := _iso_format(data)):
        return kind
    if netpbm := _NETPBM.match(data):
        return "pnm" if netpbm[1] else "pfm"
    if data[:1024].lstrip()[:4] == b"<svg":
        raise Refused(reasons.SVG)
    raise Refused(reasons.NO_PICTURE)


def without_junk(data: bytes) -> bytes:
    """Return a JPEG without the bytes between its start marker and its first segment.

    libjpeg skips such bytes; TensorFlow and Pillow recognize a JPEG by its third byte.
    """
    if data[:2] != b"\xff\xd8" or data[2:3] == b"\xff":
        return data
    segment = _SEGMENT.search(data, 2, _MAX_JUNK)
    return data[:2] + data[segment.start() :] if segment else data


def _iso_format(data: bytes) -> str:
    """Return the format that an ISO media file's brands name (ISO/IEC 14496-12, 4.3), or '' if it is not a picture."""
    end = min(int.from_bytes(data[:4], "big"), 256)
    brands = [data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))]
    if brands[0] in _AVIF or (brands[0] in _HEIF and _AVIF & set(brands)):
        return "avif"
    return "heic" if _HEIF & set(brands) else ""
