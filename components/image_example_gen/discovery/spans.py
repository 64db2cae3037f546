"""Spans: numbered or dated folders, such as span-{SPAN} or {YYYY}-{MM}-{DD}, and a window of the last ones."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from common.errors import InputError
from components.image_example_gen.storage.files import is_remote, list_files, printable

_TOKENS = {
    "{SPAN}": r"(?P<span>\d+)",
    "{VERSION}": r"(?P<version>\d+)",
    "{YYYY}": r"(?P<year>\d{4})",
    "{MM}": r"(?P<month>\d{2})",
    "{DD}": r"(?P<day>\d{2})",
}
_EPOCH = datetime.date(1970, 1, 1)


@dataclass(frozen=True, order=True)
class Span:
    """The folder of one span."""

    number: int  # the span's number, or its date in days since 1970
    version: int  # its version; 0 if the path has none
    folder: str  # relative to the path before the first token


def has_spans(images: str) -> bool:
    """Return whether a path contains one of the tokens {SPAN}, {YYYY}, {MM}, {DD} or {VERSION}."""
    return any(token in images for token in _TOKENS)


def find_spans(images: str, window: int) -> tuple[str, list[Span]]:
    """Find the folders of the last `window` spans; of each, the highest version is used.

    Args:
        images: A path or URI with tokens, such as `/data/span-{SPAN}/pictures` or `s3://bucket/{YYYY}-{MM}-{DD}`.

    Returns:
        The path before the first token, and the spans below it, oldest first; fewer than `window` if there are no more.

    Raises:
        InputError: The tokens do not define a span, or no folder matches.
    """
    base, pattern = _divided(images)
    expression = re.compile("/".join(_expression(part) for part in pattern))
    if "span" not in expression.groupindex and not {"year", "month", "day"} <= expression.groupindex.keys():
        raise InputError(f"{images} needs {{SPAN}}, or all of {{YYYY}}, {{MM}} and {{DD}}, to know the order of its folders")
    latest: dict[int, Span] = {}
    for folder in (_stored_folders if is_remote(base) else _local_folders)(base, len(pattern)):
        match = expression.fullmatch(folder)
        number = match and _number(match.groupdict())
        if match is None or number is None:
            continue
        span = Span(number, int(match.groupdict().get("version") or 0), folder)
        other = latest.get(number, span)
        if other.version == span.version and other != span:
            raise InputError(f"{other.folder} and {folder} in {printable(base)} are the same span, {number}: rename one of them")
        latest[number] = max(span, other)
    if not latest:
        raise InputError(f"no folder in {printable(base)} matches {'/'.join(pattern)}")
    return base, sorted(latest.values())[-window:]


def _divided(images: str) -> tuple[str, list[str]]:
    """Split a path before its first folder with a token; a trailing /* or /** is ignored."""
    parts = re.sub(r"(/\*\*?)+$", "", images.rstrip("/")).split("/")
    first = next(i for i, part in enumerate(parts) if has_spans(part))
    return "/".join(parts[:first]) or ("/" if images.startswith("/") else "."), parts[first:]


def _expression(part: str) -> str:
    for token in _TOKENS:
        if part.count(token) > 1:
            raise InputError(f"{token} may stand only once in a path, not as in {part}")
    return re.sub(r"\\{(\w+)\\}", lambda token: _TOKENS.get(f"{{{token[1]}}}", token[0]), re.escape(part))


def _number(groups: dict[str, str | None]) -> int | None:
    if groups.get("span") is not None:
        span = int(groups["span"])
        if span >= 2**63:
            raise InputError(f"the span {span} is too large a number: the largest is {2**63 - 1}")
        return span
    try:
        return (datetime.date(*(int(groups[name]) for name in ("year", "month", "day"))) - _EPOCH).days
    except ValueError:  # such as the 31st of a short month
        return None


def _stored_folders(base: str, depth: int) -> Iterable[str]:
    """Derive the folders `depth` levels below `base` from the names of files, because object stores have no folders."""
    return {"/".join(file.path.split("/")[:depth]) for file in list_files(base) if file.path.count("/") >= depth}


def _local_folders(folder: str, depth: int, prefix: str = "") -> Iterator[str]:
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise InputError(f"the folder {printable(folder)} cannot be read: {error.strerror}") from error
    for name in names:
        if depth == 1:
            yield f"{prefix}{name}"
        else:
            yield from _local_folders(os.path.join(folder, name), depth - 1, f"{prefix}{name}/")
