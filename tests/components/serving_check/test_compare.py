"""What counts as the same answer."""

from __future__ import annotations

import re

import numpy as np
import pytest
import tensorflow as tf

from components.serving_check.compare import compare

PIXELS = np.random.default_rng(0).integers(1, 255, (4, 10, 10, 1), dtype=np.uint8)
FLOATS = np.array([-250.0, 0.0, 3.5], np.float32)


def _png(images: np.ndarray) -> list[bytes]:
    return [tf.io.encode_png(image).numpy() for image in images]


def test_equal_answers_are_the_same() -> None:
    assert compare(PIXELS, PIXELS) == (0.0, None)
    assert compare(FLOATS, FLOATS) == (0.0, None)
    assert compare(_png(PIXELS), _png(PIXELS)) == (0.0, None)
    assert compare([b"cat", b""], [b"cat", b""]) == (0.0, None)


def test_rounding_is_forgiven() -> None:
    one_pixel = PIXELS.copy()
    one_pixel[0, 0, 0, 0] += 1
    assert compare(PIXELS, one_pixel) == (1.0, None)
    assert compare(_png(PIXELS), _png(one_pixel)) == (1.0, None)
    assert compare(FLOATS, FLOATS + np.array([0.02, 0.0009, 0], np.float32)).reason is None


@pytest.mark.parametrize(
    ("expected", "actual", "words"),
    [
        (PIXELS, PIXELS + 1, "differs in 100.0% of the pixels, by up to 1 levels"),
        (PIXELS, 255 - PIXELS, "differs in"),
        (PIXELS, PIXELS[:3], r"is uint8 \[3, 10, 10, 1\] where uint8 \[4, 10, 10, 1\] is expected"),
        (PIXELS, PIXELS.astype(np.float32), "is float32"),
        (PIXELS[:0], PIXELS[:0], "is empty"),
        (FLOATS, FLOATS + np.float32(0.1), "differs by up to 0.1"),
        (FLOATS, FLOATS * np.float32(np.nan), "finite"),
        (FLOATS * np.float32(np.nan), FLOATS * np.float32(np.nan), "finite"),
        (_png(PIXELS), [b"no picture"] * 4, "is not PNG"),
        (_png(PIXELS), _png(PIXELS)[:2], "is uint8"),
        (_png(PIXELS), PIXELS, "where"),
        ([b"cat", b"dog"], [b"cat", b"cat"], "differs in 1 of 2 strings"),
        ([b"cat", b"dog"], [b"cat"], "1 strings where 2 are expected"),
    ],
)
def test_anything_else_is_told(expected: object, actual: object, words: str) -> None:
    with np.errstate(all="raise"):
        reason = compare(expected, actual).reason
    assert reason is not None
    assert re.search(words, reason)
