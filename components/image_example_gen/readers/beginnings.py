"""What a file is that is not what its name says, and what a table has, in words short enough for a refusal."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

_MOST_LETTERS = 118  # of a refusal
_MOST = 16  # bytes shown of what is not known
_LFS = b"version https://git-lfs"


def described_beginning(head: bytes, kind: str) -> str:
    """Says what a file is that does not begin as it should.

    Args:
        head: Its first bytes, some 64 of them.
        kind: What it should be, in words without an article: "Parquet file".
    """
    if not head:
        return "the file is empty"
    if head.startswith(_LFS):
        return "a Git LFS pointer in place of the file: fetch it with git lfs pull"
    text = head[:_MOST].decode("latin-1")
    if not (text.isascii() and all(each.isprintable() or each in "\r\n\t" for each in text)):
        return f"no {kind}: it begins with the bytes {head[:4].hex(' ')}"
    text = " ".join(text.split())
    if text.startswith("<") and ">" in text:
        text = text[: text.index(">") + 1]
    return f"no {kind}: it begins with {text!r}"


def with_names(before: str, names: Iterable[str], behind: str) -> str:
    """A list of names between words, cut so that all is one short line, without what a terminal would act on."""
    before, shown = _plain(before)[:60], [_plain(name)[:30] for name in islice(names, _MOST_LETTERS)]
    text, room = ", ".join(shown) or "none", _MOST_LETTERS - len(before) - len(behind)
    if len(text) > room:
        text = f"{text[: room - 5].rpartition(', ')[0] or text[: room - 5]}, ..."
    return f"{before}{text}{behind}"


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
