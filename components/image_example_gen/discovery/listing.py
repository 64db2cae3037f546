"""The list of picture files for the workers. It is on disk, because there may be millions."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from json.encoder import encode_basestring_ascii as _quoted
from pathlib import Path

import tensorflow as tf

from components.image_example_gen.discovery.manifests import Row
from components.image_example_gen.items import Entry
from components.image_example_gen.layout import composed

_BUFFERED = 1 << 16  # bytes buffered per part before writing
_PLACE = 64  # characters at the start of a line that hold its place


class Listing:
    """A list of picture files that is written once and then divided into parts, one per worker.

    Each part holds the files whose path hashes are in one range. Sorted by name, the files would be sorted by label, and a
    worker's pictures would not be representative. The parts also do not depend on the order in which the file system lists files.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="darkroom-listing-")
        self._path = Path(self._folder.name, "all")
        self._stream = self._path.open("w", encoding="ascii")

    def __enter__(self) -> Listing:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Delete the list."""
        self._stream.close()
        self._folder.cleanup()

    def add(self, entry: Entry) -> None:
        """Add a file."""
        # Without a manifest there are only path and size: formatting them by hand takes a fifth of the time.
        text = f"[{_quoted(entry.path)}, {entry.size}, null, null]" if entry[2:] == (None, None) else json.dumps(entry)
        self._stream.write(f"{place(entry.path)}{text}\n")

    def divide(self, parts: int, folder: str, name: str) -> list[str]:
        """Write the list in `parts` files to a folder that every worker can read; return their paths, which begin with `name`."""
        self._stream.flush()
        with self._path.open(encoding="ascii") as lines:
            placed = ((_part_of(line, parts), line) for line in lines)
            return _divide(placed, parts, folder, name, self._folder.name)


def divide_rows(rows: Iterable[Row], parts: int, archives: Sequence[str], folder: str, name: str) -> list[str]:
    """Divide the lines of a label file so that each part matches the corresponding part of the pictures.

    Args:
        rows: The lines; their paths are relative to the folder of pictures.
        parts: Number of parts into which `Listing.divide` divides the picture files; one for each archive follows.
        archives: The paths of the archives.
        folder: See `Listing.divide`.
        name: See `Listing.divide`.
    """
    places = {path: number for number, path in enumerate(archives, parts)}

    def part_of(path: str) -> int | None:
        above = (path[:at] for at, letter in enumerate(path) if letter == "/")
        inside = next((places[folder] for folder in above if folder in places), None) if places else None
        return inside if inside is not None else _part_of(place(path), parts) if parts else None

    placed = ((part_of(row.path), f"{place(row.path)}{json.dumps([row.path, row.label, row.split])}\n") for row in rows)
    with tempfile.TemporaryDirectory(prefix="darkroom-labels-") as local:
        known = ((number, line) for number, line in placed if number is not None)
        return _divide(known, parts + len(archives), folder, name, local)


def read_part(path: str) -> list[list]:
    """Return the lines of a part, in the order of the hashes of their paths."""
    with tf.io.gfile.GFile(path) as stream:
        lines = sorted(stream.read().splitlines(), key=lambda line: line[:_PLACE])
    return json.loads(f"[{','.join(line[_PLACE:] for line in lines)}]")


def place(path: str) -> str:
    """Return a path's sort key, which begins its line: the SHA-256 of its composed Unicode form, equal on all file systems."""
    return hashlib.sha256(composed(path).encode("utf-8", "surrogateescape")).hexdigest()


def _part_of(line: str, parts: int) -> int:
    return int(line[:14], 16) * parts >> 56


def _divide(lines: Iterator[tuple[int, str]], parts: int, folder: str, name: str, local: str) -> list[str]:
    names = [f"{name}-{number:05d}" for number in range(parts)]
    buffers: list[list[str]] = [[] for _ in names]
    sizes = [0] * parts

    def flush(number: int) -> None:
        with open(os.path.join(local, names[number]), "a", encoding="ascii") as stream:
            stream.writelines(buffers[number])
        buffers[number], sizes[number] = [], 0

    for number, line in lines:
        buffers[number].append(line)
        sizes[number] += len(line)
        if sizes[number] > _BUFFERED:
            flush(number)
    for number, part in enumerate(names):
        flush(number)
        tf.io.gfile.copy(os.path.join(local, part), os.path.join(folder, part), overwrite=True)
        os.remove(os.path.join(local, part))
    return [os.path.join(folder, part) for part in names]
