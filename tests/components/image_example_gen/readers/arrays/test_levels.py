"""From an array's numbers to levels."""

from __future__ import annotations

import numpy as np
import pytest

from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Block, Rejected
from tests.components.image_example_gen.readers.arrays.files import PIXELS, find_one, items_of, joined, read, refused


def save(folder, values) -> None:
    np.savez(folder / "a.npz", x=values)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16, np.int64, ">i4"])
def test_black_and_white(tmp_path, dtype):
    binary = PIXELS[..., 0] > 99
    save(tmp_path, binary.astype(dtype))
    np.testing.assert_array_equal(read(tmp_path)[0][..., 0], binary * 255)
    assert "a.npz/x: levels are 0 and 1, taken as black and white" in find_one(tmp_path).notes


def test_a_grey_level_after_many_that_are_black_or_white(tmp_path):
    values = np.random.default_rng(0).integers(0, 2, (3000, 16, 16), np.uint8)
    values[2500, 3, 3] = 7
    save(tmp_path, values)
    items = items_of(tmp_path, find_one(tmp_path), size=700)
    (refusal,) = (item for item in items if isinstance(item, Rejected))
    assert (refusal.path, refusal.reason) == ("a.npz/x#2500", reasons.ABOVE_WHITE)
    pixels, _ = joined(item for item in items if isinstance(item, Block))
    np.testing.assert_array_equal(pixels[..., 0], np.delete(values, 2500, axis=0) * 255)


def test_black_pictures_are_not_taken_for_black_and_white(tmp_path):
    values = np.zeros((600, 4, 4), np.uint8)
    values[599] = 200
    save(tmp_path, values)
    np.testing.assert_array_equal(read(tmp_path)[0][..., 0], values)


@pytest.mark.parametrize("white", [1, 15, 100, 255, 4095, 65_535, 100_000])
@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.uint64])
@pytest.mark.parametrize("depth", [8, 16])
def test_stated_levels(tmp_path, white, dtype, depth):
    white = min(white, int(np.iinfo(dtype).max))
    values = np.random.default_rng(0).integers(0, white + 1, (9, 4, 4)).astype(dtype)
    save(tmp_path, values)
    found = read(tmp_path, DataConfig(levels=white, depth=depth))[0][..., 0]
    deep = depth == 16 and white > 255
    assert found.dtype == (np.uint16 if deep else np.uint8)
    np.testing.assert_array_equal(found, np.rint(values.astype(np.int64) * (65_535 if deep else 255) / white))


def test_levels_above_and_below_are_refused(tmp_path):
    values = np.full((4, 4, 4), 3, np.int16)
    values[1, 0, 0], values[2, 0, 0] = 16, -1
    save(tmp_path, values)
    config = DataConfig(levels=15)
    items = items_of(tmp_path, find_one(tmp_path, config), config)
    assert [item.reason for item in items if isinstance(item, Rejected)] == [reasons.ABOVE_WHITE, reasons.BELOW_BLACK]
    assert [len(item.pixels) for item in items if isinstance(item, Block)] == [1, 1]


def test_uint8_with_stated_levels(tmp_path):
    save(tmp_path, PIXELS % 16)
    np.testing.assert_array_equal(read(tmp_path, DataConfig(levels=15))[0], PIXELS % 16 * 17)
    assert read(tmp_path, DataConfig(levels=4095))[0].max() == 1


def test_sixteen_bits(tmp_path):
    values = np.random.default_rng(0).integers(0, 65_536, (9, 4, 4), np.uint16)
    save(tmp_path, values)
    np.testing.assert_array_equal(read(tmp_path)[0][..., 0], np.rint(values / 257))
    assert any("65,535 is taken as white" in note and "data.levels" in note for note in find_one(tmp_path).notes)
    found = read(tmp_path, DataConfig(depth=16))[0]
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found[..., 0], values)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.uint32])
def test_other_integers_within_a_byte(tmp_path, dtype):
    values = (PIXELS // 3).astype(dtype)
    save(tmp_path, values)
    np.testing.assert_array_equal(read(tmp_path)[0], values)


@pytest.mark.parametrize("values, hint", [(PIXELS.astype(np.int32) * 16, "4095"), (PIXELS.astype(np.int16) - 128, "255")])
def test_other_integers_beyond_a_byte(tmp_path, values, hint):
    save(tmp_path, values)
    assert f"set data.levels={hint}, the level of white" in refused(tmp_path)


@pytest.mark.parametrize("low, high, hint", [(0, 1, "[0,1]"), (-1, 1, "[-1,1]"), (0, 255, "[0,255]"), (-3, 7, "[-3,7]")])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f8"])
def test_floating_point_numbers(tmp_path, low, high, hint, dtype):
    levels = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    save(tmp_path, (low + levels / 255 * (high - low)).astype(dtype))
    assert refused(tmp_path) == f"holds floating-point numbers: set data.range={hint} to the values of black and white"
    found = read(tmp_path, DataConfig(range=(low, high)))[0][..., 0]
    if dtype != np.float16:
        np.testing.assert_array_equal(found, levels)
    assert np.abs(found.astype(int) - levels).max() <= 1
    deep = read(tmp_path, DataConfig(range=(low, high), depth=16))[0][..., 0]
    assert deep.dtype == np.uint16 and np.abs(deep / 257 - levels).max() < 0.3


@pytest.mark.parametrize(
    "value, reason",
    [(np.nan, reasons.NO_NUMBER), (np.inf, reasons.NO_NUMBER), (1.01, reasons.OUTSIDE_RANGE), (-0.01, reasons.OUTSIDE_RANGE)],
)
def test_floating_point_numbers_that_are_refused(tmp_path, value, reason):
    values = np.full((4, 4, 4), 0.5)
    values[2, 1, 1] = value
    save(tmp_path, values)
    config = DataConfig(range=(0, 1))
    items = items_of(tmp_path, find_one(tmp_path, config), config)
    assert [(item.path, item.reason) for item in items if isinstance(item, Rejected)] == [("a.npz/x#2", reason)]
