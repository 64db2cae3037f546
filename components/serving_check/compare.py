"""Compare served answers with the golden answers of the trainer's model."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

# Floats: the order of a sum differs between kernels and batch sizes, and a graph may be optimized.
RELATIVE = 1e-4
ABSOLUTE = 1e-3
# Pixels are rounded floats: a value halfway between two levels may be rounded to either.
LEVELS = 1
SHARE_OF_PIXELS = 0.01
PNG = b"\x89PNG"  # the first bytes of a PNG file


class Comparison(NamedTuple):
    """The comparison of an answer with the golden one."""

    max_difference: float | None  # the largest difference of two numbers (for pixels: levels); None if they are not comparable
    reason: str | None  # why the answers differ; None if they do not


def compare(expected: np.ndarray | Sequence[bytes], actual: np.ndarray | Sequence[bytes]) -> Comparison:
    """Compare an answer with the golden one: floats or uint8 pixels of any shape, PNG files by their pixels, or other strings."""
    if isinstance(expected, list) and isinstance(actual, list):
        if not any(content.startswith(PNG) for content in expected):
            return _compare_strings(expected, actual)
        try:
            expected, actual = _decode(expected), _decode(actual)
        except (OSError, ValueError) as error:
            return Comparison(None, f"is not PNG pictures of one size: {error}")
    expected, actual = np.asarray(expected), np.asarray(actual)
    if (expected.dtype, expected.shape) != (actual.dtype, actual.shape):
        return Comparison(None, f"is {_kind(actual)} where {_kind(expected)} is expected")
    if not actual.size:
        return Comparison(None, "is empty")
    if expected.dtype == np.uint8:
        return _compare_pixels(expected, actual)
    return _compare_floats(expected, actual)


def _compare_strings(expected: Sequence[bytes], actual: Sequence[bytes]) -> Comparison:
    if len(expected) != len(actual):
        return Comparison(None, f"is {len(actual)} strings where {len(expected)} are expected")
    others = sum(one != other for one, other in zip(expected, actual))
    return Comparison(float(others), f"differs in {others} of {len(expected)} strings" if others else None)


def _compare_pixels(expected: np.ndarray, actual: np.ndarray) -> Comparison:
    levels = np.abs(expected.astype(np.int16) - actual)
    share = np.count_nonzero(levels) / levels.size
    difference = float(levels.max())
    if difference <= LEVELS and share <= SHARE_OF_PIXELS:
        return Comparison(difference, None)
    return Comparison(difference, f"differs in {share:.1%} of the pixels, by up to {difference:.0f} levels")


def _compare_floats(expected: np.ndarray, actual: np.ndarray) -> Comparison:
    if not np.all(np.isfinite(actual)):
        return Comparison(None, "is not a finite number everywhere")
    difference = float(np.abs(expected.astype(np.float64) - actual).max())
    if np.allclose(actual, expected, rtol=RELATIVE, atol=ABSOLUTE):
        return Comparison(difference, None)
    return Comparison(difference, f"differs by up to {difference:.4g}")


def _decode(files: Sequence[bytes]) -> np.ndarray:
    """Return PNG files of one size as uint8 [n, h, w] or [n, h, w, c]."""
    return np.stack([np.asarray(Image.open(io.BytesIO(content), formats=["PNG"])) for content in files])


def _kind(array: np.ndarray) -> str:
    return f"{array.dtype} {list(array.shape)}"
