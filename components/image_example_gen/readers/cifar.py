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
from components.image_example_gen.readers.container import Container, blocks_and_rejects, unreadable
from components.image_example_gen.readers.own_labels import check_label_names, names_beside
from components.image_example_gen.splits import split_in_name
from components.image_example_gen.storage.files import FoundFile, join, open_file
from components.image_example_gen.storage.streams import count_rest, read_fully, read_up_to, skip

_BLOCK_BYTES = 1 << 20  # of records read at once
_SAMPLE = 32  # records whose labels show at first whether a file has the expected format
_NAMES_BYTES = 1 << 16  # of a file of names


@dataclass(frozen=True)
class _Format:
    """The layout of a record: labels of one byte each, then three planes of pixels."""

    title: str  # name of the data set
    side: int  # height and width
    labels: tuple[int, ...]  # number of values of each label, in order
    names: tuple[str, ...]  # the file of names for each label
    transposed: bool = False  # whether the planes are stored by column
    label: int = 0  # index of the label that is used unless `data.label_column` names another

    @property
    def record(self) -> int:
        """Bytes per record."""
        return len(self.labels) + 3 * self.side**2


_CIFAR_10 = _Format("CIFAR-10", 32, (10,), ("batches.meta.txt",))
_CIFAR_100 = _Format("CIFAR-100", 32, (20, 100), ("coarse_label_names.txt", "fine_label_names.txt"), label=1)
_STL_10 = _Format("STL-10", 96, (), ("class_names.txt",), transposed=True)
_STL_LABELS = (10,)
_FORMATS = (
    (re.compile(r"data_batch_\d+\.bin|test_batch\.bin", re.IGNORECASE), _CIFAR_10),
    (re.compile(r"(train|test)\.bin", re.IGNORECASE), _CIFAR_100),
    (re.compile(r"(train|test|unlabeled)_X\.bin", re.IGNORECASE), _STL_10),
)
_BESIDE = re.compile(r"(batches\.meta|(fine|coarse)_label_names|class_names|fold_indices)\.txt|(train|test)_y\.bin", re.IGNORECASE)


@dataclass(frozen=True)
class CifarPictures(Container):
    """The pictures of one binary file; see `Container`."""

    layout: _Format
    column: int = 0  # index of the label among a record's labels
    names: tuple[str, ...] = ()  # of the labels, by number; empty if there are none
    labels: str = ""  # the separate file of labels, if there is one; else ''

    def _items(self, folder: str, start: int, stop: int, config: DataConfig) -> Iterator[Block | Rejected]:
        at = start
        for records, labels in self._records(folder, start, stop):
            yield from self._pictures(at, records, labels, config.label_names)
            at += len(records)
        if at < stop:
            yield Rejected(f"{self.path}#{at}", reasons.CIFAR_CUT_SHORT, stop - at)

    def _records(self, folder: str, start: int, stop: int) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Yield records in blocks, with their labels if these are in another file; fewer than requested if the file ends."""
        size = self.layout.record
        step = max(1, _BLOCK_BYTES // size)
        try:
            labels = self._labels_beside(folder, start, stop) if self.labels else None
            with open_file(join(folder, self.path)) as stream:
                skip(stream, start * size)
                for at in range(start, stop, step):
                    wanted = min(step, stop - at)
                    data = read_up_to(stream, wanted * size)
                    result = len(data) // size
                    records = np.frombuffer(data, np.uint8, result * size).reshape(result, size)
                    yield records, None if labels is None else labels[at - start : at - start + result]
                    if result < wanted:
                        return
        except Exception:  # each store raises its own errors; the caller reports the missing pictures
            return

    def _labels_beside(self, folder: str, start: int, stop: int) -> np.ndarray:
        with open_file(join(folder, self.labels)) as stream:
            skip(stream, start)
            return np.frombuffer(read_fully(stream, stop - start), np.uint8)

    def _pictures(
        self, at: int, records: np.ndarray, beside: np.ndarray | None, names: Sequence[str]
    ) -> Iterator[Block | Rejected]:
        layout, width = self.layout, len(self.layout.labels)
        planes = records[:, width:].reshape(-1, 3, layout.side, layout.side)
        pixels = np.ascontiguousarray(planes.transpose((0, 3, 2, 1) if layout.transposed else (0, 2, 3, 1)))
        texts, refused = [""] * len(pixels), {}
        if width or beside is not None:
            labels = records[:, :width].astype(int) if width else beside[:, np.newaxis].astype(int) - 1  # STL-10's start at 1
            bad = ((labels < 0) | (labels >= (layout.labels or _STL_LABELS))).any(axis=1)
            refused = dict.fromkeys(np.flatnonzero(bad).tolist(), reasons.CIFAR_LABEL)
            values = labels[:, self.column]
            if not bad.all():
                check_label_names(self.path, int(values[~bad].min()), int(values[~bad].max()), names)
            names = names or self.names
            texts = [names[value] if 0 <= value < len(names) else str(value + (not width)) for value in values.tolist()]
        yield from blocks_and_rejects(self.path, at, texts, [self.split] * len(pixels), pixels, refused)


def is_mine(path: str) -> bool:
    """Return whether a file has the name of a picture file of one of these data sets."""
    return _format_of(path) is not None


def is_beside(path: str) -> bool:
    """Return whether a file has the name of their files of names or labels."""
    return bool(_BESIDE.fullmatch(posixpath.basename(path)))


def find(folder: str, file: FoundFile, config: DataConfig) -> CifarPictures | Rejected:
    """Inspect a file that `is_mine` accepts, by a few records. Raise InputError if it has no label `data.label_column`."""
    layout = _format_of(file.path)
    try:
        with open_file(join(folder, file.path)) as stream:
            head = read_up_to(stream, _SAMPLE * layout.record)
            size = file.size if file.size >= 0 else len(head) + count_rest(stream)
    except Exception as error:  # each store raises its own errors
        return unreadable(file, error)
    if not size:
        return Rejected(file.path, reasons.EMPTY)
    if size % layout.record:
        return Rejected(file.path, reasons.CIFAR_LENGTH.format(size, layout.record))
    count = size // layout.record
    sample = np.frombuffer(head, np.uint8, len(head) // layout.record * layout.record).reshape(-1, layout.record)
    if layout.labels and (sample[:, : len(layout.labels)] >= layout.labels).any(axis=1).mean() > 0.5:
        return Rejected(file.path, reasons.CIFAR_LABELS.format(layout.title), count)
    column, notes = layout.label, []
    if layout is _CIFAR_100:
        if config.label_column is not None:
            column = config.label_column
        if column > 1:
            raise InputError(f"data.label_column is {column}: CIFAR-100 has the labels 0 (coarse) and 1 (fine)")
        notes.append(f"the {('fine', 'coarse')[column]} labels are not used: data.label_column={1 - column} takes them")
    names, expected = names_beside(folder, file.path, layout.names[column], _NAMES_BYTES), (layout.labels or _STL_LABELS)[column]
    if names is not None and len(names) != expected:
        names = ()
        notes.append(f"{layout.names[column]} beside it has not {expected} names: labels are numbers")
    labels, stem = "", posixpath.basename(file.path).rsplit(".", 1)[0]
    if layout is _STL_10 and not stem.lower().startswith("unlabeled"):
        labels_name = re.sub("x(?=[.]bin$)", "y", posixpath.basename(file.path), flags=re.IGNORECASE)
        labels = posixpath.join(posixpath.dirname(file.path), labels_name)
        result = _size_of(join(folder, labels))
        if result is None:
            labels = ""
            notes.append(f"no {labels_name} beside it: its pictures have no labels")
        elif result != count:
            return Rejected(file.path, reasons.STL_LABELS.format(count, result, labels_name), count)
    return CifarPictures(
        *(file.path, split_in_name(stem) or "train", count, layout, column, names or (), labels),
        notes=tuple(f"{file.path}: {note}" for note in notes),
        picture_shape=(layout.side, layout.side, 3),
    )


def _size_of(path: str) -> int | None:
    try:
        with open_file(path) as stream:
            return count_rest(stream)
    except Exception:  # each store has its own error for a missing file
        return None


def _format_of(path: str) -> _Format | None:
    name = posixpath.basename(path)
    return next((layout for pattern, layout in _FORMATS if pattern.fullmatch(name)), None)
