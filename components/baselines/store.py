"""Numbered folders of files, local or in a cloud store that TensorFlow may not support (s3://, azfs://)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from components.image_example_gen.storage.stores import create_stored, list_stored, open_stored, write_empty

COMPLETE = ("saved_model.pb", "complete")  # a folder with neither is still being written


def is_uri(path: str) -> bool:
    """Return whether `path` is a URI of a store and not a local path."""
    return "://" in path


def list_tree(folder: str) -> list[str]:
    """Return the files below a folder, as sorted relative paths; an empty list if the folder does not exist."""
    if not is_uri(folder):
        return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())
    root = folder.rstrip("/") + "/"
    return sorted(path[len(root) :] for path, _, _ in list_stored(root) if not path.endswith("/"))


def numbers(base: str) -> list[int]:
    """Return the numbers of the complete folders below `base`, in ascending order."""
    names = {path.partition("/")[0] for path in list_tree(base) if path.partition("/")[2] in COMPLETE}
    return sorted(int(name) for name in names if name.isdigit())


def next_number(base: str) -> int:
    """Return the highest number below `base`, of complete and incomplete folders, plus 1."""
    begun = {path.partition("/")[0] for path in list_tree(base)}
    return max((int(name) for name in begun if name.isdigit()), default=0) + 1


def read(path: str) -> bytes:
    """Return a file's bytes."""
    with open_stored(path) if is_uri(path) else open(path, "rb") as stream:
        return stream.read()


def write(path: str, data: bytes) -> None:
    """Write a file; replace an existing one."""
    if is_uri(path) and not data:
        write_empty(path)
        return
    with _writing(path) as stream:
        stream.write(data)


def upload(folder: str, target: str) -> None:
    """Copy a local folder to a store. The file that marks it complete is written last: `complete`, if it is not a SavedModel."""
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
    """Copy a folder of a store to a local folder."""
    for name in list_tree(source):
        if name == COMPLETE[1]:
            continue
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(read(f"{source}/{name}"))


def same(folder: str, target: str) -> bool:
    """Return whether a folder of a store holds the same files as a local folder."""
    names = list_tree(folder)
    if names != [name for name in list_tree(target) if name != COMPLETE[1]]:
        return False
    return all(read(os.path.join(folder, name)) == read(f"{target}/{name}") for name in names)


def add(folder: str, base: str) -> int:
    """Copy a local folder to the next number below `base`, unless the last one is equal; return the number."""
    last = numbers(base)[-1:]
    if last and same(folder, f"{base}/{last[0]}"):
        return last[0]
    number = next_number(base)
    upload(folder, f"{base}/{number}")
    return number


def newest_first(base: str) -> Iterator[tuple[int, str]]:
    """Yield the numbers and paths of the complete folders below `base`, the last one first."""
    for number in reversed(numbers(base)):
        yield number, f"{base}/{number}"


def _writing(path: str) -> BinaryIO:
    if not is_uri(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return open(path, "wb")
    return create_stored(path)
