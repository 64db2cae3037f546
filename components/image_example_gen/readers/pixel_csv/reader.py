"""Read CSVs of pixels with a picture per row: Kaggle's digits and Fashion-MNIST, FER2013, and similar ones."""

from __future__ import annotations

import functools
import gzip
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
from components.image_example_gen.readers.container import FileContainer
from components.image_example_gen.readers.own_labels import OwnSplits, check_label_names, split_said
from components.image_example_gen.readers.pixel_csv.layout import NUMBER, Layout, layout_of, side_of
from components.image_example_gen.readers.pixel_csv.rows import Rows, parse_rows, rows_of, usages_of
from components.image_example_gen.splits import split_in_name
from components.image_example_gen.storage.files import FoundFile, join, open_file
from components.image_example_gen.storage.streams import read_until_damage, skip
from serving.picture_files import Refused, check_size

_GZIP = b"\x1f\x8b"
SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_HEAD, _MOST_HEAD = 1 << 20, 32 << 20  # bytes that identify the layout: usually, and for long rows
_BLOCK_BYTES = 1 << 19  # of text parsed at once: it stays in the processor's cache
_ARROW_BLOCK_BYTES = 1 << 22  # the same for fractions: Arrow has overhead per column
_MOST_ROW = 64 << 20  # bytes; longer data without a line end is not a row
_HIGHEST = 2**40  # maximum value inspected as a level
_DARK = 63  # a maximum level that suggests that white is not 255


@dataclass(frozen=True)
class PixelCsv(FileContainer):
    """The pictures of one CSV; see `Container`.

    Attributes:
        layout: The layout of the rows.
        shape: Height, width and channels.
        levels: The numbers that are black and white.
        block: Bytes of text parsed at once.
        marks: Rows at which reading can start, each with its offset in bytes.
        packed: Whether the file is compressed.
    """

    layout: Layout
    shape: tuple[int, int, int]
    levels: Levels
    block: int = _BLOCK_BYTES
    marks: tuple[tuple[int, int], ...] = ()
    packed: bool = False

    def units(self, size: int) -> list[tuple[int, int]]:
        """Divide the rows into ranges of about `size`, at rows with known offsets."""
        cuts = [0]
        for row, _ in self.marks:
            if row - cuts[-1] >= size:
                cuts.append(row)
        return list(zip(cuts, [*cuts[1:], self.count], strict=True))

    def read(self, folder: str, start: int, stop: int, config: DataConfig) -> Iterator[Block | Rejected]:
        """Yield the pictures in order, and rejects.

        Raises:
            InputError: `data.label_names` does not name all labels.
        """
        try:
            check_size(self.shape[:2], config.max_megapixels)
        except Refused as refused:
            yield from (Rejected(f"{self.path}#{number}", refused.reason) for number in range(start, stop))
            return
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
        """Yield the pictures among some rows, whose first has index `at`: runs of valid rows with the same split."""
        pixels, refused = _pixels(rows.numbers, self.levels)
        pixels = np.ascontiguousarray(pixels).reshape(len(pixels), *self.shape)
        labels = self._labels(rows, names)
        splits = [_split(usage) or self.split for usage in rows.usages] or [self.split] * len(pixels)
        refusals: list[str | None] = [reasons.CSV_ROW.format(self.layout.length)] * rows.count
        places = dict(zip(rows.good.tolist(), range(len(pixels)), strict=True))
        for place, index in places.items():
            refusals[place] = refused.get(index)
        place = max(0, start - at)
        end = min(rows.count, stop - at)
        while place < end:
            if refusals[place] is not None:
                yield Rejected(f"{self.path}#{at + place}", refusals[place])
                place += 1
                continue
            first, index = place, places[place]
            while place < end and refusals[place] is None and splits[places[place]] == splits[index]:
                place += 1
            last = index + place - first
            yield Block(self.path, at + first, labels[index:last], splits[index], pixels[index:last])

    def _labels(self, rows: Rows, names: Sequence[str]) -> list[str]:
        if self.layout.label is None:
            return [""] * len(rows.numbers)
        read = [_label(label) for label in rows.labels]
        if names:
            numbers = [number for _, number in read if number is not None]
            if numbers:
                check_label_names(self.path, min(numbers), max(numbers), names)
            return [text if number is None else names[number] for text, number in read]
        return [text for text, _ in read]


def is_mine(path: str) -> bool:
    """Return whether a file has a CSV's name."""
    return path.lower().endswith(SUFFIXES)


def is_pixels(path: str, head: bytes) -> bool:
    """Return whether a CSV holds pixels, and is not a manifest or another table.

    Args:
        path: The file's path.
        head: Its first stored bytes: a megabyte is enough except for very long rows.
    """
    if not is_mine(path):
        return False
    try:
        if head.startswith(_GZIP):
            head = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, _HEAD)
        return layout_of(head) is not None
    except (zlib.error, ValueError):
        return False


def find(folder: str, file: FoundFile, config: DataConfig) -> PixelCsv | Rejected | None:
    """Return the pictures of a CSV, or None if it does not hold pixels; the file is read once to count its rows.

    Args:
        folder: The folder that the file's path is relative to.
        file: The file.
        config: `shape`, `levels`, `range` and `label_column` supply facts that are not in the file.
    """
    try:
        return _inspect(folder, file, config)
    except InputError:
        raise
    except EOFError:  # from gzip
        return Rejected(file.path, reasons.CSV_TRUNCATED.format(file.size))
    except Exception as error:  # errors of gzip, of a store ...
        return Rejected(file.path, reasons.UNREADABLE.format(getattr(error, "strerror", None) or type(error).__name__)[:110])


def _inspect(folder: str, file: FoundFile, config: DataConfig) -> PixelCsv | Rejected | None:
    path = join(folder, file.path)
    wanted = math.prod(config.shape) if config.shape else None
    with open_file(path) as stream:
        packed, seekable = stream.read(2) == _GZIP, stream.seekable()
    head = _head(path, packed)
    layout = layout_of(head, config.label_column, wanted)
    if layout is None:
        return None
    shape, reason = _shape(layout.length, config)
    if reason:
        return Rejected(file.path, reason)
    sample = _sample(head, layout)
    levels, reason = _levels(path, packed, layout, sample, config)
    block = _ARROW_BLOCK_BYTES if sample.dtype.kind == "f" else _BLOCK_BYTES
    splits = OwnSplits()
    counted = replace(layout, usage=layout.usage if config.heeds_splits else None)
    count, marks = _count(path, packed, counted, config.pictures_per_shard if seekable and not packed else 0, block, splits)
    if reason:
        return Rejected(file.path, reason, max(1, count))
    stem = re.sub(r"\.[ct]sv(\.gz)?$", "", posixpath.basename(file.path), flags=re.IGNORECASE)
    notes = (*_notes(layout, sample, levels), *splits.notes("its column of splits"))
    notes = tuple(f"{file.path}: {note}" for note in notes)
    facts = (layout, shape, levels, block, marks, packed)
    return PixelCsv(file.path, split_in_name(stem), count, *facts, row_splits=splits.found, notes=notes)


def _head(path: str, packed: bool) -> bytes:
    """Return the first bytes, decompressed: a header and at least two rows, unless these are too long."""
    with open_file(path) as stream:
        unpacked = gzip.GzipFile(fileobj=stream) if packed else stream
        head, error = read_until_damage(unpacked, _HEAD)
        while len(head) < _MOST_HEAD and max(head.count(b"\n"), head.count(b"\r")) < 3 and error is None:
            piece, error = read_until_damage(unpacked, _HEAD)
            head += piece
            if not piece:
                break
    if error is not None and (not head or isinstance(error, EOFError) and max(head.count(b"\n"), head.count(b"\r")) < 2):
        raise error
    return head


def _shape(length: int, config: DataConfig) -> tuple[tuple[int, int, int], str]:
    """Return height, width and channels; or why they are unknown."""
    shape = config.shape or side_of(length)
    if shape is None:
        return (0, 0, 0), reasons.CSV_NO_SQUARE.format(length)
    if math.prod(shape) != length:
        return (0, 0, 0), reasons.CSV_OTHER_SHAPE.format(length, " x ".join(map(str, shape)))
    if shape[2] > 4:
        return (0, 0, 0), reasons.CSV_CHANNELS
    return shape, ""


def _sample(head: bytes, layout: Layout) -> np.ndarray:
    """Return the numbers of the first rows."""
    text = head[layout.offset :]
    end = text.rfind(layout.newline, 0, max(_HEAD, text.find(layout.newline) + 1))
    return parse_rows(text if end < 0 else text[: end + 1], layout).numbers


def _levels(path: str, packed: bool, layout: Layout, sample: np.ndarray, config: DataConfig) -> tuple[Levels, str]:
    """Return the numbers that are black and white; or why they are unknown."""
    white = config.levels or 255
    if not len(sample):
        return Levels(white, deep=config.depth == 16 and white > 255), ""
    low, high = float(sample.min()), float(sample.max())
    # A single deviating row is rejected by itself when it is read.
    broken = (sample != np.floor(sample)).any(axis=1).mean() > 0.5
    outside = ((sample < 0) | (sample > 255)).any(axis=1).mean() > 0.5
    if config.range is not None and (sample.dtype.kind == "f" or (outside and config.levels is None)):
        return Levels(low=config.range[0], high=config.range[1], deep=config.depth == 16), ""
    if broken:
        return Levels(), reasons.CSV_FRACTIONS
    if outside and config.levels is None:
        return Levels(), reasons.CSV_LEVELS.format(low, high)
    if config.levels is None and high <= 1:
        return Levels(1 if _is_binary(path, packed, layout) else 255), ""
    return Levels(white, deep=config.depth == 16 and white > 255), ""


def _is_binary(path: str, packed: bool, layout: Layout) -> bool:
    """Return whether all pixels are 0 or 1; stop at the first that is not."""
    try:
        for _, block in _blocks(path, packed, layout, layout.offset):
            numbers = parse_rows(block, layout).numbers
            if numbers.size and numbers.max() > 1:
                return False
    except Exception:  # errors of gzip, of a store ...: reported when the file is read
        return True
    return True


def _count(
    path: str, packed: bool, layout: Layout, distance: int, size: int, splits: OwnSplits
) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Return the number of rows, and the offset of one row per `distance` rows (none if it is 0); collect their splits."""
    count, marks = 0, []
    try:
        for offset, block in _blocks(path, packed, layout, layout.offset, size):
            if distance and count - (marks[-1][0] if marks else 0) >= distance:
                marks.append((count, offset))
            count += _rows_in(block, layout.newline)
            if layout.usage is not None:
                splits.add({usage.decode("utf-8", "replace") for usage in usages_of(block, layout)})
    except Exception:  # errors of gzip, of a store ...: reported when the file is read
        return count, tuple(marks)
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
        whole = np.floor(numbers)
        fractions = dict.fromkeys(np.flatnonzero((numbers != whole).any(axis=1)).tolist(), reasons.CSV_FRACTION)
        numbers = np.clip(whole, -1, _HIGHEST).astype(np.int64)
    pixels, refused = levels.apply(numbers)
    return pixels, refused | fractions


def _split(usage: bytes) -> str | None:
    return split_said(usage.decode("utf-8", "replace"))


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
    with open_file(path) as stream:
        unpacked = gzip.GzipFile(fileobj=stream) if packed else stream
        skip(unpacked, offset)
        rest: list[bytes] = []
        error = None
        while error is None:
            piece, error = read_until_damage(unpacked, size)
            if not piece:
                break
            end = piece.rfind(layout.newline) + 1
            if not end:
                rest.append(piece)
                if len(rest) * size > _MOST_ROW:
                    raise OSError("a row has no end")
                continue
            block = b"".join((*rest, piece[:end]))
            rest = [piece[end:]]
            yield offset, block
            offset += len(block)
        if error is not None:
            raise error
        if last := b"".join(rest):
            yield offset, last
