"""Format text from any source, such as file names, as one readable line."""

from __future__ import annotations

import itertools
import os
import re
import unicodedata

LIMIT = 200  # a line has fewer characters than this
_SHORT_WORDS = (100, 60, 36)  # lengths that long words are cut to, tried in turn until the line fits
_MIN_BEGINNING = 60  # minimum characters kept of the beginning if a hint is kept
_HINT = re.compile(r"(?:; [^;]{1,130})?(?: \([^()]{1,100}\))?$")
_COPIED = re.compile(r"(`darkroom [^`]+`|\bhttps?://\S+)")
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
# Unicode marks that change the direction of the text after them. They can make a line read as something else.
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def readable(text: str) -> str:
    """Return text without lone surrogates. They come from file names that are not valid UTF-8."""
    if text.isprintable() or not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    return text.encode("utf-8", "surrogateescape" if _is_escaped(text) else "replace").decode("utf-8", "replace")


def escaped(text: str | os.PathLike[str]) -> str:
    r"""Return text as one line, with line breaks and other control characters escaped: \n, \x1b and so on."""
    line = readable(os.fspath(text))
    return line if line.isprintable() else "".join(map(_escaped, line))


def in_one_line(text: str, limit: int = LIMIT) -> str:
    """Return text as one line of fewer than `limit` characters that is still understandable.

    Long words and paths lose their middle first. `darkroom` commands in backquotes and URLs are shortened last. A line that is
    still too long is cut after a word. A hint at the end, after a semicolon or in parentheses, is kept if there is room.

    Example:
        >>> in_one_line("cannot read /data/" + "x" * 90 + "/a.png: it is empty", limit=90)
        'cannot read /data/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…xxxxxxxxxxxxx/a.png: it is empty'
    """
    if len(text) > 30 * limit:  # perhaps a whole file: its middle does not affect the result
        text = f"{text[: 20 * limit]}…{text[-5 * limit :]}"
    line = escaped(text)
    for keep_copied in (True, False):
        for length in _SHORT_WORDS:
            if len(line) < limit:
                return line
            line = _with_short_words(line, length, keep_copied)
        copied, short = _COPIED.findall(line), _cut_before_hint(line, limit - 1)
        if copied and all(each in short for each in copied):
            return short
    return short


def duration(seconds: float) -> str:
    """Return a duration as text: 45 s, 12 min, 2.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def _is_escaped(text: str) -> bool:
    return all("\udc80" <= character <= "\udcff" for character in text if "\ud800" <= character <= "\udfff")


def _escaped(character: str) -> str:
    if character in _DIRECTIONS or unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs"):
        code = ord(character)
        return _NAMED.get(character) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
    return character


def _cut_before_hint(line: str, length: int) -> str:
    hint = _HINT.search(line).group()
    if len(hint) + _MIN_BEGINNING > length:
        hint = ""
    return _cut(line[: len(line) - len(hint)], length - len(hint)) + hint


def _with_short_words(line: str, length: int, keep_copied: bool) -> str:
    parts = _COPIED.split(line) if keep_copied else [line]  # every second part is text that the user copies
    short = (" ".join(_without_middle(word, length) for word in part.split(" ")) for part in parts[::2])
    return "".join(part for pair in itertools.zip_longest(short, parts[1::2], fillvalue="") for part in pair)


def _without_middle(word: str, length: int) -> str:
    """Cut out the middle of a word. A path keeps its file name if there is room."""
    if len(word) <= length:
        return word
    name = word[word.rfind("/") :] if "/" in word[1:] else ""
    tail = max(length // 3, len(name)) if len(name) <= 2 * length // 3 else 2 * length // 3
    return f"{word[: length - 1 - tail]}…{word[len(word) - tail :]}"


def _cut(text: str, length: int) -> str:
    """Cut text after a word, to at most `length` characters including the ellipsis."""
    if len(text) <= length:
        return text
    kept = text[: length - 1]
    if " " in kept[length // 2 :]:
        kept = kept[: kept.rindex(" ")]
    return kept.rstrip(" ,;:") + "…"
