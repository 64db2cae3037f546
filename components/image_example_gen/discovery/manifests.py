"""Read manifests and label files: tables of pictures with their labels and splits, as CSV or JSON lines."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from common.errors import InputError
from components.image_example_gen.layout import composed
from components.image_example_gen.splits import split_named
from components.image_example_gen.storage.files import one_line, open_file, printable
from components.image_example_gen.storage.streams import Readable

MANIFEST_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson")
_COLUMNS = {
    "path": ("path", "uri", "url", "file", "file_name", "filename", "image", "image_path", "file_path", "filepath"),
    "label": ("label", "class", "category", "label_name", "class_name"),
    "split": ("split", "set", "subset"),
}


@dataclass(frozen=True)
class Row:
    """A line of a manifest."""

    path: str  # a path, relative to the manifest's folder unless absolute, or a URI
    label: str  # the picture's label; '' for none
    split: str | None  # its split: train, eval or test; or None


def read_manifest(path: str) -> Iterator[Row]:
    """Yield the lines of a manifest, a file or a URI, one by one, because it may be larger than memory.

    If it is CSV (.csv, or .tsv with tabs), its first line names the columns; if it is .jsonl or .ndjson, each line is a JSON object.
    The columns are `path` (or uri, url, file, filename, image) and optionally `label` (or class, category) and `split` (or set,
    subset).

    Raises:
        InputError: The file cannot be read, has no column of paths, or has an invalid line, named by its number.
    """
    rows = _json_rows if path.lower().endswith((".jsonl", ".ndjson")) else _csv_rows
    try:
        # utf-8-sig: spreadsheets write a byte order mark at the start of CSV files.
        with open_file(path) as binary, io.TextIOWrapper(Readable(binary.read), "utf-8-sig", newline="") as stream:
            yield from rows(path, stream)
    except UnicodeDecodeError as error:
        raise InputError(f"{printable(path)} is not UTF-8 text: {error.reason} at byte {error.start:,}") from error
    except (OSError, HTTPException, csv.Error) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise InputError(f"{printable(path)} cannot be read: {reason}") from error


def _csv_rows(path: str, stream: io.TextIOBase) -> Iterator[Row]:
    reader = csv.DictReader(stream, delimiter="\t" if path.lower().endswith(".tsv") else ",")
    columns = columns_of(path, reader.fieldnames or ())
    for values in reader:
        yield _row(path, reader.line_num, {name: values.get(column) for name, column in columns.items()})


def _json_rows(path: str, stream: io.TextIOBase) -> Iterator[Row]:
    for number, line in enumerate(stream, 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{printable(path)}, line {number}, is not JSON: {one_line(error)}") from None
        if not isinstance(values, dict):
            raise InputError(f'{printable(path)}, line {number}, is no JSON object such as {{"path": "cat.png"}}')
        columns = columns_of(f"{path}, line {number},", values)
        yield _row(path, number, {name: values[column] for name, column in columns.items()})


def columns_of(where: str, names: Any) -> dict[str, str]:
    """Return the names of the columns for path, label and split. Raise InputError if there is no column of paths."""
    lower = {str(name).strip().lower(): name for name in names}
    items = {}
    for column, spellings in _COLUMNS.items():
        spelling = next((spelling for spelling in spellings if spelling in lower), None)
        if spelling is not None:
            items[column] = lower[spelling]
    if "path" not in items:
        has = ", ".join(_shown(name) for name in list(lower)[:4]) + (" ..." if len(lower) > 4 else "")
        raise InputError(f"{printable(where)} has no column path (or url, file, file_name, image); it has {has or 'none'}")
    return items


def _shown(name: object) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in printable(str(name)))[:20]


def _row(path: str, number: int, values: Mapping[str, Any]) -> Row:
    picture, label, split = (values.get(name) for name in ("path", "label", "split"))
    if not isinstance(picture, str) or not picture.strip():
        raise InputError(f"{printable(path)}, line {number}, names no picture: its path is empty")
    side = split_named(str(split).strip()) if split not in (None, "") else None
    if split not in (None, "") and side is None:
        raise InputError(f"{printable(path)}, line {number}: the split '{_shown(split)}' is not train, eval (or val) or test")
    row = Row(picture.strip(), "" if label is None else composed(str(label).strip()), side)
    if not (row.path + row.label).isprintable() and re.search("[\0\ud800-\udfff]", row.path + row.label):
        raise InputError(f"{printable(path)}, line {number}: its path or label has an invalid character")
    return row
