"""Describe a file that is not what its name says, and the columns of a table, in text short enough for a reject's reason."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from components.image_example_gen import reasons

_MOST_LETTERS = 118  # of a reason
_MOST = 16  # bytes shown of an unknown file
_LFS = b"version https://git-lfs"


def described_beginning(head: bytes, kind: str) -> str:
    """Describe a file that does not start as expected.

    Args:
        head: Its first bytes, about 64.
        kind: The expected kind, in words without an article: "Parquet file".
    """
    if not head:
        return reasons.EMPTY
    if head.startswith(_LFS):
        return reasons.GIT_LFS
    text = head[:_MOST].decode("latin-1")
    if not (text.isascii() and all(each.isprintable() or each in "\r\n\t" for each in text)):
        return reasons.OTHER_BEGINNING.format(kind, f"the bytes {head[:4].hex(' ')}")
    text = " ".join(text.split())
    if text.startswith("<") and ">" in text:
        text = text[: text.index(">") + 1]
    return reasons.OTHER_BEGINNING.format(kind, repr(text))


def with_names(before: str, names: Iterable[str], behind: str) -> str:
    """Return a list of names between two texts, cut to one short line, without control characters."""
    before, shown = _plain(before)[:60], [_plain(name)[:30] for name in islice(names, _MOST_LETTERS)]
    text, room = ", ".join(shown) or "none", _MOST_LETTERS - len(before) - len(behind)
    if len(text) > room:
        text = f"{text[: room - 5].rpartition(', ')[0] or text[: room - 5]}, ..."
    return f"{before}{text}{behind}"


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
