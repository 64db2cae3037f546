"""Numbered folders of files, on this machine or in a cloud store that TensorFlow may not know (s3://, azfs://)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from components.image_example_gen.storage.stores import create_stored, list_stored, open_stored, write_empty

COMPLETE = ("saved_model.pb", "complete")  # a folder without either is one that is still being written


def is_uri(path: str) -> bool:
    """Whether `path` is a URI of a store, and no path of this machine."""
    return "://" in path


def list_tree(folder: str) -> list[str]:
    """The files below a folder, relative to it and sorted; none where there is no such folder."""
    if not is_uri(folder):
        return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())
    root = folder.rstrip("/") + "/"
    return sorted(path[len(root) :] for path, _, _ in list_stored(root) if not path.endswith("/"))


def numbers(base: str) -> list[int]:
    """The numbers of the complete folders below `base`, in order."""
    found = {path.partition("/")[0] for path in list_tree(base) if path.partition("/")[2] in COMPLETE}
    return sorted(int(name) for name in found if name.isdigit())


def next_number(base: str) -> int:
    """One above all numbers that have been begun."""
    begun = {path.partition("/")[0] for path in list_tree(base)}
    return max((int(name) for name in begun if name.isdigit()), default=0) + 1


def read(path: str) -> bytes:
    """A file's bytes."""
    with open_stored(path) if is_uri(path) else open(path, "rb") as stream:
        return stream.read()


def write(path: str, data: bytes) -> None:
    """Writes a file, in place of one that is there."""
    if is_uri(path) and not data:
        write_empty(path)
        return
    with _writing(path) as stream:
        stream.write(data)


def upload(folder: str, target: str) -> None:
    """Copies a local folder into a store; the file that makes it complete comes last.

    Args:
        folder: The folder. If it is no SavedModel, an empty file `complete` is added to the copy.
        target: Where to.
    """
    names = sorted(list_tree(folder), key=lambda name: (name in COMPLETE, name))
    for name in names:
        path = os.path.join(folder, name)
        if not os.path.getsize(path):
            write(f"{target}/{name}", b"")
            continue
        with open(path, "rb") as source, _writing(f"{target}/{name}") as stream:
            shutil.copyfileobj(source, stream)
    if not names or names[-1] not in COMPLETE:
        write(f"{target}/{COMPLETE[1]}", b"")


def download(source: str, folder: str) -> None:
    """Copies a folder of a store to this machine."""
    for name in list_tree(source):
        if name == COMPLETE[1]:
            continue
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(read(f"{source}/{name}"))


def same(folder: str, target: str) -> bool:
    """Whether a folder of a store holds the very files that a local folder does."""
    names = list_tree(folder)
    if names != [name for name in list_tree(target) if name != COMPLETE[1]]:
        return False
    return all(read(os.path.join(folder, name)) == read(f"{target}/{name}") for name in names)


def add(folder: str, base: str) -> int:
    """Copies a local folder to the next number below `base`, unless the last one holds the same; gives the number."""
    last = numbers(base)[-1:]
    if last and same(folder, f"{base}/{last[0]}"):
        return last[0]
    number = next_number(base)
    upload(folder, f"{base}/{number}")
    return number


def newest_first(base: str) -> Iterator[tuple[int, str]]:
    """The complete folders below `base` with their numbers, the last one first."""
    for number in reversed(numbers(base)):
        yield number, f"{base}/{number}"


def _writing(path: str) -> BinaryIO:
    if not is_uri(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return open(path, "wb")
    return create_stored(path)
