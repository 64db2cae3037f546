"""Find arrays of splits: an array named `split` beside the pictures, of text or named numbers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from components.image_example_gen.config import DataConfig
from components.image_example_gen.readers.arrays.array import Array
from components.image_example_gen.readers.arrays.labels import (
    LabelArray,
    can_be_labels,
    columns_of,
    has_rows,
    label_array,
    row_count,
)
from components.image_example_gen.readers.own_labels import SPLIT_NAMES, OwnSplits, split_said

_LOOKED_AT = 4096  # values


def is_of_splits(folder: str, array: Array, config: DataConfig) -> bool:
    """Return whether an array has a split's name and its first values contain splits. False if it is configured as labels."""
    called = array.name.rpartition("/")[2].casefold() in SPLIT_NAMES
    if not called or not config.heeds_splits or array.name == (config.array_labels or "").strip("/"):
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
    of_as_many = (array for array in arrays if can_be_labels(array) and has_rows(array, count))
    array = next((array for array in of_as_many if is_of_splits(folder, array, config)), None)
    splits = OwnSplits()
    if array is None:
        return None, splits
    found = label_array(folder, array, config)
    texts = found.texts(folder, 0, count, ())
    try:
        while part := list(itertools.islice(texts, _LOOKED_AT)):
            splits.add(set(part))
    except Exception:  # whatever the file holds: reported when it is read
        pass
    return found, splits
