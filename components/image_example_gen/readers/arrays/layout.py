"""Identify the axes of an array: pictures, height, width, channels."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.readers.arrays.array import Array, dimensions
from components.image_example_gen.readers.beginnings import square_of
from serving.picture_files import Refused

_FIRST_CHANNELS = (1, 3, 4)  # numbers of channels that occur before height and width in practice
_ONE_PICTURE = 8  # minimum side; [n, 8, 3] and larger is one picture [h, w, 3], not a stack of strips three pixels wide


@dataclass(frozen=True)
class Layout:
    """The axes of an array."""

    axes: str  # a letter for each axis of the array's shape: n, h, w, c; `*` for pictures as rows of numbers
    count: int  # the number of pictures
    picture: tuple[int, int, int]  # height, width and channels
    inner: str = "hwc"  # the order of the numbers in such a row

    @property
    def values(self) -> int:
        """Number of values per picture."""
        return math.prod(self.picture)

    def is_last(self, array: Array) -> bool:
        """Return whether the pictures are the last axis in file order."""
        return len(self.axes) > 1 and (self.axes[::-1] if array.turned else self.axes).endswith("n")

    def pictures(self, rows: np.ndarray, turned: bool) -> np.ndarray:
        """Return stored values, whose first axis is the pictures, as [n, h, w, c]; `turned` if the other axes are reversed."""
        letters = (self.axes[::-1] if turned else self.axes).replace("n", "")
        if letters == "*":
            letters = self.inner
            rows = rows.reshape(len(rows), *(self.picture["hwc".index(letter)] for letter in letters))
        if "c" not in letters:
            letters, rows = f"{letters}c", rows[..., np.newaxis]
        if letters == "hwc":
            return rows
        return np.ascontiguousarray(rows.transpose(0, *(1 + letters.index(letter) for letter in "hwc")))


def layout_of(array: Array, config: DataConfig, counts: Collection[int] = ()) -> Layout:
    """Identify the axes of an array, by `counts` of labels if several may be the pictures. Raise Refused if it has none."""
    shape = array.shape
    if array.dtype.kind not in "biuf":
        raise Refused(reasons.NOT_NUMBERS.format(array.shown))
    if len(shape) not in (2, 3, 4):
        raise Refused(reasons.NO_PICTURES_SHAPE.format(array.shown, dimensions(shape)))
    if 0 in shape:
        raise Refused(reasons.NO_PICTURES_INSIDE.format(array.shown, dimensions(shape)))
    axes = {2: _axes_of_rows, 3: _axes_of_grey, 4: _axes_of_color}[len(shape)](array, config, counts)
    sizes = dict(zip(axes, shape, strict=True))
    if "*" in axes:
        picture = config.shape
        matlab_order = array.matlab and picture[2] == 1
        return Layout(axes, sizes["n"], picture, "cwh" if matlab_order else "hwc")
    return Layout(axes, sizes["n"], (sizes["h"], sizes["w"], sizes.get("c", 1)))


def has_planes(rows: np.ndarray, picture: tuple[int, int, int]) -> bool:
    """Return whether rows [n, h * w * c] hold one channel after the other, as in CIFAR, by the smoothness of both orders."""
    height, width, channels = picture
    if channels == 1 or height < 2:
        return False
    rows = rows.reshape(len(rows), -1).astype(np.float32)
    by_planes, by_pixels = (float(np.abs(rows[:, lag:] - rows[:, :-lag]).mean()) for lag in (width, width * channels))
    return by_planes < 0.9 * by_pixels


def _axes_of_rows(array: Array, config: DataConfig, counts: Collection[int]) -> str:
    rows, length = array.shape
    if config.shape is not None and length == math.prod(config.shape):
        return "n*"
    if config.shape is not None and array.matlab and rows == math.prod(config.shape):
        return "*n"
    if config.shape is None and length > 4:
        hint = "[{},{},{}]".format(*(square_of(length) or ("height", "width", "channels")))
        raise Refused(reasons.ROWS_OF_NUMBERS.format(array.shown, length, hint))
    raise Refused(reasons.ROWS_NOT_OF_SHAPE.format(array.shown, dimensions(array.shape)))


def _axes_of_grey(array: Array, config: DataConfig, counts: Collection[int]) -> str:
    first, second, last = array.shape
    if array.matlab:
        if last in counts or first not in counts and not (second == last != first):
            return "hwn"
        return "nhw"
    if last in (3, 4) and min(first, second) >= _ONE_PICTURE:
        raise Refused(reasons.ONE_PICTURE.format(array.shown, last))
    return "nhw"


def _axes_of_color(array: Array, config: DataConfig, counts: Collection[int]) -> str:
    _, second, third, last = array.shape
    if array.matlab and third <= 4 and not (last <= 4 and array.shape[0] in counts and last not in counts):
        return "hwcn"
    if last <= 4:
        return "nhwc"
    if second in _FIRST_CHANNELS:
        return "nchw"
    if third in _FIRST_CHANNELS and second == array.shape[0]:
        return "hwcn"
    raise Refused(reasons.CHANNELS.format(array.shown, dimensions((last,))))
