"""Units of work: each is read, decoded and written by one worker."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from components.image_example_gen.sources import IdxPictures, Sources


@dataclass(frozen=True)
class FileShard:
    """Picture files to read.

    Attributes:
        index: Place among all shards, from 0: it decides where the pictures stand in the output.
        folder: The folder that the paths are relative to.
        paths: The files.
        split_folders: Whether their first folder names the split.
    """

    index: int
    folder: str
    paths: tuple[str, ...]
    split_folders: bool


@dataclass(frozen=True)
class IdxShard:
    """A range of an IDX file.

    Attributes:
        index: Place among all shards, from 0.
        folder: The folder that the file's path is relative to.
        idx: The file.
        start: The first picture.
        stop: One behind the last picture.
    """

    index: int
    folder: str
    idx: IdxPictures
    start: int
    stop: int


def plan_shards(sources: Sources, pictures_per_shard: int) -> list[FileShard | IdxShard]:
    """Divides all pictures into shards of at most `pictures_per_shard`; the same sources give the same plan."""
    shards: list[FileShard | IdxShard] = []
    for paths in _chunks(_mixed(sources), pictures_per_shard):
        shards.append(FileShard(len(shards), sources.folder, paths, sources.split_folders))
    for idx in sources.idx:
        for start in range(0, idx.shape[0], pictures_per_shard):
            stop = min(start + pictures_per_shard, idx.shape[0])
            shards.append(IdxShard(len(shards), sources.folder, idx, start, stop))
    return shards


def _mixed(sources: Sources) -> list[str]:
    """The picture files split by split, and in each in the order of a hash of the path.

    Sorted by name they would be sorted by label: training shuffles within a window, and would see one label at a time.
    """

    def place(path: str) -> tuple[str, bytes]:
        return sources.split_of(path) or "", hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()

    return sorted(sources.pictures, key=place)


def _chunks(paths: list[str], size: int) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(paths), size):
        yield tuple(paths[start : start + size])
