"""Reject pickles with advice. They are never loaded, because loading a pickle runs it as a program."""

from __future__ import annotations

import bz2
import lzma
import posixpath
import re
import zlib
from collections.abc import Callable

from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Rejected
from components.image_example_gen.storage.files import FoundFile, join, open_file

_SUFFIXED = re.compile(r".+\.(pkl|pickle|p|pt|pth|joblib)(\.(gz|bz2|xz))?", re.IGNORECASE)
# File names of the Python versions of CIFAR-10 and CIFAR-100.
_OF_CIFAR = re.compile(r"data_batch_[1-5]|test_batch|batches\.meta|train|test|meta")
_HEAD = 4096  # bytes that identify a file
# By the first bytes: zlib, and joblib's output for compress=3.
_UNPACKERS: tuple[tuple[re.Pattern[bytes], Callable], ...] = (
    (re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]"), lambda: zlib.decompressobj(zlib.MAX_WBITS | 32)),
    (re.compile(rb"BZh[1-9]"), bz2.BZ2Decompressor),
    (re.compile(rb"\xfd7zXZ\x00|\x5d\x00\x00"), lzma.LZMADecompressor),
)
_BINARY = re.compile(rb"\x80[\x02-\x05]")
# Protocols 0 and 1 have no signature: they start with a mark and a list, dict, tuple or object, or with a module's name.
_OLD = re.compile(rb"\(+(lp|dp|[IFSVLK])|[\]}]q\x00|\(*c\w[\w.]*\n\w+\n")


def is_mine(path: str) -> bool:
    """Return whether a file has a pickle's name."""
    name = posixpath.basename(path)
    return bool(_SUFFIXED.fullmatch(name) or _OF_CIFAR.fullmatch(name))


def is_pickle(path: str, head: bytes) -> bool:
    """Return whether a file has a pickle's name and starts like one; a few hundred bytes are enough."""
    if not is_mine(path):
        return False
    if head.startswith(b"PK\x03\x04"):  # the zip format of torch.save
        return b"data.pkl" in head
    unpacked = _unpacked(head)
    return bool(_BINARY.match(unpacked) or (_SUFFIXED.fullmatch(posixpath.basename(path)) and _OLD.match(unpacked)))


def find(folder: str, file: FoundFile, config: DataConfig) -> Rejected | None:
    """Return the reject of a pickle; None for other files, which are ignored."""
    try:
        with open_file(join(folder, file.path)) as stream:
            head = stream.read(_HEAD)
    except Exception:  # each store raises its own errors
        return None
    if not is_pickle(file.path, head):
        return None
    return Rejected(file.path, reasons.PICKLE_OF_CIFAR if _OF_CIFAR.fullmatch(posixpath.basename(file.path)) else reasons.PICKLE)


def _unpacked(head: bytes) -> bytes:
    """Return the first bytes, decompressed if they are compressed; `head` itself if that fails."""
    for signature, unpacker in _UNPACKERS:
        if signature.match(head):
            try:
                return unpacker().decompress(head, _HEAD)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError):
                return head
    return head
