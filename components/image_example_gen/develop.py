"""From what was read to examples: decoded, measured, hashed, assigned to a split and serialised; on several threads."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.sources import Entry
from components.image_example_gen.example import Row, serialize
from components.image_example_gen.found import Block, Encoded, Rejected
from components.image_example_gen.pictures import (
    ALIKE,
    decode_alike,
    digest_of,
    encode_bmps,
    encode_png,
    exposure,
    mean_and_std,
    means_and_stds,
    read_picture,
)
from components.image_example_gen.readers.arrays import ArrayPictures
from components.image_example_gen.splits import SplitRule
from components.image_example_gen.storage.files import is_remote, join, printable, read_bytes
from components.image_example_gen.units import ContainerUnit, FileUnit
from serving.picture_files import PictureFile, Refused, read_picture_file

# What one thread takes at a time: enough that handing it over costs nothing, little enough to hold several.
_GROUP, _GROUP_BYTES = ALIKE, 4 << 20
_THREADS = 2
# Below so many bytes a picture's share of Python is larger than that of the decoder: two threads would wait for each other.
_SMALL_FILE = 16 << 10
_THREADS_REMOTE = 16  # a store answers late, and many at once


class Developed(NamedTuple):
    """A picture that became an example.

    Attributes:
        split: Its split.
        digest: SHA-256 of its pixels.
        row: What the example says.
        record: The serialised example.
    """

    split: str
    digest: bytes
    row: Row
    record: bytes


@dataclass(frozen=True)
class Developer:
    """Makes examples of what units hold.

    Attributes:
        rule: Which split a picture belongs to.
        config: How pictures are read.
    """

    rule: SplitRule
    config: DataConfig

    def develop(self, unit: FileUnit | ContainerUnit) -> Iterator[Developed | Rejected]:
        """Yields a unit's examples in its order, and what is refused.

        Raises:
            InputError: A file of many pictures cannot be read.
        """
        if isinstance(unit, ContainerUnit):
            yield from _in_order(self._container(unit), 1 if isinstance(unit.container, ArrayPictures) else _THREADS)
            return
        entries = list(unit.entries())
        threads = _THREADS if sum(entry.size for entry in entries) > _SMALL_FILE * len(entries) else 1
        if any(is_remote(join(unit.folder, entry.path)) for entry in entries):
            threads = _THREADS_REMOTE
        yield from _in_order(self._files(unit.folder, entries), threads)

    def _files(self, folder: str, entries: Sequence[Entry]) -> Iterator[Callable[[], list[Developed | Rejected]]]:
        for group in _grouped(entries, lambda entry: max(entry.size, 0)):
            yield lambda group=group: self._developed([self._read(folder, entry) for entry in group])

    def _container(self, unit: ContainerUnit) -> Iterator[Callable[[], list[Developed | Rejected]]]:
        items = unit.read(self.config)
        for is_block, run in itertools.groupby(items, lambda item: isinstance(item, Block)):
            if is_block:
                for block in run:
                    yield lambda block=block: self._block(block)
                continue
            for group in _grouped(run, lambda item: len(getattr(item, "data", b""))):
                yield lambda group=group: self._developed(group)

    def _read(self, folder: str, entry: Entry) -> Encoded | Rejected:
        try:
            data = read_bytes(join(folder, entry.path), self.config.max_file_megabytes)
        except Refused as refused:
            return Rejected(entry.path, refused.reason)
        return Encoded(entry.path, entry.label or "", entry.split, data)

    def _developed(self, group: Sequence[Encoded | Rejected]) -> list[Developed | Rejected]:
        return self._alike(group) or [self._decoded(item) for item in group]

    def _alike(self, group: Sequence[Encoded | Rejected]) -> list[Developed] | None:
        """A whole group at once, None if its pictures are not small, of one size, and sound."""
        if len(group) != ALIKE or any(isinstance(item, Rejected) for item in group):
            return None
        try:
            files = [read_picture_file(item.data, self.config.max_megapixels) for item in group]
        except Refused:
            return None
        pixels = decode_alike(files)
        if pixels is None:
            return None
        each = zip(group, files, pixels, means_and_stds(pixels), strict=True)
        return [self._measured(item.path, item.label, item.split, *rest) for item, *rest in each]

    def _decoded(self, item: Encoded | Rejected) -> Developed | Rejected:
        if isinstance(item, Rejected):
            return Rejected(printable(item.path), item.reason)
        try:
            file, pixels = read_picture(item.data, self.config.max_megapixels)
        except Refused as refused:
            return Rejected(printable(item.path), refused.reason)
        return self._measured(item.path, item.label, item.split, file, pixels, mean_and_std(pixels))

    def _block(self, block: Block) -> list[Developed]:
        pixels, channels = block.pixels, block.pixels.shape[-1]
        if channels == 2:
            files = [PictureFile(encode_png(one), "png") for one in pixels]
        else:
            files = [PictureFile(data, "bmp") for data in encode_bmps(pixels)]
        each = zip(block.labels, files, pixels, means_and_stds(pixels), strict=True)
        return [
            self._measured(f"{block.path}#{number}", label, block.split, *rest)
            for number, (label, *rest) in enumerate(each, block.first)
        ]

    def _measured(
        self, path: str, label: str, split: str | None, file: PictureFile, pixels: np.ndarray, moments: tuple[float, float]
    ) -> Developed:
        digest = digest_of(pixels)
        sha256 = digest.hex()
        row = Row(
            file.data,
            file.format,
            file.reencoded_from,
            printable(label),
            printable(path),
            sha256,
            *pixels.shape,
            *moments,
            exposure(*moments),
        )
        return Developed(self.rule.split_of(split, sha256, path), digest, row, serialize(row))


def _grouped(items: Iterable, size_of: Callable[[object], int]) -> Iterator[list]:
    group, size = [], 0
    for item in items:
        group.append(item)
        size += size_of(item)
        if len(group) >= _GROUP or size >= _GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _in_order(work: Iterable[Callable[[], list]], threads: int) -> Iterator:
    """Yields the results of all pieces of work, done on several threads, in their order; few are ever held."""
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[list]] = deque()
        try:
            for piece in work:
                waiting.append(pool.submit(piece))
                if len(waiting) > 2 * threads:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
