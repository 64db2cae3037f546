"""Identify the picture and the label among a tf.Example's features: by this project's names, those of TFDS, and usual ones."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.readers.beginnings import square_of, with_names
from components.image_example_gen.readers.example_messages import EXAMPLE, SEQUENCE_EXAMPLE
from components.image_example_gen.readers.own_labels import SPLIT_NAMES, rank, split_said

# In order of priority; case is ignored. The first ones are this project's own.
IMAGE_NAMES = (
    *("image/encoded", "image", "image_raw", "image/raw", "image_bytes", "image/bytes", "encoded", "img", "img_raw"),
    *("picture", "photo", "jpg", "jpeg", "png", "image/image_data", "image_data", "encoded_image", "raw"),
)
LABEL_NAMES = (
    *("image/label", "image/class/text", "class/text", "label_text", "label_name", "class_name", "label", "image/class/label"),
    *("class/label", "labels", "class", "target", "category", "cls", "class_id", "y"),
)
_HEIGHTS = ("image/height", "height", "rows", "h")
_WIDTHS = ("image/width", "width", "cols", "w")
_CHANNELS = ("image/channels", "image/depth", "channels", "depth", "num_channels")
_SIGNATURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8")  # raw pixels rarely start with these
_MAX_CHANNELS = 4
_SHOWN = 40  # characters of a feature's name
_SMALLEST_SQUARE = 4  # pixels per side; fewer bytes may be anything

Features = Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """The content of an example."""

    data: bytes  # the bytes of its picture
    shape: tuple[int, int, int] | None  # height, width and channels of raw pixels; None for a picture file
    label: str  # the label as text; '' for none
    split: str | None = None  # its own split, or None


def features_of(record: bytes) -> Features | str:
    """Return the features of a serialized tf.Example, or why it is not one."""
    try:
        features = EXAMPLE.FromString(record).features.feature
    except Exception:  # versions of protobuf raise different errors
        return reasons.NO_EXAMPLE
    if features:
        return features
    return reasons.SEQUENCE_EXAMPLE if _is_sequence(record) else reasons.NO_EXAMPLE


def read_features(features: Features, config: DataConfig, own: Sequence[str], split_from: str = "") -> Found | str:
    """Return picture, label (by the names `own`, if it is a number) and split of an example, or why it is rejected."""
    name, label_from = names_of(features, config)
    if name is None:
        return reasons.NO_FEATURE
    values = features[name].bytes_list.value
    if len(values) > 1:
        return reasons.SEVERAL_PICTURES
    label, _ = _label(features, label_from, config, own)
    split = split_said(split_text(features, split_from)) if split_from else None
    return Found(values[0], _shape(features, name, values[0], config), label, split)


def names_of(features: Features, config: DataConfig) -> tuple[str | None, str | None]:
    """Return the features that hold the picture and the label, None for none.

    The picture is the first with a usual name and bytes; the label the first with text, else the first with a number.
    """
    images, labels = _candidates(frozenset(features), config.record_image, config.record_label)
    image = next((name for name in images if features[name].bytes_list.value), None)
    labels = [name for name in labels if name != image]
    label = next((name for name in labels if features[name].bytes_list.value), None)
    return image, label or next((name for name in labels if features[name].int64_list.value), None)


@functools.lru_cache(1024)
def _candidates(there: frozenset[str], image: str | None, label: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the candidates for the picture and for the label, in order of priority."""
    images = _called(there, IMAGE_NAMES) if image is None else (image,) if image in there else ()
    labels = _called(there, LABEL_NAMES) if label is None else (label,) if label in there else ()
    return images, labels


def _called(there: frozenset[str], usual: Sequence[str]) -> tuple[str, ...]:
    """Return the features with usual names in order; of two that differ only in case, lower case comes first."""
    return tuple(sorted((name for name in there if name.casefold() in usual), key=lambda name: (*rank(name, usual), name)))


def numbers_name(features: Features, config: DataConfig) -> str:
    """Return the feature that holds the label if it is a number; else ''."""
    _, name = names_of(features, config)
    return name if name is not None and features[name].int64_list.value else ""


def describe_missing(record: bytes, features: Features | str, config: DataConfig) -> str:
    """Return why a file's first record has no picture, in under 120 characters; '' if it has one."""
    if isinstance(features, str):
        return reasons.NO_EXAMPLES if features == reasons.NO_EXAMPLE else f"its records are {reasons.SEQUENCE_EXAMPLE[2:]}"
    if names_of(features, config)[0] is not None:
        return ""
    if _is_sequence(record):
        return reasons.SEQUENCE_EXAMPLE
    return with_names("its records have the features ", sorted(features), ": data.record_image names the one with pictures")


def notes_of(features: Features, config: DataConfig) -> tuple[str, ...]:
    """Return notes for the user on how labels and splits are read."""
    _, name = names_of(features, config)
    several = _label(features, name, config, ())[1]
    notes = [f"the feature {name} has {several:,} values: data.label_column picks one"] if several else []
    if name is None:
        _, labels = _candidates(frozenset(features), config.record_image, config.record_label)
        unfit = next((label for label in labels if features[label].float_list.value), None)
        if unfit is not None:
            notes.append(f"the feature {unfit[:_SHOWN]} is not used for labels: it holds no single text or whole number")
        elif config.record_label is not None and not labels:
            problem = f"no feature {config.record_label}; it has "
            notes.append(with_names(problem, sorted(features), ": data.record_label names one"))
    splits = _called(frozenset(features), SPLIT_NAMES[:1]) if config.heeds_splits else ()
    if splits and not split_name(features, config) and features[splits[0]].WhichOneof("kind"):
        notes.append(f"the feature {splits[0]} is not used for splits: it holds no text")
    return tuple(notes)


def split_name(features: Features, config: DataConfig) -> str:
    """Return the feature with the split, '' for none: one named `split` with text, or another usual name with a known split."""
    if not config.heeds_splits:
        return ""
    for name in _called(frozenset(features), (*SPLIT_NAMES, "image/split")):
        text = split_text(features, name)
        if text and name not in names_of(features, config) and (name.casefold() == SPLIT_NAMES[0] or split_said(text)):
            return name
    return ""


def split_text(features: Features, name: str) -> str:
    """Return a feature's value if it is a single text; else ''."""
    values = features[name].bytes_list.value if name in features else ()
    return values[0].decode("utf-8", "replace") if len(values) == 1 else ""


def _label(features: Features, name: str | None, config: DataConfig, own: Sequence[str]) -> tuple[str, int]:
    """Return the label, and the number of labels if there are several and none is selected."""
    if name is None:
        return "", 0
    values = features[name].bytes_list.value or features[name].int64_list.value
    column = config.label_column if len(values) > 1 else 0
    if column is None or column >= len(values):
        return "", len(values)
    value, names = values[column], config.label_names or own
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace"), 0
    return (names[value] if 0 <= value < len(names) else str(value)), 0


def _shape(features: Features, name: str, data: bytes, config: DataConfig) -> tuple[int, int, int] | None:
    """Return the shape of raw pixels if the bytes are not a picture file and match the shape's size; else None."""
    if not data or data.startswith(_SIGNATURES):
        return None
    if config.shape is not None:
        return config.shape if math.prod(config.shape) == len(data) and config.shape[2] <= _MAX_CHANNELS else None
    height, width, channels = (_number(features, names) for names in (_HEIGHTS, _WIDTHS, _CHANNELS))
    if height > 0 and width > 0:
        channels = channels or len(data) // (height * width)
        fits = 0 < channels <= _MAX_CHANNELS and height * width * channels == len(data)
        return (height, width, channels) if fits else None
    if "raw" not in name and config.record_image is None:  # a damaged picture may happen to have as many bytes as a square
        return None
    square = square_of(len(data))
    return square if square and square[0] >= _SMALLEST_SQUARE else None


def _number(features: Features, names: Sequence[str]) -> int:
    values = (features[name].int64_list.value for name in names if name in features)
    return next((value[0] for value in values if len(value) == 1), 0)


def _is_sequence(record: bytes) -> bool:
    try:
        return bool(SEQUENCE_EXAMPLE.FromString(record).feature_lists.feature_list)
    except Exception:  # versions of protobuf raise different errors
        return False


def stacked(found: Sequence[Found]) -> np.ndarray:
    """Return raw pixels of one shape as an array [n, height, width, channels]."""
    return np.frombuffer(b"".join(one.data for one in found), np.uint8).reshape(len(found), *found[0].shape)
