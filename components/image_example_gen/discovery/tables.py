"""Tables of labels that lie beside pictures: the label file, and metadata.csv as Hugging Face's imagefolder has it."""

from __future__ import annotations

import csv
import io
import os
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.entry import hash_of
from components.image_example_gen.discovery.manifests import MANIFEST_SUFFIXES, Row, columns_of, read_manifest
from components.image_example_gen.storage.files import FoundFile, is_remote, join, open_file, printable, relative
from trainer.errors import InputError

_METADATA = ("metadata.csv", "metadata.jsonl")
_LOOKED_AT = 1 << 20  # bytes of a table in which its columns are looked for


@dataclass(frozen=True)
class Table:
    """A table of labels.

    Attributes:
        path: Where it is.
        above: The folder, with a slash behind it, that its paths are relative to, itself relative to the folder of pictures.
        complete: Whether what it does not name has no label; else that keeps its folder's.
    """

    path: str
    above: str = ""
    complete: bool = False

    def rows(self, folder: str, only: str = "") -> Iterator[Row]:
        """Yields its lines, their paths relative to the folder of pictures.

        Args:
            folder: That folder.
            only: What all pictures' paths begin with, where they lie in one archive; a line may leave it out.

        Raises:
            InputError: It cannot be read.
        """
        for row in read_manifest(self.path):
            path = self.above + separated(folder, relative(folder, row.path), only)
            yield replace(row, path=path if path.startswith(only) else f"{only}{path}")


def is_metadata(path: str) -> bool:
    """Whether a file is called like a table of labels by Hugging Face's convention."""
    return posixpath.basename(path).lower() in _METADATA


def is_table(path: str) -> bool:
    """Whether a file is called like a table."""
    return path.lower().endswith(MANIFEST_SUFFIXES)


def label_tables(folder: str, found: Sequence[FoundFile], config: DataConfig) -> tuple[Table, ...]:
    """The tables that labels come from.

    Args:
        folder: The folder of pictures.
        found: The files in it that are called metadata.
        config: A label file or pattern is asked for before these.
    """
    if config.label_file:
        name = config.label_file
        return (Table(name if is_remote(name) or os.path.isfile(name) else join(folder, name), complete=True),)
    if config.label_pattern:
        return ()
    tables = []
    for file in sorted(found, key=lambda file: file.path):
        above = posixpath.dirname(file.path)
        tables.append(Table(join(folder, file.path), f"{above}/" if above else ""))
    return tuple(tables)


def columns(path: str) -> dict[str, str]:
    """What a table's columns are called that say path, label and split; empty where it has no column of paths, or is no table."""
    try:
        with open_file(path) as stream:
            head = stream.read(_LOOKED_AT).decode("utf-8-sig", "replace")
        lines = head.splitlines()
        if path.lower().endswith((".jsonl", ".ndjson")):
            row = next(iter(read_manifest(path)))
            return {"path": "path"} | ({"label": "label"} if row.label else {}) | ({"split": "split"} if row.split else {})
        delimiter = "\t" if path.lower().endswith(".tsv") else ","
        return columns_of(path, next(csv.reader(io.StringIO(lines[0] if lines else ""), delimiter=delimiter)))
    except Exception:  # whatever it holds: it is one of many files
        return {}


def unused(folder: str, files: Sequence[FoundFile]) -> list[str]:
    """What to say of tables that have labels and are not used."""
    said = []
    for file in files[:20]:
        if "label" in columns(join(folder, file.path)):
            name = printable(file.path)
            said.append(f"{name} has labels that are not used: data.label_file={name} takes them")
    return said


def separated(folder: str, path: str, only: str = "") -> str:
    r"""A path as it is written in a table; its backslashes are separators where that finds the file."""
    if "\\" not in path or is_remote(path):
        return path
    slashes = path.replace("\\", "/")
    if is_remote(folder) or only:
        return slashes
    return slashes if not os.path.exists(join(folder, path)) and os.path.exists(join(folder, slashes)) else path


def check(table: Table, folder: str) -> tuple[int, set[str | None]]:
    """Reads a table to its end: the sum of its lines' hashes, and the splits that it names.

    Raises:
        InputError: It cannot be read, or a line makes no sense.
    """
    total, splits = 0, set()
    for row in table.rows(folder):
        splits.add(row.split)
        total += hash_of(f"{row.path}\0{row.label}\0{row.split}")
    if not splits:
        raise InputError(f"{printable(table.path)} names no pictures")
    return total, splits
