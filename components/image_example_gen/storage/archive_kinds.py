"""Identify a file by its first bytes, whatever its name."""

from __future__ import annotations

import re

from components.image_example_gen.storage.tar_header import BLOCK, read_header

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
HEAD = 1024  # bytes to inspect

_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
_ZIPS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"PK00PK\x03\x04")
_OTHERS = {
    b"7z\xbc\xaf\x27\x1c": "a 7z archive, which is not read: unpack it",
    b"Rar!\x1a\x07": "a RAR archive, which is not read: unpack it",
    b"\x28\xb5\x2f\xfd": "packed by Zstandard, which is not read: unpack it",
    b"\x1f\x9d": "packed by compress, which is not read: unpack it",
    b"LZIP": "packed by lzip, which is not read: unpack it",
    b"version https://git-lfs": "a pointer of Git LFS in place of the file: git lfs pull fetches it",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF document",
    b"\x89HDF\r\n": "an HDF5 file",
    b"\x93NUMPY": "a NumPy array",
    b"PAR1": "a Parquet file",
    b"<?xml": "an XML document, such as a server's error",
    b"{": "JSON text, such as a server's error",
}


class BrokenArchiveError(Exception):
    """A file that is not an archive, is cut short or inconsistent, or cannot be read; `reason` is the fault in plain words."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


def archive_suffix(name: str) -> str:
    """Return the archive suffix of a name as written; '' if it has none."""
    lower = name.lower()
    length = max((len(suffix) for suffix in ARCHIVE_SUFFIXES if lower.endswith(suffix)), default=0)
    return name[len(name) - length :]


def is_archive(name: str) -> bool:
    """Return whether a file has an archive's name."""
    return bool(archive_suffix(name))


def packing_of(head: bytes) -> str:
    """Return the compression of a file that starts with `head`: gzip, bzip2 or xz; '' for none of them."""
    return next((packing for magic, packing in _PACKED.items() if head.startswith(magic)), "")


def is_zip(head: bytes) -> bool:
    """Return whether a file that starts with `head` is a zip archive. A self-extracting one starts differently."""
    return head.startswith(_ZIPS)


def is_tar(head: bytes) -> bool:
    """Return whether a file that starts with `head` is a tar archive: by its checksum, because old ones have no magic number."""
    if len(head) < BLOCK:
        return False
    try:
        read_header(head[:BLOCK])
    except ValueError:
        return False
    return True


def describe(head: bytes) -> str:
    """Describe a file that starts with `head`; '' if it is unknown."""
    if not head:
        return "empty"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:64].lower()
    if text.startswith((b"<html", b"<!doctype", b"<head", b"<body")):
        return "an HTML page"
    packing = packing_of(head)
    if packing:
        return f"{'an' if packing == 'xz' else 'a'} {packing} file"
    if is_zip(head):
        return "a zip archive"
    result = next((description for magic, description in _OTHERS.items() if head.startswith(magic)), "")
    return result or ("a tar archive" if is_tar(head) else "")


def describe_anyway(head: bytes) -> str:
    """Describe a file that starts with `head`; an unknown one by its first bytes: as text, else as hexadecimal digits."""
    first = head[:16]
    is_text = re.fullmatch(rb"[\t\r\n -~]+", first)
    return describe(head) or f"it begins with {repr(first.decode('ascii')) if is_text else first[:8].hex(' ')}"
