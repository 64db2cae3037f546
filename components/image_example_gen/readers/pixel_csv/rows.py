"""Parse rows of numbers to arrays: integers block by block with NumPy, fractions with Arrow, irregular rows one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from components.image_example_gen.readers.pixel_csv.layout import NUMBER, Layout, fields_of

MAX_DIGITS = 9  # of an integer in a block that NumPy parses
_LONGEST_LABEL = 256  # bytes
_NEWLINE, _NINE, _ZERO = 10, 57, 48


@dataclass(frozen=True)
class Rows:
    """Some rows of a file."""

    count: int  # number of rows, including invalid ones
    good: np.ndarray  # the indices of rows with a number for each pixel
    numbers: np.ndarray  # their numbers, [len(good), pixels]: integers, or float64
    labels: list[bytes]  # their labels as written; empty without labels
    usages: list[bytes]  # their splits as written; empty without splits


def parse_rows(block: bytes, layout: Layout) -> Rows:
    """Return the rows of a text that ends with the end of a row, without blank ones."""
    lines = rows_of(block, layout.newline)
    cut = _cutter(layout)
    places, texts, labels, usages = [], [], [], []
    for place, line in enumerate(lines):
        result = cut(line)
        if result is not None and len(result[1]) <= _LONGEST_LABEL:
            places.append(place)
            texts.append(result[0])
            labels.append(result[1])
            usages.append(result[2])
    numbers, sound = _numbers(texts, b" " if layout.packed else layout.separator, layout.length)
    if not sound.all():
        labels, usages = ([value for value, fine in zip(values, sound, strict=True) if fine] for values in (labels, usages))
    good = np.asarray(places, np.int64)[sound]
    return Rows(len(lines), good, numbers, labels if layout.label is not None else [], usages if layout.usage is not None else [])


def usages_of(block: bytes, layout: Layout) -> set[bytes]:
    """Return the distinct splits in the rows of a text, without rows of another length."""
    cut = _cutter(layout)
    return {result[2] for result in map(cut, rows_of(block, layout.newline)) if result is not None}


def rows_of(block: bytes, newline: bytes) -> list[bytes]:
    """Return the rows of a text without line ends and without blank rows."""
    if b"\r" in block and newline == b"\n":
        block = block.replace(b"\r\n", b"\n")
    return [line for line in block.split(newline) if line]


def _cutter(layout: Layout) -> Callable[[bytes], tuple[bytes, bytes, bytes] | None]:
    """Return a function that cuts a row into the texts of pixels, label and split; it returns None for a row of another length."""
    mark, pixels = layout.separator, layout.pixels
    label, usage = (-1 if column is None else column for column in (layout.label, layout.usage))
    left, right = pixels[0], layout.columns - 1 - pixels[-1]
    together = pixels[-1] - pixels[0] == len(pixels) - 1

    others = sorted(set(range(layout.columns)) - set(pixels), reverse=True)

    def by_fields(line: bytes) -> tuple[bytes, bytes, bytes] | None:
        plain = b'"' not in line and mark != b" "
        fields = line.split(mark) if plain else fields_of(line, mark)
        if layout.trailing and fields[-1:] == [b""]:
            fields.pop()
        if len(fields) != layout.columns:
            return None
        sides = [fields[column].strip() if column >= 0 else b"" for column in (label, usage)]
        if layout.packed:
            return b" ".join(fields[pixels[0]].split()), sides[0], sides[1]
        for column in others:
            del fields[column]
        return mark.join(fields), sides[0], sides[1]

    def by_ends(line: bytes) -> tuple[bytes, bytes, bytes] | None:
        if layout.trailing and line.endswith(mark):
            line = line[:-1]
        fields = line.split(mark, left)
        fields[-1:] = fields[-1].rsplit(mark, right)
        if len(fields) != left + right + 1:
            return None
        if b'"' in line:
            if any(
                field.count(b'"') not in (0, 2) or field[:1] + field[-1:] not in (b'""',) and b'"' in field
                for place, field in enumerate(fields)
                if place != left
            ):
                return by_fields(line)  # a quoted separator
            fields = [field.strip(b'"') if place != left else field.translate(None, b'"') for place, field in enumerate(fields)]
        # From here on, a column's index counts from the nearer end.
        sides = [
            fields[column if column < left else column - layout.columns].strip() if column >= 0 else b""
            for column in (label, usage)
        ]
        return fields[left], sides[0], sides[1]

    return by_ends if together and mark != b" " else by_fields


def _numbers(texts: Sequence[bytes], mark: bytes, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the rows that have `length` of them, and a mask of these rows."""
    if not texts:
        return np.empty((0, length), np.uint8), np.empty(0, bool)
    text = b"\n".join(texts) + b"\n"
    if mark != b" " and b" " in text:
        text = text.replace(mark + b" ", mark)
    integers = text
    if b".0" + mark in texts[0]:  # 0.0: pandas writes a column in this form if it once had a missing number
        integers = text.replace(b".0" + mark, mark).replace(b".0\n", b"\n")
    numbers = None if b"." in integers else _whole(integers, mark, len(texts), length)
    if numbers is None:
        numbers = _by_arrow(text, mark, len(texts), length)
    if numbers is None:
        return _row_by_row(texts, mark, length)
    sound = np.isfinite(numbers).all(axis=1) if numbers.dtype.kind == "f" else np.ones(len(texts), bool)
    return (numbers if sound.all() else numbers[sound]), sound


def _whole(text: bytes, mark: bytes, rows: int, length: int) -> np.ndarray | None:
    """Parse rows of integers without signs; return None if the text contains anything else."""
    if mark[0] > _ZERO:  # a separator below the digits is recognized by that order
        if b"," in text:
            return None
        text, mark = text.replace(mark, b","), b","
    letters = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(letters < _ZERO)
    if len(ends) != rows * length or letters.max() > _NINE:
        return None
    marks = letters[ends].reshape(rows, length)
    if (marks[:, -1] != _NEWLINE).any() or (marks[:, :-1] != mark[0]).any():
        return None
    digits = np.empty(len(ends), np.int32 if len(text) < 2**31 else np.int64)
    digits[0] = ends[0]
    digits[1:] = ends[1:] - ends[:-1] - 1
    longest = int(digits.max())
    if digits.min() < 1 or longest > MAX_DIGITS:
        return None
    numbers = (letters[ends - 1] - _ZERO).astype(np.uint16 if longest <= 4 else np.int32)
    longer = np.flatnonzero(digits > 1)
    for place in range(2, longest + 1):
        longer = longer[digits[longer] >= place]
        numbers[longer] += (letters[ends[longer] - place] - _ZERO).astype(numbers.dtype) * numbers.dtype.type(10 ** (place - 1))
    return numbers.reshape(rows, length)


def _by_arrow(text: bytes, mark: bytes, rows: int, length: int) -> np.ndarray | None:
    """Parse rows of any numbers, with NaN for missing ones; return None if a row has another length, or text."""
    import pyarrow as pa  # imported here, so that a command line can check its arguments at once
    from pyarrow import csv

    names = [str(column) for column in range(length)]
    try:
        # read_csv would inspect all objects of the process at its end: 20 to 100 ms.
        reader = csv.open_csv(
            pa.BufferReader(text),
            csv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=names),
            csv.ParseOptions(delimiter=mark.decode("ascii"), quote_char=False, ignore_empty_lines=False),
            csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64())),
        )
        table = reader.read_all()
        if table.num_rows != rows:
            return None
        numbers = np.stack([table.column(place).to_numpy() for place in range(length)]).T
    except (pa.ArrowException, ValueError, OverflowError):
        return None
    return numbers


def _row_by_row(texts: Sequence[bytes], mark: bytes, length: int) -> tuple[np.ndarray, np.ndarray]:
    sound, result = np.zeros(len(texts), bool), []
    for place, text in enumerate(texts):
        fields = [field.strip() for field in text.split(mark)]
        if len(fields) == length and all(map(NUMBER.fullmatch, fields)):
            numbers = np.array([float(field) for field in fields])
            if np.isfinite(numbers).all():
                sound[place] = True
                result.append(numbers)
    return np.array(result, np.float64).reshape(len(result), length), sound
