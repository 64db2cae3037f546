"""Tables of labels beside pictures: the label file, and metadata.csv as in Hugging Face's imagefolder."""

from __future__ import annotations

import csv
import io
import os
import posixpath
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from common.errors import InputError
from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.manifests import MANIFEST_SUFFIXES, Row, columns_of, read_manifest
from components.image_example_gen.items import hash_of
from components.image_example_gen.layout import composed
from components.image_example_gen.names import ending
from components.image_example_gen.splits import SPLITS
from components.image_example_gen.storage.archive_members import split_member
from components.image_example_gen.storage.files import FoundFile, is_remote, join, open_file, printable, relative

_METADATA = ("metadata.csv", "metadata.jsonl")
_LOOKED_AT = 1 << 20  # bytes of a table searched for its columns


@dataclass(frozen=True)
class Table:
    """A table of labels."""

    path: str
    above: str = ""  # the folder, with a trailing slash, that its paths are relative to; itself relative to the folder of pictures
    complete: bool = False  # whether pictures that it does not list have no label; otherwise they keep their folder's
    repeats: bool = False  # whether it, or a table beside it, lists a picture more than once; the last line counts

    def rows(self, folder: str, only: str = "") -> Iterator[Row]:
        """Yield its lines, with paths relative to the folder of pictures. Raise InputError if it cannot be read.

        If all pictures lie in one archive, their paths begin with `only`, which lines may omit.
        """
        for row in read_manifest(self.path):
            path = self.above + separated(folder, relative(folder, row.path), only)
            yield replace(row, path=path if path.startswith(only) else f"{only}{path}")


def is_metadata(path: str) -> bool:
    """Return whether a file has the name of a table of labels by Hugging Face's convention."""
    return posixpath.basename(path).lower() in _METADATA


def is_table(path: str) -> bool:
    """Return whether a file has the name of a table."""
    return path.lower().endswith(MANIFEST_SUFFIXES)


def label_tables(folder: str, found: Sequence[FoundFile], config: DataConfig) -> tuple[Table, ...]:
    """Return the tables that labels come from: a configured label file or pattern has priority over the metadata files `found`."""
    if config.label_file:
        name = config.label_file
        path = name if is_remote(name) or os.path.isfile(name) else join(folder, name)
        inside = split_member(path)
        above = relative(folder, inside[0]) if inside else ""  # paths in an archive are relative to it
        return (Table(path, f"{above}/" if above and above != inside[0] else "", complete=True),)
    if config.label_pattern:
        return ()
    tables = []
    for file in sorted(found, key=lambda file: file.path):
        above = posixpath.dirname(file.path)
        tables.append(Table(join(folder, file.path), f"{above}/" if above else ""))
    return tuple(tables)


def columns(path: str) -> dict[str, str]:
    """Return the names of a table's columns for path, label and split; empty if it has no column of paths, or is not a table."""
    try:
        with open_file(path) as stream:
            head = stream.read(_LOOKED_AT).decode("utf-8-sig", "replace")
        lines = head.splitlines()
        if path.lower().endswith((".jsonl", ".ndjson")):
            row = next(iter(read_manifest(path)))
            return {"path": "path"} | ({"label": "label"} if row.label else {}) | ({"split": "split"} if row.split else {})
        delimiter = "\t" if path.lower().endswith(".tsv") else ","
        return columns_of(path, next(csv.reader(io.StringIO(lines[0] if lines else ""), delimiter=delimiter)))
    except Exception:  # whatever the file holds: it is one of many
        return {}


def unused(folder: str, files: Sequence[FoundFile]) -> list[str]:
    """Return notes on tables whose labels are not used."""
    notes = []
    for file in files[:20]:
        if "label" in columns(join(folder, file.path)):
            name = printable(file.path)
            notes.append(f"{name} has labels that are not used: data.label_file={name} takes them")
    return notes


def separated(folder: str, path: str, only: str = "") -> str:
    r"""Return a path from a table, with backslashes replaced by slashes if the file is found only in that form."""
    if "\\" not in path or is_remote(path):
        return path
    slashes = path.replace("\\", "/")
    if is_remote(folder) or only:
        return slashes
    return slashes if not os.path.exists(join(folder, path)) and os.path.exists(join(folder, slashes)) else path


class Repeats:
    """Find pictures that tables list more than once, and those with different labels, in 17 bytes per line."""

    def __init__(self) -> None:
        self._paths, self._labels, self._splits = array("q"), array("q"), bytearray()
        self._found: tuple[np.ndarray, ...] | None = None

    def add(self, row: Row) -> None:
        """Add a line."""
        self._paths.append(hash(composed(row.path)))
        self._labels.append(hash(row.label))
        self._splits.append(SPLITS.index(row.split) if row.split else len(SPLITS))

    @property
    def any(self) -> bool:
        """True if a picture is listed more than once."""
        return bool(len(self._differing()[0]))

    def notes(self, rows: Callable[[], Iterable[Row]], where: str, behind: str = "") -> list[str]:
        """Return notes on pictures with different labels.

        Args:
            rows: Reads all lines again, for an example; called only if there are such pictures.
            where: The source of the labels, in words.
            behind: Their treatment, for the end of the line.
        """
        _, labels, _ = self._differing()
        if not len(labels):
            return []
        path, first, second = _example(rows(), labels, lambda row: row.label or "none")
        count = f"{len(labels):,} pictures have" if len(labels) > 1 else "a picture has"
        such = "such as " if len(labels) > 1 else ""
        return [f"{count} different labels in {where}, {such}{path}: {first} and {second}{behind}"]

    def check_splits(self, table: str, rows: Callable[[], Iterable[Row]]) -> None:
        """Raise InputError if a table puts one picture into two splits: it would be used for both training and evaluation."""
        *_, splits = self._differing()
        if len(splits):
            path, first, second = _example(rows(), splits, lambda row: row.split or "no split")
            raise InputError(f"{ending(printable(table), 60)} names {path} more than once, for {first} and for {second}: leave one")

    def _differing(self) -> tuple[np.ndarray, ...]:
        """Return three arrays of hashes: paths that occur repeatedly, those with different labels, those with different splits."""
        if self._found is None or len(self._found[3]) != len(self._paths):
            paths, labels = np.array(self._paths), np.array(self._labels)
            order = np.argsort(paths, kind="stable")
            paths, labels, splits = paths[order], labels[order], np.frombuffer(bytes(self._splits), np.uint8)[order]
            same = paths[1:] == paths[:-1]
            differ = (labels[1:] != labels[:-1], splits[1:] != splits[:-1])
            self._found = (*(np.unique(paths[1:][same & each]) for each in (True, *differ)), paths)
        return self._found[:3]


def _example(rows: Iterable[Row], hashes: np.ndarray, describe: Callable[[Row], str]) -> tuple[str, str, str]:
    """Return one of the pictures with these hashes, and two different values for it."""
    wanted, first = set(hashes[:1000].tolist()), dict[str, str]()
    for row in rows:
        path = composed(row.path)
        if hash(path) in wanted and first.setdefault(path, describe(row)) != describe(row):
            return ending(printable(path), 40), printable(first[path])[:20], printable(describe(row))[:20]
    return "one", "one", "another"  # changed in between


def check(table: Table, folder: str, repeats: Repeats) -> tuple[int, set[str | None]]:
    """Read a table to its end; return the sum of its lines' hashes, and the splits that it names. Add its lines to `repeats`.

    Raises:
        InputError: The table cannot be read, a line is invalid, or a picture is in two splits.
    """
    total, splits = 0, set()
    for row in table.rows(folder):
        splits.add(row.split)
        repeats.add(row)
        total += hash_of(f"{row.path}\0{row.label}\0{row.split}")
    if not splits:
        raise InputError(f"{printable(table.path)} names no pictures")
    if splits != {None}:
        repeats.check_splits(table.path, lambda: table.rows(folder))
    return total, splits
