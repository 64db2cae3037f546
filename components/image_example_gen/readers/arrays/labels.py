"""Labels and splits stored in arrays: numbers, one-hot rows, several columns, and text."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from common.errors import InputError
from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.readers.arrays.array import Array
from components.image_example_gen.readers.own_labels import SPLIT_NAMES, OwnSplits, check_label_names, split_said
from components.image_example_gen.storage.files import join, printable
from serving.picture_files import Refused

_LOOKED_AT = 4096  # rows
_ROWS, _BYTES = 1 << 16, 1 << 22  # read at once
_LONGEST = 1 << 16  # maximum bytes of a text that can be a label


@dataclass(frozen=True)
class LabelArray:
    """An array with the labels of pictures."""

    array: Array
    last: bool = False  # whether its rows lie along the last stored axis
    column: int = 0  # the column to use, if there are several
    one_hot: bool = False  # whether each row has a single 1, whose column is the label
    own_names: tuple[str, ...] = ()  # the file's names of the labels 0, 1, 2 ...; () for none

    def texts(self, folder: str, start: int, stop: int, names: Sequence[str]) -> Iterator[str | None]:
        """Yield the labels `start` to `stop`; None for a row that is not one. Raise InputError if `names` are too few."""
        blocks = self.array.rows(folder, start, stop, _step(self.array), self.last)
        return itertools.chain.from_iterable(self._named(block, folder, names) for block in blocks)

    def _named(self, block: np.ndarray, folder: str, names: Sequence[str]) -> list[str | None]:
        block = block.reshape(len(block), -1)
        if not self.one_hot:
            return self._texts(block[:, self.column], folder, names)
        texts = self._texts(np.argmax(block, axis=1), folder, names)
        return [text if good else None for text, good in zip(texts, _is_one_hot(block), strict=True)]

    def _texts(self, values: np.ndarray, folder: str, names: Sequence[str]) -> list[str]:
        if values.dtype.kind == "S":
            return [value.decode("utf-8", "replace") for value in values.tolist()]
        if values.dtype.kind in "UO":
            return values.tolist()
        values = values.astype(np.uint8) if values.dtype.kind == "b" else values
        if values.dtype.kind == "f":
            integral = np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) < 2**53)
            if not integral.all():
                return [str(int(value)) if one else "" if np.isnan(value) else str(value) for value, one in zip(values, integral)]
            values = values.astype(np.int64)
        if names:
            if len(values):
                check_label_names(join(folder, self.array.path), int(values.min()), int(values.max()), names)
            return [names[value] for value in values.tolist()]
        own = dict(() if self.one_hot else self.array.value_names) or dict(enumerate(self.own_names))
        return [own.get(value) or str(value) for value in values.tolist()]


def can_be_labels(array: Array) -> bool:
    """Return whether an array can hold labels, by its shape and dtype."""
    if array.dtype.kind in "SU" and array.dtype.itemsize > _LONGEST:
        return False
    shape = array.shape
    flat = len(shape) <= 2 or all(length == 1 for length in shape[1:])
    return array.dtype.kind in "biufSU" and len(shape) > 0 and flat and 0 not in shape


def row_count(array: Array) -> int:
    """Return the number of rows of an array of labels; a MATLAB array of shape [1, n] has n."""
    return array.shape[1] if _is_row(array) else array.shape[0]


def columns_of(array: Array) -> int:
    """Return the number of labels per row."""
    return int(np.prod(array.shape, dtype=np.int64)) // max(row_count(array), 1)


def label_array(folder: str, array: Array, config: DataConfig, column: int | None = None) -> LabelArray | None:
    """Return an array as labels; None if each row has several and neither `data.label_column` nor `column` names the one to use.

    Raise InputError if that column does not exist, and Refused if rows lie across a file too large for that.
    """
    columns = columns_of(array)
    last = array.turned and len(array.shape) > 1 and not _is_row(array)
    if last and not array.sliced and array.bytes > config.max_file_megabytes * 1e6:
        raise Refused(reasons.LABELS_ACROSS)
    if columns == 1:
        return LabelArray(array, last)
    column = column if config.label_column is None else config.label_column
    if config.label_column is not None and column >= columns:
        where = printable(join(folder, array.title))
        raise InputError(f"data.label_column={column}: {where} has {columns} columns, 0 to {columns - 1}")
    if column is not None:
        return LabelArray(array, last, column)
    labels = LabelArray(array, last, one_hot=True)
    first = _first_rows(folder, labels)
    return labels if first is not None and _is_one_hot(first).all() else None


def are_classes(folder: str, labels: LabelArray) -> bool:
    """Return whether labels without a telling name are classes: text or integers."""
    if labels.array.dtype.kind != "f":
        return True
    first = _first_rows(folder, labels)
    return first is not None and bool((np.isfinite(first) & (first == np.floor(first))).all())


def read_names(folder: str, array: Array) -> tuple[str, ...]:
    """Return the texts of a small array of label names."""
    labels = LabelArray(array)
    return tuple(text or "" for text in labels.texts(folder, 0, array.shape[0], ()))


def is_of_splits(folder: str, array: Array, config: DataConfig) -> bool:
    """Return whether an array has a split's name and its first values contain splits. False if it is configured as labels."""
    if not config.heeds_splits or array.name == (config.array_labels or "").strip("/"):
        return False
    if array.name.rpartition("/")[2].casefold() not in SPLIT_NAMES:
        return False
    if not can_be_labels(array) or columns_of(array) != 1 or not (array.dtype.kind in "SU" or array.value_names):
        return False
    try:
        texts = label_array(folder, array, config).texts(folder, 0, min(row_count(array), _LOOKED_AT), ())
        return any(text and split_said(text) for text in texts)
    except Exception:  # whatever the file holds: reported when it is read
        return False


def find_splits(folder: str, arrays: Sequence[Array], count: int, config: DataConfig) -> tuple[LabelArray | None, OwnSplits]:
    """Return the array of splits for `count` pictures, None for none, and its splits."""
    of_as_many = (array for array in arrays if can_be_labels(array) and row_count(array) == count)
    array = next((array for array in of_as_many if is_of_splits(folder, array, config)), None)
    splits = OwnSplits()
    if array is None:
        return None, splits
    result = label_array(folder, array, config)
    texts = result.texts(folder, 0, count, ())
    with contextlib.suppress(Exception):  # whatever the file holds: reported when it is read
        while part := set(itertools.islice(texts, _LOOKED_AT)):
            splits.add(part)
    return result, splits


def _is_row(array: Array) -> bool:
    return array.matlab and len(array.shape) == 2 and array.shape[0] == 1


def _first_rows(folder: str, labels: LabelArray) -> np.ndarray | None:
    """Return the first rows, or None if they cannot be read."""
    array = labels.array
    count = min(_LOOKED_AT, row_count(array))
    with contextlib.suppress(Exception):
        for block in array.rows(folder, 0, count, min(count, _step(array)), labels.last):
            return block.reshape(len(block), -1)
    return None


def _is_one_hot(rows: np.ndarray) -> np.ndarray:
    """Return for each row whether it has a single 1 and otherwise 0."""
    if rows.dtype.kind not in "biuf":
        return np.zeros(len(rows), bool)
    ones = rows == 1
    return (ones | (rows == 0)).all(axis=1) & (ones.sum(axis=1) == 1)


def _step(array: Array) -> int:
    row = max(1, array.bytes // max(row_count(array), 1))
    return max(1, min(_ROWS, _BYTES // row))
