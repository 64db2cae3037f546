"""Labels stored in arrays: numbers, one-hot rows, several columns, and text."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from common.errors import InputError
from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.readers.arrays.array import Array
from components.image_example_gen.readers.own_labels import check_label_names
from components.image_example_gen.storage.files import join, printable
from serving.picture_files import Refused

_LOOKED_AT = 4096  # rows
_ROWS, _BYTES = 1 << 16, 1 << 22  # read at once
_LONGEST = 1 << 16  # maximum bytes of a text that can be a label


@dataclass(frozen=True)
class LabelArray:
    """An array with the labels of pictures.

    Attributes:
        array: The array.
        last: Whether its rows lie along the last stored axis.
        column: The column to use, if there are several.
        one_hot: Whether each row has a single 1, whose column is the label.
        own_names: The file's names of the labels 0, 1, 2 ...; () for none.
    """

    array: Array
    last: bool = False
    column: int = 0
    one_hot: bool = False
    own_names: tuple[str, ...] = ()

    def texts(self, folder: str, start: int, stop: int, names: Sequence[str]) -> Iterator[str | None]:
        """Yield the labels of the pictures `start` to `stop`; None for a row that is not a label.

        Raises:
            InputError: `names` is not empty, but does not name all labels.
            Exception: Any type, if the file is damaged.
        """
        blocks = self.array.rows(folder, start, stop, _step(self.array), self.last)
        return itertools.chain.from_iterable(self._named(block, folder, names) for block in blocks)

    def _named(self, block: np.ndarray, folder: str, names: Sequence[str]) -> list[str | None]:
        block = block.reshape(len(block), -1)
        if self.one_hot:
            sound = _is_one_hot(block)
            values = np.argmax(block, axis=1)
            return [text if good else None for text, good in zip(self._texts(values, folder, names), sound, strict=True)]
        return self._texts(block[:, self.column], folder, names)

    def _texts(self, values: np.ndarray, folder: str, names: Sequence[str]) -> list[str]:
        if values.dtype.kind == "S":
            return [value.decode("utf-8", "replace") for value in values.tolist()]
        if values.dtype.kind in "UO":
            return values.tolist()
        values = values.astype(np.uint8) if values.dtype.kind == "b" else values
        if values.dtype.kind == "f":
            whole = np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) < 2**53)
            if not whole.all():
                return [str(int(value)) if one else _of_float(value) for value, one in zip(values, whole, strict=True)]
            values = values.astype(np.int64)
        if names:
            if len(values):
                check_label_names(join(folder, self.array.path), int(values.min()), int(values.max()), names)
            return [names[value] for value in values.tolist()]
        own = dict(() if self.one_hot else self.array.value_names) or dict(enumerate(self.own_names))
        if own:
            return [own.get(value) or str(value) for value in values.tolist()]
        return [str(value) for value in values.tolist()]


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


def has_rows(array: Array, count: int) -> bool:
    """Return whether an array of labels has `count` rows."""
    return row_count(array) == count


def columns_of(array: Array) -> int:
    """Return the number of labels per row."""
    return int(np.prod(array.shape, dtype=np.int64)) // max(row_count(array), 1)


def label_array(folder: str, array: Array, config: DataConfig, column: int | None = None) -> LabelArray | None:
    """Return an array as labels; None if each row has several and nothing determines which one to use.

    Args:
        folder: The folder that the array's path is relative to.
        array: The array.
        config: How labels are read.
        column: The column to use for this kind of file, unless the configuration sets one.

    Raises:
        InputError: The configuration names a column that does not exist.
        Refused: The rows lie across the file, which is too large for that.
    """
    columns = columns_of(array)
    last = array.turned and len(array.shape) > 1 and not _is_row(array)
    if last and not array.sliced and array.bytes > config.max_file_megabytes * 1e6:
        raise Refused(reasons.LABELS_ACROSS)
    if columns == 1:
        return LabelArray(array, last)
    if config.label_column is not None:
        if config.label_column >= columns:
            where = printable(join(folder, array.title))
            raise InputError(f"data.label_column={config.label_column}: {where} has {columns} columns, 0 to {columns - 1}")
        return LabelArray(array, last, config.label_column)
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


def _is_row(array: Array) -> bool:
    return array.matlab and len(array.shape) == 2 and array.shape[0] == 1


def _first_rows(folder: str, labels: LabelArray) -> np.ndarray | None:
    """Return the first rows, or None if they cannot be read."""
    array = labels.array
    try:
        count = min(_LOOKED_AT, row_count(array))
        for block in array.rows(folder, 0, count, min(count, _step(array)), labels.last):
            return block.reshape(len(block), -1)
    except Exception:
        return None
    return None


def _is_one_hot(rows: np.ndarray) -> np.ndarray:
    """Return for each row whether it has a single 1 and otherwise 0."""
    if rows.dtype.kind not in "biuf":
        return np.zeros(len(rows), bool)
    ones = rows == 1
    return (ones | (rows == 0)).all(axis=1) & (ones.sum(axis=1) == 1)


def _of_float(value: np.floating) -> str:
    return "" if np.isnan(value) else str(value)


def _step(array: Array) -> int:
    row = max(1, array.bytes // max(row_count(array), 1))
    return max(1, min(_ROWS, _BYTES // row))
