"""Read the binary files of CIFAR-10, CIFAR-100 and STL-10: records of bytes without any header."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from common.errors import InputError
from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Block, Rejected
from components.image_example_gen.readers.container import FileContainer
from components.image_example_gen.readers.own_labels import check_label_names, names_beside
from components.image_example_gen.splits import split_in_name
from components.image_example_gen.storage.files import FoundFile, join, open_file
from components.image_example_gen.storage.streams import count_rest, read_up_to, skip
from serving.picture_files import Refused, check_size

_BLOCK_BYTES = 1 << 20  # of records read at once
_SAMPLE = 32  # records whose labels show at first whether a file has the expected format
_NAMES_BYTES = 1 << 16  # of a file of names


@dataclass(frozen=True)
class _Format:
    """The layout of a record: labels of one byte each, then three planes of pixels.

    Attributes:
        title: Name of the data set.
        side: Height and width.
        labels: Number of values of each label, in order.
        names: The file of names for each label.
        transposed: Whether the planes are stored by column.
        label: Index of the label that is used unless `data.label_column` names another.
    """

    title: str
    side: int
    labels: tuple[int, ...]
    names: tuple[str, ...]
    transposed: bool = False
    label: int = 0

    @property
    def record(self) -> int:
        """Bytes per record."""
        return len(self.labels) + 3 * self.side**2


_CIFAR_10 = _Format("CIFAR-10", 32, (10,), ("batches.meta.txt",))
_CIFAR_100 = _Format("CIFAR-100", 32, (20, 100), ("coarse_label_names.txt", "fine_label_names.txt"), label=1)
_STL_10 = _Format("STL-10", 96, (), ("class_names.txt",), transposed=True)
_STL_LABELS = 10
_FORMATS = (
    (re.compile(r"data_batch_\d+\.bin|test_batch\.bin", re.IGNORECASE), _CIFAR_10),
    (re.compile(r"(train|test)\.bin", re.IGNORECASE), _CIFAR_100),
    (re.compile(r"(train|test|unlabeled)_X\.bin", re.IGNORECASE), _STL_10),
)
_BESIDE = re.compile(r"(batches\.meta|(fine|coarse)_label_names|class_names|fold_indices)\.txt|(train|test)_y\.bin", re.IGNORECASE)


@dataclass(frozen=True)
class CifarPictures(FileContainer):
    """The pictures of one binary file; see `Container`.

    Attributes:
        layout: The layout of its records.
        column: Index of the label among a record's labels.
        names: The names of the labels, by number; empty if there are none.
        labels: The separate file of labels, if there is one; else ''.
    """

    layout: _Format
    column: int = 0
    names: tuple[str, ...] = ()
    labels: str = ""

    def read(self, folder: str, start: int, stop: int, config: DataConfig) -> Iterator[Block | Rejected]:
        """Yield the pictures from `start` to `stop`, about a megabyte at a time, and rejects.

        Raises:
            InputError: `data.label_names` does not name all labels.
        """
        try:
            check_size((self.layout.side, self.layout.side), config.max_megapixels)
        except Refused as refused:
            yield from (Rejected(f"{self.path}#{number}", refused.reason) for number in range(start, stop))
            return
        at = start
        for records, told in self._records(folder, start, stop):
            yield from self._pictures(at, records, told, config.label_names)
            at += len(records)
        if at < stop:
            yield Rejected(f"{self.path}#{at}", reasons.CIFAR_CUT_SHORT, stop - at)

    def _records(self, folder: str, start: int, stop: int) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Yield records in blocks, with their labels if these are in another file; fewer than requested if the file ends."""
        size = self.layout.record
        step = max(1, _BLOCK_BYTES // size)
        try:
            told = self._told(folder, start, stop)
            with open_file(join(folder, self.path)) as stream:
                skip(stream, start * size)
                for at in range(start, stop, step):
                    wanted = min(step, stop - at)
                    data = read_up_to(stream, wanted * size)
                    found = len(data) // size
                    records = np.frombuffer(data, np.uint8, found * size).reshape(found, size)
                    yield records, None if told is None else told[at - start : at - start + found]
                    if found < wanted:
                        return
        except Exception:  # each store raises its own errors; the caller reports the missing pictures
            return

    def _told(self, folder: str, start: int, stop: int) -> np.ndarray | None:
        if not self.labels:
            return None
        with open_file(join(folder, self.labels)) as stream:
            skip(stream, start)
            told = np.frombuffer(read_up_to(stream, stop - start), np.uint8)
        if len(told) < stop - start:
            raise EOFError
        return told

    def _pictures(self, at: int, records: np.ndarray, told: np.ndarray | None, names: Sequence[str]) -> Iterator[Block | Rejected]:
        layout = self.layout
        planes = records[:, len(layout.labels) :].reshape(-1, 3, layout.side, layout.side)
        pixels = np.ascontiguousarray(planes.transpose((0, 3, 2, 1) if layout.transposed else (0, 2, 3, 1)))
        if layout.labels:
            values = records[:, self.column].astype(int)
            bad = (records[:, : len(layout.labels)] >= layout.labels).any(axis=1)
        elif told is not None:
            values = told.astype(int) - 1
            bad = (values < 0) | (values >= _STL_LABELS)
        else:
            yield Block(self.path, at, [""] * len(pixels), self.split, pixels)
            return
        sound = values[~bad]
        if len(sound):
            check_label_names(self.path, int(sound.min()), int(sound.max()), names)
        texts = [self._text(value, names) for value in values.tolist()]
        first = 0
        for last in [*np.flatnonzero(bad).tolist(), len(bad)]:
            if first < last:
                yield Block(self.path, at + first, texts[first:last], self.split, pixels[first:last])
            if last < len(bad):
                yield Rejected(f"{self.path}#{at + last}", reasons.CIFAR_LABEL)
            first = last + 1

    def _text(self, value: int, names: Sequence[str]) -> str:
        names = names or self.names
        # STL-10's labels start at 1.
        return names[value] if 0 <= value < len(names) else str(value + (not self.layout.labels))


def is_mine(path: str) -> bool:
    """Return whether a file has the name of a picture file of one of these data sets."""
    return _format_of(path) is not None


def is_beside(path: str) -> bool:
    """Return whether a file has the name of their files of names or labels."""
    return bool(_BESIDE.fullmatch(posixpath.basename(path)))


def find(folder: str, file: FoundFile, config: DataConfig) -> CifarPictures | Rejected:
    """Return the pictures of a file; only a few records are read.

    Args:
        folder: The folder that the file's path is relative to.
        file: The file, whose name `is_mine` accepts.
        config: `label_column` 0 selects the coarse label of CIFAR-100.

    Raises:
        InputError: `data.label_column` names a label that CIFAR-100 does not have.
    """
    layout = _format_of(file.path)
    try:
        return _inspect(folder, file, layout, config)
    except InputError:
        raise
    except Exception as error:  # each store raises its own errors
        return Rejected(file.path, reasons.UNREADABLE.format(getattr(error, "strerror", None) or type(error).__name__)[:110])


def _inspect(folder: str, file: FoundFile, layout: _Format, config: DataConfig) -> CifarPictures | Rejected:
    with open_file(join(folder, file.path)) as stream:
        head = read_up_to(stream, _SAMPLE * layout.record)
        size = file.size if file.size >= 0 else len(head) + count_rest(stream)
    if not size:
        return Rejected(file.path, reasons.EMPTY)
    if size % layout.record:
        return Rejected(file.path, reasons.CIFAR_LENGTH.format(size, layout.record))
    count = size // layout.record
    sample = np.frombuffer(head, np.uint8, len(head) // layout.record * layout.record).reshape(-1, layout.record)
    if layout.labels and (sample[:, : len(layout.labels)] >= layout.labels).any(axis=1).mean() > 0.5:
        return Rejected(file.path, reasons.CIFAR_LABELS.format(layout.title), count)
    column, labels, notes = layout.label, "", ()
    if len(layout.labels) > 1:
        column, notes = _column(file.path, config.label_column)
    names, wrong = _names(folder, file.path, layout, column)
    if wrong:
        notes += (wrong,)
    if layout is _STL_10:
        labels, wrong = _labels_beside(folder, file.path, count)
        if wrong:
            return Rejected(file.path, wrong, count)
        if not labels and not _is_unlabeled(file.path):
            notes += (f"{file.path}: no {_labels_name(file.path)} beside it: its pictures have no labels",)
    split = split_in_name(posixpath.basename(file.path).rsplit(".", 1)[0]) or "train"
    return CifarPictures(file.path, split, count, layout, column, names, labels, notes=notes)


def _column(path: str, wanted: int | None) -> tuple[int, tuple[str, ...]]:
    if wanted is not None and wanted > 1:
        raise InputError(f"data.label_column is {wanted}: CIFAR-100 has the labels 0 (coarse) and 1 (fine)")
    if wanted == 0:
        return 0, (f"{path}: the fine labels are not used: data.label_column=1 takes them",)
    return 1, (f"{path}: the coarse labels are not used: data.label_column=0 takes them",)


def _labels_beside(folder: str, path: str, count: int) -> tuple[str, str]:
    """Return the file of labels, '' if there is none, and its fault, '' for none."""
    if _is_unlabeled(path):
        return "", ""
    labels = posixpath.join(posixpath.dirname(path), _labels_name(path))
    try:
        with open_file(join(folder, labels)) as stream:
            found = count_rest(stream)
    except Exception:  # each store has its own error for a missing file
        return "", ""
    return (labels, "") if found == count else ("", reasons.STL_LABELS.format(count, found, _labels_name(path)))


def _labels_name(path: str) -> str:
    return re.sub("x(?=[.]bin$)", lambda match: "y", posixpath.basename(path), flags=re.IGNORECASE)


def _is_unlabeled(path: str) -> bool:
    return posixpath.basename(path).lower().startswith("unlabeled")


def _names(folder: str, path: str, layout: _Format, column: int) -> tuple[tuple[str, ...], str]:
    """Return the names of the labels in the file beside, empty if there is no such file; and its fault."""
    names = names_beside(folder, path, layout.names[column], _NAMES_BYTES)
    expected = layout.labels[column] if layout.labels else _STL_LABELS
    if names is not None and len(names) != expected:
        return (), f"{path}: {layout.names[column]} beside it has not {expected} names: labels are numbers"
    return names or (), ""


def _format_of(path: str) -> _Format | None:
    name = posixpath.basename(path)
    return next((layout for pattern, layout in _FORMATS if pattern.fullmatch(name)), None)
