"""Convert the read items to examples: decode, measure, hash, assign to a split and serialize; on several threads."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Block, Encoded, Entry, Rejected
from components.image_example_gen.splits import SplitRule
from components.image_example_gen.storage.files import is_remote, join, local_path, printable, read_bytes
from components.image_example_gen.writing import pictures
from components.image_example_gen.writing.example import Row, serialize
from components.image_example_gen.writing.units import ContainerUnit, FileUnit
from serving.picture_files import PictureFile, Refused, all_pictures, read_picture_file

# The load of one task: large enough to make its overhead negligible, small enough to hold several.
_GROUP, _GROUP_BYTES = pictures.ALIKE, 4 << 20
_LARGE_BYTES = 1 << 20  # of pictures too large for that: few per task, or one thread would finish long after the others
_THREADS = 2
# Below this size, Python's share of the time is larger than the decoder's: two threads would wait for each other.
_SMALL_FILE = 16 << 10
_THREADS_REMOTE = 16  # a store has a high latency, and answers many requests at once
_ANY = (Exception,)  # any error due to one picture must not affect the others
_Work = Callable[[], "Iterable[Decoded | Rejected]"]  # for one thread


class Decoded(NamedTuple):
    """A picture as an example."""

    split: str
    digest: bytes  # SHA-256 of its pixels
    row: Row
    record: bytes  # the serialized example
    # notes for the user. `pages` or `frames`: those after the first were skipped; `deep`: bits of its levels were cut; `dim`: its
    # levels are 0 and 1, of 255; `profile`: its color profile was converted
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Part(Encoded):
    """A page or frame, which was read already, with its notes."""

    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExampleDecoder:
    """Convert the items of units to examples."""

    rule: SplitRule
    config: DataConfig

    def decode(self, unit: FileUnit | ContainerUnit) -> Iterator[Decoded | Rejected]:
        """Yield a unit's examples in order, and rejects. Raise InputError if a container file cannot be read."""
        if isinstance(unit, ContainerUnit):
            yield from _in_order(self._container(unit), _THREADS)
            return
        entries = list(unit.entries())
        small = sum(entry.size for entry in entries) <= _SMALL_FILE * len(entries)
        if any(is_remote(local_path(path)) for path in (unit.folder, *(entry.path for entry in entries))):
            yield from _in_order(self._files(unit.folder, entries), _THREADS_REMOTE)
        elif small or self._takes_parts:  # a file's parts are read in sequence: together they may not fit into memory
            yield from _in_order(self._grouped(self._read(unit.folder, entry) for entry in entries), 1 if small else _THREADS)
        else:
            yield from _in_order(self._files(unit.folder, entries), _THREADS)

    def _files(self, folder: str, entries: Sequence[Entry]) -> Iterator[_Work]:
        for group in _grouped(entries, lambda entry: max(entry.size, 0)):
            yield lambda group=group: self._decode_group([self._read(folder, entry) for entry in group])

    def _container(self, unit: ContainerUnit) -> Iterator[_Work]:
        items = unit.read(self.config)
        for is_block, run in itertools.groupby(items, lambda item: isinstance(item, Block)):
            if is_block:
                for block in run:
                    yield lambda block=block: self._block(block)
            else:
                yield from self._grouped(run)

    def _grouped(self, items: Iterable[Encoded | Rejected]) -> Iterator[_Work]:
        parts = (part for item in items for part in self._parts(item)) if self._takes_parts else items
        for group in _grouped(parts, lambda item: len(getattr(item, "data", b""))):
            yield lambda group=group: self._decode_group(group)

    @property
    def _takes_parts(self) -> bool:
        return "all" in (self.config.pages, self.config.frames)

    def _parts(self, item: Encoded | Rejected) -> Iterator[Encoded | Rejected]:
        """Yield the pages or frames of a picture file if all of them are configured, else the file."""
        config, result = self.config, None
        if isinstance(item, Encoded) and not item.reencoded_from:
            result = all_pictures(item.data, config.pictures, config.pages == "all", config.frames == "all")
        if result is None:
            yield item
            return
        for number, part in enumerate(result):
            path = f"{item.path}#{number}"
            if isinstance(part, Refused):
                yield Rejected(path, part.reason)
            else:
                yield _Part(path, item.label, item.split, part.data, part.reencoded_from, part.notes)

    def _read(self, folder: str, entry: Entry) -> Encoded | Rejected:
        try:
            data = read_bytes(join(folder, entry.path), self.config.max_file_megabytes)
        except _ANY as error:
            return _rejected(entry.path, error)
        return Encoded(entry.path, entry.label or "", entry.split, data)

    def _decode_group(self, group: Sequence[Encoded | Rejected]) -> Iterable[Decoded | Rejected]:
        return self._alike(group) or [self._decoded(item) for item in group]

    def _alike(self, group: Sequence[Encoded | Rejected]) -> Iterator[Decoded | Rejected] | None:
        """Return examples of a whole group at once, or None if its pictures are not small, of one size, and valid."""
        # They are decoded here, without Python's lock, and measured by the thread that consumes them: work that needs the lock is
        # best done by one thread.
        if len(group) != pictures.ALIKE or any(isinstance(item, Rejected) or item.reencoded_from for item in group):
            return None
        try:
            options = self.config.pictures
            files = [read_picture_file(item.data, options) for item in group]
            pixels = pictures.decode_alike(files, options.depth)
            if pixels is None:
                return None
            moments = pictures.means_and_stds(pixels)
        except _ANY:  # decoding them one by one will show the faulty one
            return None
        each = zip(group, files, pixels, moments, strict=True)
        return (self._measured(item.path, item.label, item.split, *rest) for item, *rest in each)

    def _decoded(self, item: Encoded | Rejected) -> Decoded | Rejected:
        if isinstance(item, Rejected):
            return replace(item, path=printable(item.path))
        try:
            if item.reencoded_from:
                file = PictureFile(item.data, "png", item.reencoded_from, notes=getattr(item, "notes", ()))
                pixels = pictures.decode(file, self.config.depth)
            else:
                file, pixels = pictures.read_picture(item.data, self.config.pictures)
            return self._measured(item.path, item.label, item.split, file, pixels, pictures.mean_and_std(pixels))
        except _ANY as error:
            return _rejected(item.path, error)

    def _block(self, block: Block) -> Iterable[Decoded | Rejected]:
        pixels, channels = block.pixels, block.pixels.shape[-1]
        try:
            if channels == 2 or pixels.itemsize > 1:
                files = [PictureFile(pictures.encode_png(one), "png") for one in pixels]
            else:
                files = [PictureFile(data, "bmp") for data in pictures.encode_bmps(pixels)]
            if self.config.depth == 16 and pixels.itemsize == 1:
                pixels = pictures.in_16_bits(pixels)
            moments = pictures.means_and_stds(pixels)
        except _ANY as error:
            return [_rejected(f"{block.path}#{block.first + n}", error) for n in range(len(pixels))]
        each = enumerate(zip(block.labels, files, pixels, moments, strict=True), block.first)
        result = (self._measured(f"{block.path}#{number}", label, block.split, *rest) for number, (label, *rest) in each)
        return result if pixels[0].size <= pictures.SMALL else list(result)  # as in `_alike`

    def _measured(
        self, path: str, label: str, split: str | None, file: PictureFile, pixels: np.ndarray, moments: tuple[float, float]
    ) -> Decoded | Rejected:
        try:
            digest = pictures.digest_of(pixels)
            sha256, names = digest.hex(), (printable(label), printable(path))
            row = Row(
                file.data, file.format, file.reencoded_from, *names, sha256, *pixels.shape, *moments, pictures.exposure(*moments)
            )
            notes = (*file.notes, "dim") if pictures.is_dim(pixels, moments[0]) else file.notes
            return Decoded(self.rule.split_of(split, sha256, path), digest, row, serialize(row), notes)
        except _ANY as error:
            return _rejected(path, error)


def _rejected(path: str, error: Exception) -> Rejected:
    known = isinstance(error, Refused)
    return Rejected(printable(path), error.reason if known else reasons.UNFORESEEN.format(type(error).__name__))


def _grouped(items: Iterable, size_of: Callable[[object], int]) -> Iterator[list]:
    group, size = [], 0
    for item in items:
        group.append(item)
        size += size_of(item)
        limit = _GROUP_BYTES if size * _GROUP <= _GROUP_BYTES * len(group) else _LARGE_BYTES
        if len(group) >= _GROUP or size >= limit:
            yield group
            group, size = [], 0
    if group:
        yield group


def _in_order(work: Iterable[Callable[[], Iterable]], threads: int) -> Iterator:
    """Yield the results of tasks on several threads, in order, a few at a time; a generator that a task returns is consumed here."""
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Iterable]] = deque()
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
