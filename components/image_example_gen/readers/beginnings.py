"""What a file really is that is not what its name says, told by its first bytes."""

from __future__ import annotations

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
