"""Sheets of pictures."""

from __future__ import annotations

import numpy as np
import pytest

from serving.grids import GAP, WIDTH, side_by_side, tile


def _images(count: int, height: int = 28, width: int = 28, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("count", [1, 3, 64, 400])
@pytest.mark.parametrize("size", [8, 28, 64])
def test_small_pictures_are_enlarged_until_the_sheet_can_be_seen(count: int, size: int) -> None:
    width, height = tile(_images(count, size, size)).size
    assert width >= WIDTH
    assert width < 1700 and height <= width * 1.1


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_picture_stands_in_its_cell_unchanged(channels: int) -> None:
    images = _images(7, 10, 20, channels)
    sheet = np.asarray(tile(images, columns=4))
    sheet = sheet.reshape(*sheet.shape[:2], channels)
    scale = (sheet.shape[1] - 5 * GAP) // (4 * 20)
    for index, image in enumerate(images):
        top, left = GAP + index // 4 * (10 * scale + GAP), GAP + index % 4 * (20 * scale + GAP)
        cell = sheet[top : top + 10 * scale, left : left + 20 * scale]
        np.testing.assert_array_equal(cell[::scale, ::scale], image)
        np.testing.assert_array_equal(cell[scale - 1 :: scale, scale - 1 :: scale], image)


def test_large_pictures_are_not_enlarged() -> None:
    assert tile(_images(4, 512, 512, 3), columns=2).size == (2 * 512 + 3 * GAP, 2 * 512 + 3 * GAP)


def test_pairs_stand_left_and_right() -> None:
    left, right = _images(2), _images(2) // 2
    np.testing.assert_array_equal(side_by_side(left, right)[:, :, 28:], right)
