"""Recognize a file by its first bytes, and describe it or a table's columns in text short enough for a reject's reason."""

from __future__ import annotations

import contextlib
import gzip
import math
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import BinaryIO

from components.image_example_gen import reasons
from components.image_example_gen.storage.files import open_file
from components.image_example_gen.storage.streams import read_up_to

GZIP = b"\x1f\x8b"

_MAX_LETTERS = 118  # of a reason
_MAX_SHOWN = 16  # bytes shown of an unknown file
_LFS = b"version https://git-lfs"


def starts_with(path: str, magic: bytes) -> bool:
    """Return whether a file starts with `magic`. Names do not tell what is compressed: browsers decompress without renaming."""
    with open_file(path) as stream:
        return read_up_to(stream, len(magic)) == magic


@contextlib.contextmanager
def open_unpacked(path: str, packed: bool) -> Iterator[BinaryIO]:
    """Open a file, decompressed if it is gzip-compressed (`packed`)."""
    with open_file(path) as stream:
        yield gzip.GzipFile(fileobj=stream) if packed else stream


def described_beginning(head: bytes, kind: str) -> str:
    """Describe a file by its first bytes, about 64, that are not those of the expected kind, such as "Parquet file"."""
    if not head:
        return reasons.EMPTY
    if head.startswith(_LFS):
        return reasons.GIT_LFS
    text = head[:_MAX_SHOWN].decode("latin-1")
    if not (text.isascii() and all(each.isprintable() or each in "\r\n\t" for each in text)):
        return reasons.OTHER_BEGINNING.format(kind, f"the bytes {head[:4].hex(' ')}")
    text = " ".join(text.split())
    if text.startswith("<") and ">" in text:
        text = text[: text.index(">") + 1]
    return reasons.OTHER_BEGINNING.format(kind, repr(text))


def square_of(length: int) -> tuple[int, int, int] | None:
    """Return height, width and channels of a square picture of `length` numbers, or None if it cannot be square."""
    for channels in (1, 3):
        side = math.isqrt(length // channels)
        if length and side * side * channels == length:
            return side, side, channels
    return None


def with_names(before: str, names: Iterable[str], behind: str) -> str:
    """Return a list of names between two texts, cut to one short line, without control characters."""
    before, shown = _plain(before)[:60], [_plain(name)[:30] for name in islice(names, _MAX_LETTERS)]
    text, room = ", ".join(shown) or "none", _MAX_LETTERS - len(before) - len(behind)
    if len(text) > room:
        text = f"{text[: room - 5].rpartition(', ')[0] or text[: room - 5]}, ..."
    return f"{before}{text}{behind}"


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
