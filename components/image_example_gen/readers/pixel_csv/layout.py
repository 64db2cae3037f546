"""Determine the layout of a CSV of pixels: its separator, its header, and the columns of pixels, label and split."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from components.image_example_gen.readers.beginnings import square_of

MIN_NUMBERED_PIXELS, MIN_PIXELS = 16, 49  # minimum pixels per row: with a header that numbers them, and without
NUMBER = re.compile(rb"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_BOM = b"\xef\xbb\xbf"
_SAMPLE = 24  # rows that determine the layout
_LABELS = ("label", "labels", "class", "classes", "target", "targets", "y", "emotion", "category", "digit", "letter", "character")
_USAGES = ("usage", "split", "set", "subset", "partition")
_INDEXES = ("", "id", "index", "idx", "unnamed: 0", "image_id", "imageid", "no", "row")
_SPLIT_WORDS = {"training", "publictest", "privatetest", "train", "test", "testing", "eval", "val", "valid", "validation", "dev"}
_SEPARATORS = (b",", b";", b"\t", b"|", b" ")
_MIN_ROWS_FOR_LAST = 20  # minimum rows to recognize the label in the last column


@dataclass(frozen=True)
class Layout:
    """The layout of a file's rows."""

    separator: bytes  # the separator of columns
    newline: bytes
    offset: int  # offset of the first row of data in bytes
    columns: int  # number of columns per row
    pixels: tuple[int, ...] = ()  # the columns of pixels, in order; if `packed`, the one with all of them
    length: int = 0  # number of pixels per row
    label: int | None = None  # the column of the label, or None
    usage: int | None = None  # the column of the split, or None
    packed: bool = False  # whether one column holds all pixels, separated by blanks
    trailing: bool = False  # whether a separator ends each row
    guessed: bool = False  # whether the column of the label is inferred only from its position
    unused: tuple[str, ...] = ()  # the names of unused columns


def layout_of(head: bytes, label_column: int | None = None, wanted: int | None = None) -> Layout | None:
    """Return the layout by the first bytes, decompressed, with a header and a row at least; None if it is not a CSV of pixels."""
    if b"\0" in head[:4096]:
        return None
    offset = len(_BOM) if head.startswith(_BOM) else 0
    newline = b"\r" if b"\n" not in head and b"\r" in head else b"\n"
    lines = head[offset:].split(newline, _SAMPLE + 8)
    if len(lines) > 2:
        lines.pop()  # the rest, or a row that is cut off
    separator = _separator(lines)
    ends = itertools.accumulate((len(line) + 1 for line in lines), initial=offset)  # the first one is the start
    places = itertools.pairwise(ends)
    rows = [(*place, fields_of(line.strip(b"\r\n"), separator)) for place, line in zip(places, lines) if line.strip()]
    if not rows:
        return None
    columns = Counter(len(fields) for *_, fields in rows[1:] or rows).most_common(1)[0][0]
    while len(rows) > 2 and len(rows[0][2]) != columns:  # a comment, a title, Excel's sep=
        rows.pop(0)
    start, end, _ = rows[0]
    data = [rows[0][2], *(fields for *_, fields in rows[1:] if len(fields) == columns)]
    trailing = columns > MIN_NUMBERED_PIXELS and all(fields[-1] == b"" for fields in data if len(fields) == columns)
    data = [fields[: columns - trailing] for fields in data]
    layout = Layout(separator, newline, start, columns - trailing, trailing=trailing)
    names = _header(data)
    if names is not None:
        names = [*names, *[""] * (layout.columns - len(names))]
        layout = replace(layout, offset=min(end, len(head)))  # a header without a row: data would start where it ends
        data = data[1:]
    if not data:
        return None
    return _packed(layout, names, data) or _wide(layout, names, data, label_column, wanted)


def fields_of(line: bytes, separator: bytes) -> list[bytes]:
    """Return the fields of a row, without surrounding quotes and blanks."""
    if b'"' not in line:
        return [field.strip() for field in line.split(separator)] if separator != b" " else line.split()
    fields, at = [], 0
    while at <= len(line):
        begin = at + len(line[at : at + 64]) - len(line[at : at + 64].lstrip(b" "))
        end = _closing(line, begin) if line[begin : begin + 1] == b'"' else -1
        stop = line.find(separator, max(at, end))
        stop = len(line) if stop < 0 else stop
        fields.append((line[at:stop] if end < 0 else line[begin + 1 : end].replace(b'""', b'"')).strip())
        at = stop + 1
    return fields


def _closing(line: bytes, begin: int) -> int:
    """Return the index of the quote that closes the one at `begin`; -1 if there is none."""
    end = line.find(b'"', begin + 1)
    while end >= 0 and line[end + 1 : end + 2] == b'"':
        end = line.find(b'"', end + 2)
    return end


def _separator(lines: Sequence[bytes]) -> bytes:
    """Return the most frequent separator in a row of data; blanks count only if there is no other, since a column may have some."""
    full = [line.strip() for line in lines if line.strip()][-8:]
    counts = {mark: sorted(line.count(mark) for line in full)[len(full) // 2] if full else 0 for mark in _SEPARATORS}
    others = [mark for mark in _SEPARATORS[:-1] if counts[mark]]
    if others:
        return max(others, key=lambda mark: counts[mark])
    return b" " if counts[b" "] else b","


def _is_number(field: bytes) -> bool:
    return NUMBER.fullmatch(field) is not None


def _header(rows: Sequence[Sequence[bytes]]) -> list[str] | None:
    """Return the names of the columns: empty texts if the first row has numbers that are not data; None if it is data."""
    first, others = rows[0], rows[1:]
    numbers = [field for field in first if _is_number(field)]
    names = [_name(field) for field in first]
    if len(first) <= 32 and any(len(field.split()) >= MIN_NUMBERED_PIXELS for field in first):
        return None  # packed, without a header
    if len(numbers) < len(first) / 2:
        return names
    # pandas numbers unnamed columns, and makes duplicate numbers in a row taken as names unique: 0, 0.1, 0.2.
    indices = [int(field) for field in numbers if field.isdigit() and len(field) < 9]
    start = indices[0] if indices else 0
    counted = len(indices) >= max(MIN_NUMBERED_PIXELS, len(numbers) - 1) and indices == list(range(start, start + len(indices)))
    dotted = sum(b"." in field for field in first) > len(first) / 4
    made_unique = dotted and others and not any(b"." in field for field in others[0])
    if counted or made_unique:
        return names if len(numbers) < len(first) else [""] * len(first)
    return names if len(first) - len(numbers) and any(name in _LABELS for name in names) else None


def _name(field: bytes) -> str:
    """Return a column's name; of a long one, the start and the end, which has the numbers."""
    name = " ".join(field.decode("utf-8", "replace").lstrip("# ").casefold().split())
    return name if len(name) <= 80 else f"{name[:60]}...{name[-16:]}"


def _packed(layout: Layout, names: Sequence[str] | None, data: Sequence[Sequence[bytes]]) -> Layout | None:
    """Return a layout with all pixels of a picture in one column, as in FER2013."""
    if layout.columns > 32 or layout.separator == b" ":
        return None
    for column in range(layout.columns):
        lengths = Counter(len(fields[column].split()) for fields in data if all(map(_is_number, fields[column].split())))
        length, rows = lengths.most_common(1)[0] if lengths else (0, 0)
        if length >= MIN_NUMBERED_PIXELS and 2 * rows >= len(data):
            break
    else:
        return None
    others = [other for other in range(layout.columns) if other != column]
    usage = _usage(names, data, others)
    others = [other for other in others if other != usage]
    label = _named(names, _LABELS, others) if names else next(iter(others), None)
    unused = tuple(names[other] for other in others if other != label and names[other] not in _INDEXES) if names else ()
    return replace(layout, pixels=(column,), length=length, label=label, usage=usage, packed=True, unused=unused)


def _wide(
    layout: Layout, names: Sequence[str] | None, data: Sequence[Sequence[bytes]], label_column: int | None, wanted: int | None
) -> Layout | None:
    """Return a layout with one column per pixel."""
    numeric = [2 * sum(map(_is_number, column)) >= len(data) for column in zip(*data, strict=True)]
    if sum(numeric) < MIN_NUMBERED_PIXELS or (label_column is not None and label_column >= layout.columns):
        return None
    if names and any(names):
        return _by_names(layout, names, data, numeric, label_column, wanted)
    columns = range(layout.columns)
    texts = [column for column in columns if not numeric[column]]
    usage = _usage(None, data, texts)
    texts = [column for column in texts if column != usage]
    label, guessed = label_column, False
    if label is None and texts:
        label = texts[0]
    elif label is None and not _fits(sum(numeric), wanted) and _fits(sum(numeric) - 1, wanted):
        label, guessed = _first_or_last(data), True
    pixels = tuple(column for column in columns if numeric[column] and column not in (label, usage))
    if len(pixels) < MIN_PIXELS or len(texts) > 2:
        return None
    return replace(layout, pixels=pixels, length=len(pixels), label=label, usage=usage, guessed=guessed)


def _by_names(
    layout: Layout,
    names: Sequence[str],
    data: Sequence[Sequence[bytes]],
    numeric: Sequence[bool],
    label_column: int | None,
    wanted: int | None,
) -> Layout | None:
    usage = _usage(names, data, range(layout.columns))
    others = [column for column in range(layout.columns) if column != usage]
    label = label_column if label_column is not None else _named(names, _LABELS, others)
    numbers = tuple(column for column in others if column != label and numeric[column] and names[column] not in _INDEXES)
    pixels = tuple(column for column in numbers if re.search(r"\d", names[column]))
    if len(pixels) < max(MIN_NUMBERED_PIXELS, 0.9 * len(others) - 1) or len({re.sub(r"\d+", "", names[at]) for at in pixels}) > 8:
        pixels = numbers  # names without numbers: a table of many measurements rarely has a square number of columns
        if len(pixels) < MIN_PIXELS or not _fits(len(pixels), wanted):
            return None
    left = [column for column in others if column not in {*pixels, label} and names[column] not in _INDEXES]
    if label is None and len(left) == 1:
        label, left = left[0], []
    unused = tuple(names[column] for column in left)
    return replace(layout, pixels=pixels, length=len(pixels), label=label, usage=usage, unused=unused)


def _named(names: Sequence[str], wanted: Sequence[str], columns: Sequence[int]) -> int | None:
    return next((column for name in wanted for column in columns if names[column] == name), None)


def _usage(names: Sequence[str] | None, data: Sequence[Sequence[bytes]], columns: Sequence[int]) -> int | None:
    """Return the column of the split: by its name if there are names, else by its values."""
    if names:
        return _named(names, _USAGES, columns)
    values = {column: {fields[column][:80].decode("utf-8", "replace").strip().casefold() for fields in data} for column in columns}
    return next((column for column in columns if values[column] <= _SPLIT_WORDS), None)


def _fits(length: int, wanted: int | None) -> bool:
    return length == wanted if wanted is not None else square_of(length) is not None


def _first_or_last(data: Sequence[Sequence[bytes]]) -> int:
    """Return the first column; the last if only that one has few distinct values, as in the UCI digits."""
    first, last = ({fields[place] for fields in data} for place in (0, -1))
    few = 1 < len(last) <= len(data) / 2 and all(len(field) < 3 for field in last)
    return len(data[0]) - 1 if few and len(first) == 1 and len(data) >= _MIN_ROWS_FOR_LAST else 0
