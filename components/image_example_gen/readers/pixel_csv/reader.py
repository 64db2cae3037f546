"""Read CSVs of pixels with a picture per row: Kaggle's digits and Fashion-MNIST, FER2013, and similar ones."""

from __future__ import annotations

import contextlib
import functools
import math
import posixpath
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from common.errors import InputError
from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Block, Rejected
from components.image_example_gen.readers.arrays.levels import Levels
from components.image_example_gen.readers.beginnings import GZIP, open_unpacked, square_of, starts_with
from components.image_example_gen.readers.container import Container, blocks_and_rejects, unreadable
from components.image_example_gen.readers.own_labels import OwnSplits, check_label_names, split_said
from components.image_example_gen.readers.pixel_csv.layout import NUMBER, Layout, layout_of
from components.image_example_gen.readers.pixel_csv.rows import Rows, parse_rows, rows_of, usages_of
from components.image_example_gen.splits import split_in_name
from components.image_example_gen.storage.files import FoundFile, join, open_file
from components.image_example_gen.storage.streams import read_until_damage, skip
from serving.picture_files import Refused

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_HEAD, _MAX_HEAD = 1 << 20, 32 << 20  # bytes that identify the layout: usually, and for long rows
_BLOCK_BYTES = 1 << 19  # of text parsed at once: it stays in the processor's cache
_ARROW_BLOCK_BYTES = 1 << 22  # the same for fractions: Arrow has overhead per column
_MAX_ROW = 64 << 20  # bytes; longer data without a line end is not a row
_HIGHEST = 2**40  # maximum value inspected as a level
_DARK = 63  # a maximum level that suggests that white is not 255


@dataclass(frozen=True)
class PixelCsv(Container):
    """The pictures of one CSV; see `Container`."""

    layout: Layout
    levels: Levels  # the numbers that are black and white
    block: int = _BLOCK_BYTES  # bytes of text parsed at once
    marks: tuple[tuple[int, int], ...] = ()  # rows at which reading can start, each with its offset in bytes
    packed: bool = False

    def units(self, size: int) -> list[tuple[int, int]]:
        """Divide the rows into ranges of about `size`, at rows with known offsets."""
        cuts = [0]
        for row, _ in self.marks:
            if row - cuts[-1] >= size:
                cuts.append(row)
        return list(zip(cuts, [*cuts[1:], self.count], strict=True))

    def _items(self, folder: str, start: int, stop: int, config: DataConfig) -> Iterator[Block | Rejected]:
        at, offset = max(mark for mark in ((0, self.layout.offset), *self.marks) if mark[0] <= start)
        blocks = _blocks(join(folder, self.path), self.packed, self.layout, offset, self.block)
        while at < stop or stop == self.count:  # the last range reads to the end, to report damage there
            try:
                _, block = next(blocks)
                rows = parse_rows(block, self.layout)
            except StopIteration:
                break
            except Exception:  # errors of gzip, of a store ...
                yield Rejected(f"{self.path}#{at}", reasons.CSV_CUT_SHORT, max(1, stop - at))
                return
            yield from self._pictures(rows, at, start, stop, config.label_names)
            at += rows.count
        if at < stop:
            yield Rejected(f"{self.path}#{at}", reasons.CSV_CUT_SHORT, stop - at)

    def _pictures(self, rows: Rows, at: int, start: int, stop: int, names: Sequence[str]) -> Iterator[Block | Rejected]:
        """Yield the pictures with indices `start` to `stop` among some rows, whose first has index `at`."""
        pixels, refused = _pixels(rows.numbers, self.levels)
        pixels = np.ascontiguousarray(pixels).reshape(len(pixels), *self.picture_shape)
        labels = self._labels(rows, names)
        splits = [split_said(usage.decode("utf-8", "replace")) or self.split for usage in rows.usages] or [self.split] * len(pixels)
        good = rows.good.tolist()
        if len(good) < rows.count:  # rejected rows become black
            refused = {good[index]: reason for index, reason in refused.items()}
            refused |= dict.fromkeys(set(range(rows.count)).difference(good), reasons.CSV_ROW.format(self.layout.length))
            read, pixels = pixels, np.zeros((rows.count, *self.picture_shape), pixels.dtype)
            pixels[good] = read
            named = dict(zip(good, zip(labels, splits)))
            labels, splits = zip(*(named.get(row, ("", None)) for row in range(rows.count)))
        begin, end = max(0, start - at), min(rows.count, stop - at)
        refused = {place - begin: reason for place, reason in refused.items() if begin <= place < end}
        yield from blocks_and_rejects(self.path, at + begin, labels[begin:end], splits[begin:end], pixels[begin:end], refused)

    def _labels(self, rows: Rows, names: Sequence[str]) -> list[str]:
        if self.layout.label is None:
            return [""] * len(rows.numbers)
        read = [_label(label) for label in rows.labels]
        numbers = [number for _, number in read if number is not None] if names else []
        if numbers:
            check_label_names(self.path, min(numbers), max(numbers), names)
        return [names[number] if names and number is not None else text for text, number in read]


def is_mine(path: str) -> bool:
    """Return whether a file has a CSV's name."""
    return path.lower().endswith(SUFFIXES)


def is_pixels(path: str, head: bytes) -> bool:
    """Return whether a CSV holds pixels, by its first stored bytes; a megabyte is enough for all but very long rows."""
    if not is_mine(path):
        return False
    try:
        if head.startswith(GZIP):
            head = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, _HEAD)
        return layout_of(head) is not None
    except (zlib.error, ValueError):
        return False


def find(folder: str, file: FoundFile, config: DataConfig) -> PixelCsv | Rejected | None:
    """Return the pictures of a CSV, or None if it does not hold pixels; the file is read once to count its rows."""
    try:
        return _inspect(folder, file, config)
    except InputError:
        raise
    except Refused as refused:
        return Rejected(file.path, refused.reason)
    except EOFError:  # from gzip
        return Rejected(file.path, reasons.CSV_TRUNCATED.format(file.size))
    except Exception as error:  # errors of gzip, of a store ...
        return unreadable(file, error)


def _inspect(folder: str, file: FoundFile, config: DataConfig) -> PixelCsv | Rejected | None:
    path = join(folder, file.path)
    packed = starts_with(path, GZIP)
    head = _head(path, packed)
    layout = layout_of(head, config.label_column, math.prod(config.shape) if config.shape else None)
    if layout is None:
        return None
    shape = _shape(layout.length, config)
    sample = _sample(head, layout)
    levels = _levels(path, packed, layout, sample, config)
    block = _ARROW_BLOCK_BYTES if sample.dtype.kind == "f" else _BLOCK_BYTES
    splits = OwnSplits()
    counted = replace(layout, usage=layout.usage if config.heeds_splits else None)
    count, marks = _count(path, packed, counted, config.pictures_per_shard, block, splits)
    if isinstance(levels, str):
        return Rejected(file.path, levels, max(1, count))
    stem = re.sub(r"\.[ct]sv(\.gz)?$", "", posixpath.basename(file.path), flags=re.IGNORECASE)
    facts = splits.facts(file.path, "its column of splits", _notes(layout, sample, levels))
    return PixelCsv(file.path, split_in_name(stem), count, layout, levels, block, marks, packed, picture_shape=shape, **facts)


def _head(path: str, packed: bool) -> bytes:
    """Return the first bytes, decompressed: a header and at least two rows, unless these are too long."""
    with open_unpacked(path, packed) as unpacked:
        head, error = read_until_damage(unpacked, _HEAD)
        while len(head) < _MAX_HEAD and max(head.count(b"\n"), head.count(b"\r")) < 3 and error is None:
            piece, error = read_until_damage(unpacked, _HEAD)
            head += piece
            if not piece:
                break
    if error is not None and (not head or isinstance(error, EOFError) and max(head.count(b"\n"), head.count(b"\r")) < 2):
        raise error
    return head


def _shape(length: int, config: DataConfig) -> tuple[int, int, int]:
    """Return height, width and channels; raise if they are unknown."""
    shape = config.shape or square_of(length)
    if shape is None:
        raise Refused(reasons.CSV_NO_SQUARE.format(length))
    if math.prod(shape) != length:
        raise Refused(reasons.CSV_OTHER_SHAPE.format(length, " x ".join(map(str, shape))))
    if shape[2] > 4:
        raise Refused(reasons.CSV_CHANNELS)
    return shape


def _sample(head: bytes, layout: Layout) -> np.ndarray:
    """Return the numbers of the first rows."""
    text = head[layout.offset :]
    end = text.rfind(layout.newline, 0, max(_HEAD, text.find(layout.newline) + 1))
    return parse_rows(text if end < 0 else text[: end + 1], layout).numbers


def _levels(path: str, packed: bool, layout: Layout, sample: np.ndarray, config: DataConfig) -> Levels | str:
    """Return the numbers that are black and white; or why they are unknown."""
    white = config.levels or 255
    levels = Levels(white, deep=config.depth == 16 and white > 255)
    if not len(sample):
        return levels
    low, high = float(sample.min()), float(sample.max())
    # A single deviating row is rejected by itself when it is read.
    broken = (sample != np.floor(sample)).any(axis=1).mean() > 0.5
    outside = config.levels is None and ((sample < 0) | (sample > 255)).any(axis=1).mean() > 0.5
    if config.range is not None and (sample.dtype.kind == "f" or outside):
        return Levels(low=config.range[0], high=config.range[1], deep=config.depth == 16)
    if broken:
        return reasons.CSV_FRACTIONS
    if outside:
        return reasons.CSV_LEVELS.format(low, high)
    return Levels(1) if config.levels is None and high <= 1 and _is_binary(path, packed, layout) else levels


def _is_binary(path: str, packed: bool, layout: Layout) -> bool:
    """Return whether all pixels are 0 or 1; stop at the first that is not."""
    with contextlib.suppress(Exception):  # errors of gzip, of a store ...: reported when the file is read
        for _, block in _blocks(path, packed, layout, layout.offset):
            numbers = parse_rows(block, layout).numbers
            if numbers.size and numbers.max() > 1:
                return False
    return True


def _count(
    path: str, packed: bool, layout: Layout, distance: int, size: int, splits: OwnSplits
) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Return the number of rows, and the offset of one row per `distance` rows, if it can be reached; collect their splits."""
    count, marks = 0, []
    with contextlib.suppress(Exception):  # errors of gzip, of a store ...: reported when the file is read
        with open_file(path) as stream:
            reachable = not packed and stream.seekable()
        for offset, block in _blocks(path, packed, layout, layout.offset, size):
            if reachable and count - (marks[-1][0] if marks else 0) >= distance:
                marks.append((count, offset))
            count += _rows_in(block, layout.newline)
            if layout.usage is not None:
                splits.add({usage.decode("utf-8", "replace") for usage in usages_of(block, layout)})
    return count, tuple(marks)


def _rows_in(block: bytes, newline: bytes) -> int:
    """Return the number of rows in a text, without blank ones."""
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == newline[0])
    # A row of one character may be the \r of a blank row.
    if len(ends) and ends[-1] == len(block) - 1 and ends[0] > 1 and (len(ends) == 1 or np.diff(ends).min() > 2):
        return len(ends)
    return len(rows_of(block, newline))


def _notes(layout: Layout, sample: np.ndarray, levels: Levels) -> Iterator[str]:
    if layout.unused:
        names = ", ".join(layout.unused[:3]) + (" ..." if len(layout.unused) > 3 else "")
        names = names if len(names) <= 40 else f"{names[:37]}..."
        yield f"of its columns these are not used: {' '.join(names.split())}"
    if layout.guessed:
        column = "last" if layout.label else "first"
        yield f"without a header, its {column} column is taken for the label: data.label_column says another"
    high = int(sample.max()) if len(sample) else 255
    if levels == Levels() and high <= _DARK:
        yield f"no level above {high} in its first rows: data.levels={max(high, 1)} makes that white"


def _pixels(numbers: np.ndarray, levels: Levels) -> tuple[np.ndarray, dict[int, str]]:
    """Return the numbers of rows as levels, and the reasons for rejected rows, by index."""
    if levels.low is not None:
        return levels.apply(numbers.astype(np.float64))
    fractions: dict[int, str] = {}
    if numbers.dtype.kind == "f":
        floors = np.floor(numbers)
        fractions = dict.fromkeys(np.flatnonzero((numbers != floors).any(axis=1)).tolist(), reasons.CSV_FRACTION)
        numbers = np.clip(floors, -1, _HIGHEST).astype(np.int64)
    pixels, refused = levels.apply(numbers)
    return pixels, refused | fractions


@functools.lru_cache(4096)
def _label(label: bytes) -> tuple[str, int | None]:
    """Return a label as text, and as an integer if it is one."""
    if NUMBER.fullmatch(label) and len(label) <= 40:
        value = float(label)
        if math.isfinite(value) and value == int(value) and abs(value) < 2**53:
            return str(int(value)), int(value)
    return label.decode("utf-8", "replace"), None


def _blocks(path: str, packed: bool, layout: Layout, offset: int, size: int = _BLOCK_BYTES) -> Iterator[tuple[int, bytes]]:
    """Yield the text from `offset` on in pieces that end at the end of a row, each with its offset."""
    with open_unpacked(path, packed) as unpacked:
        skip(unpacked, offset)
        unfinished: list[bytes] = []
        error = None
        while error is None:
            piece, error = read_until_damage(unpacked, size)
            if not piece:
                break
            end = piece.rfind(layout.newline) + 1
            if not end:
                unfinished.append(piece)
                if len(unfinished) * size > _MAX_ROW:
                    raise OSError("a row has no end")
                continue
            block = b"".join((*unfinished, piece[:end]))
            unfinished = [piece[end:]]
            yield offset, block
            offset += len(block)
        if error is not None:
            raise error
        if last := b"".join(unfinished):
            yield offset, last
