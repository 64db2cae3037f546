"""Identify the arrays of pictures and their labels, by one rule for NumPy, MATLAB, HDF5 and IDX."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from common.errors import figure
from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.readers.arrays.array import Array, ArrayFile
from components.image_example_gen.readers.arrays.labels import (
    LabelArray,
    are_classes,
    can_be_labels,
    columns_of,
    is_of_splits,
    label_array,
    read_names,
    row_count,
)
from components.image_example_gen.readers.arrays.layout import Layout, layout_of
from components.image_example_gen.readers.arrays.names import (
    array_key,
    is_called_labels,
    is_called_pictures,
    is_idx,
    is_idx_labels,
    is_no_pictures,
    label_rank,
    names_labels,
    split_of_array,
    stem_of,
)
from components.image_example_gen.readers.arrays.pictures import holds_files
from components.image_example_gen.storage.files import printable
from serving.picture_files import Refused

_MAX_NAMES = 10_000  # of labels


@dataclass(frozen=True)
class Picked:
    """An array of pictures."""

    array: Array
    layout: Layout


@dataclass
class Candidates:
    """The candidates for pictures in a file."""

    file: ArrayFile
    pictures: list[Picked] = field(default_factory=list)  # the arrays that may be pictures
    reasons: list[tuple[Array, str]] = field(default_factory=list)  # the other arrays, with reasons

    @property
    def only_labels(self) -> bool:
        """True if it is a file of labels for pictures in another file."""
        path = self.file.path
        called = is_idx_labels(path) if is_idx(path) else is_called_labels(stem_of(path))
        return called and not self.pictures and any(map(can_be_labels, self.file.arrays))


def candidates(folder: str, file: ArrayFile, config: DataConfig) -> Candidates:
    """Sort the arrays of a file into candidates for pictures and others."""
    result = Candidates(file)
    if is_idx_labels(file.path):
        return result
    counts = {row_count(array) for array in file.arrays if can_be_labels(array) and columns_of(array) == 1}
    for array in file.arrays:
        if config.array is None and is_no_pictures(array.name or stem_of(file.path)):
            continue
        if config.array_labels is not None and same_name(array, config.array_labels):
            continue
        try:
            result.pictures.append(Picked(array, _layout(folder, array, config, counts)))
        except Refused as refused:
            result.reasons.append((array, refused.reason))
    return result


def pick_pictures(found: Candidates, config: DataConfig) -> list[Picked]:
    """Return the arrays of a file to read as pictures: one of each split. Raise Refused if there is none, or no way to choose."""
    pictures = found.pictures
    if config.array is not None:
        named = [picked for picked in pictures if same_name(picked.array, config.array)]
        if named:
            return named
        for array, reason in found.reasons:
            if same_name(array, config.array):
                raise Refused(reason)
        for name, reason in found.file.unread:
            if name == config.array:
                raise Refused(f"{printable(name)}: {reason}")
        pictures = [picked for picked in pictures if not is_no_pictures(picked.array.name or stem_of(picked.array.path))]
    if not pictures:
        raise Refused(_why_none(found))
    chosen, split = [], lambda picked: split_of_array("", picked.array.name) or ""
    for _, group in itertools.groupby(sorted(pictures, key=split), split):
        group = list(group)
        if len(group) > 1 and not _needs_range(group[0], config) and any(_needs_range(one, config) for one in group):
            group = [one for one in group if not _needs_range(one, config)]
        called = [one for one in group if is_called_pictures(one.array.name)]
        group = called if len(called) == 1 else group
        if len(group) > 1:
            names = ", ".join(one.array.shown for one in group[:4])
            raise Refused(reasons.SEVERAL_ARRAYS.format(names))
        chosen += group
    return chosen


def pick_labels(
    folder: str, picked: Picked, found: Candidates, chosen: Sequence[Picked], beside: ArrayFile | None, config: DataConfig
) -> LabelArray | None:
    """Return the labels of an array of pictures, or None.

    `chosen` are all arrays of pictures that are read from its file, and `beside` is the file of labels with a matching name. Raise
    InputError if the configuration names a column that does not exist, and Refused if the labels with the matching name do not fit.
    """
    pictures = {one.array.name for one in chosen}
    others = [array for array in found.file.arrays if array.name not in pictures and can_be_labels(array)]
    others = [array for array in others if not is_of_splits(folder, array, config)]
    outside = [array for array in beside.arrays if can_be_labels(array)] if beside else []
    if config.array_labels is not None:
        named = [array for array in (*others, *outside) if same_name(array, config.array_labels)]
        if named:
            return _named(folder, picked, named[0], others, config)
    alike = _alike(picked.array, others)
    if alike:
        return _named(folder, picked, alike[0], others, config)
    only = _only(folder, picked, others, config)
    if only is not None or not outside:
        return only
    alike = _alike(picked.array, outside) or sorted(outside, key=lambda array: row_count(array) != picked.layout.count)
    return _named(folder, picked, alike[0], outside, config)


def unused_notes(
    picked: Picked, found: Candidates, chosen: Sequence[Picked], labels: Sequence[LabelArray], beside: ArrayFile | None = None
) -> Iterator[str]:
    """Yield notes on arrays with as many rows that are not used."""
    used = {one.array for one in chosen} | {each.array for each in labels}
    for array in (*found.file.arrays, *(beside.arrays if beside else ())):
        file, name = printable(array.path), array.shown
        if array in used or names_labels(array.name) and array.dtype.kind in "SU":
            continue
        if can_be_labels(array) and row_count(array) == picked.layout.count:
            yield f"{file}: {name} is not used: data.array_labels={name} takes labels from it"
        elif any(array is one.array for one in found.pictures):
            yield f"{file}: {name} is not read: data.array={name} takes pictures from it"
    for name, reason in found.file.unread:
        yield f"{printable(found.file.path)}: {printable(name) or 'something'} is not read: {reason}"


def same_name(array: Array, name: str) -> bool:
    """Return whether an array is the one that the configuration names."""
    return bool(array.name) and array.name == name.strip("/")


def _layout(folder: str, array: Array, config: DataConfig, counts: set[int]) -> Layout:
    if array.dtype.kind == "V":
        if len(array.shape) == 1 and 0 not in array.shape and holds_files(folder, array):
            return Layout("n", array.shape[0], (1, 1, 1))
        raise Refused(reasons.NO_PICTURE_FILES.format(array.shown))
    if all(length == 1 for length in array.shape[1:]):
        raise Refused(reasons.ONE_NUMBER_EACH.format(array.shown))
    return layout_of(array, config, counts)


def _needs_range(picked: Picked, config: DataConfig) -> bool:
    return picked.array.dtype.kind == "f" and config.range is None


def _why_none(found: Candidates) -> str:
    if found.reasons:
        return max(found.reasons, key=lambda pair: pair[0].bytes)[1]
    if found.file.unread:
        name, reason = found.file.unread[0]
        return f"{printable(name)}: {reason}" if name else reason
    return reasons.ONLY_LABELS if found.file.arrays else reasons.NO_ARRAYS


def _alike(pictures: Array, others: Sequence[Array]) -> list[Array]:
    """Return the arrays with names of labels that otherwise match the pictures' name, the most likely first."""
    key = array_key(pictures.name)
    alike = [array for array in others if array_key(array.name) == key and label_rank(array.name) is not None]
    return sorted(alike, key=lambda array: label_rank(array.name))


def _only(folder: str, picked: Picked, others: Sequence[Array], config: DataConfig) -> LabelArray | None:
    """Return the only array with as many rows that can be labels, under any name; None if there are none or several."""
    of_as_many = [array for array in others if row_count(array) == picked.layout.count]
    items = [label_array(folder, array, config) for array in of_as_many]
    items = [labels for labels in items if labels is not None and are_classes(folder, labels)]
    return _with_names(folder, items[0], others) if len(items) == 1 else None


def _named(folder: str, picked: Picked, array: Array, others: Sequence[Array], config: DataConfig) -> LabelArray:
    if row_count(array) != picked.layout.count:
        here, there = figure(picked.layout.count), figure(row_count(array))
        raise Refused(reasons.OTHER_COUNT.format(here, array.shown, there))
    column = 0 if is_idx_labels(array.path) and "qmnist" in array.path.lower() else None
    labels = label_array(folder, array, config, column)
    if labels is None:
        raise Refused(reasons.LABEL_COLUMNS.format(array.shown, columns_of(array)))
    return _with_names(folder, labels, others)


def _with_names(folder: str, labels: LabelArray, others: Sequence[Array]) -> LabelArray:
    """Return the labels with the names that the file defines."""
    if labels.array.dtype.kind not in "biuf" or is_idx(labels.array.path):
        return labels
    items = [array for array in others if array.dtype.kind in "SU" and len(array.shape) == 1 and names_labels(array.name)]
    few = len(items) == 1 and items[0].shape[0] <= _MAX_NAMES
    return replace(labels, own_names=read_names(folder, items[0])) if few else labels
