"""Real pictures that are at hand everywhere: scikit-learn's handwritten digits, as ingestion would leave them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from tests.trainer import tiny


def read_digits() -> tuple[np.ndarray, list[str]]:
    """Pictures, uint8 [1797, 8, 8, 1], and labels."""
    digits = load_digits()
    return (digits.images * 255 / 16).round().astype(np.uint8)[..., np.newaxis], [str(label) for label in digits.target]


def write_digits(uri: Path, splits: dict[str, int], rename: Callable[[int, str], str] = lambda _, label: label) -> Path:
    """Writes an `examples` artifact.

    Args:
        uri: Its folder.
        splits: How many digits each split has, one split after the other.
        rename: From a picture's number in its split and its label to the label that is written; empty for none.
    """
    pictures, labels = read_digits()
    encoded, renamed, start = {}, {}, 0
    for split, count in splits.items():
        part = slice(start, start + count)
        encoded[split] = [tiny.encode(picture) for picture in pictures[part]]
        renamed[split] = [rename(i, label) for i, label in enumerate(labels[part])]
        start += count
    return tiny.write_examples(uri, encoded, renamed)
