"""Augments training pictures: mirrors them, shifts them by a few pixels, changes their colors a little.

On whole levels, before anything else sees the picture: what comes out is a picture of as many levels, which the decoder is
to give as the encoder sees it. Held-out pictures are left as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from trainer.preprocessing import LUMA, scale, to_levels

KINDS = ("mirrored", "shifted", "jittered")


def augment(levels: tf.Tensor, kinds: Sequence[str], seed: tf.Tensor, shift_pixels: int = 2, jitter: float = 0.1) -> tf.Tensor:
    """Changes each picture of a batch by a draw of its own (Shorten and Khoshgoftaar 2019, "Geometric transformations").

    Args:
        levels: uint8 or uint16 [n, h, w, c], c being 1 or 3.
        kinds: Any of `mirrored` (left to right, every second picture), `shifted` (by up to `shift_pixels` pixels, see `shift`)
            and `jittered` (see `change_colors`); none leaves the pictures as they are.
        seed: int [2]; the same seed, the same draws. Those of one kind do not depend on the other kinds.
        shift_pixels: The longest shift along either axis, in pixels.
        jitter: The largest change of brightness and contrast, and half that of saturation; up to 0.15.

    Returns:
        Levels of the same type and shape.

    Raises:
        ValueError: No such kind; the message lists those there are.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise ValueError(f"unknown augmentation {unknown[0]!r}: allowed are {', '.join(KINDS)}")
    if not kinds:
        return levels
    count, (height, width) = tf.shape(levels)[0], levels.shape[1:3]
    mirror_seed, row_seed, column_seed, color_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 4))
    if "mirrored" in kinds or "shifted" in kinds:
        mirrored, rows, columns = tf.zeros([count], tf.bool), tf.zeros([count], tf.int32), tf.zeros([count], tf.int32)
        if "mirrored" in kinds:
            mirrored = tf.random.stateless_uniform([count], mirror_seed) < 0.5
        if "shifted" in kinds:
            rows, columns = _shifts(count, height, shift_pixels, row_seed), _shifts(count, width, shift_pixels, column_seed)
        levels = move(levels, mirrored, rows, columns)
    if "jittered" in kinds:
        changes = tf.random.stateless_uniform([3, count], color_seed, -jitter, jitter)
        levels = change_colors(levels, changes[0], changes[1], 2.0 * changes[2])
    return levels


def move(levels: tf.Tensor, mirrored: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Mirrors pictures left to right, then shifts them; what comes in at an edge is the picture's own reflection in it.

    Args:
        levels: Any type [n, h, w, c].
        mirrored: Which pictures are mirrored, bool [n].
        rows: By how many pixels they move down, int32 [n], at most h - 1 either way.
        columns: By how many they move to the right, int32 [n], at most w - 1.

    Returns:
        The same type and shape.
    """
    height, width, channels = levels.shape[1:]
    row = _reflect(tf.range(height) - rows[:, tf.newaxis], height)
    column = _reflect(tf.range(width) - columns[:, tf.newaxis], width)
    column = tf.where(mirrored[:, tf.newaxis], width - 1 - column, column)
    # One gather of whole pixels: a third of the time of tf.reverse and tf.where alone.
    first = height * tf.range(tf.shape(levels)[0])[:, tf.newaxis, tf.newaxis]
    places = width * (first + row[:, :, tf.newaxis]) + column[:, tf.newaxis, :]
    return tf.gather(tf.reshape(levels, [-1, channels]), places)


def change_colors(levels: tf.Tensor, brightness: tf.Tensor, contrast: tf.Tensor, saturation: tf.Tensor) -> tf.Tensor:
    """Changes brightness, contrast and, of RGB, saturation; black stays black and white stays white.

    A value x of [0, 1] becomes x + x (1 - x) (4 b + 2 c (2 x - 1)): mid-grey moves by b, and the slope there is 1 + c. The
    usual straight line would turn the white background of a set of icons grey, and a model would learn that it may be.

    Args:
        levels: uint8 or uint16 [n, h, w, c].
        brightness: b, float32 [n], at most 0.15 either way, so that with c the order of levels stays what it is.
        contrast: c, float32 [n], at most 0.15.
        saturation: s, float32 [n]: differences from a pixel's luma times 1 + s, as far as they stay in [0, 1].

    Returns:
        Whole levels of the same type and shape.
    """
    x = scale(levels)
    channels = levels.shape[3]
    if channels == 3:
        # Linear in a pixel's channels: one small matrix product for each picture.
        identity, luma = tf.eye(3), tf.repeat(tf.constant(LUMA)[:, tf.newaxis], 3, axis=1)
        mix = identity + saturation[:, tf.newaxis, tf.newaxis] * (identity - luma)
        x = tf.clip_by_value(tf.matmul(tf.reshape(x, [-1, levels.shape[1] * levels.shape[2], 3]), mix), 0.0, 1.0)
    x = tf.reshape(x, [-1, levels.shape[1] * levels.shape[2] * channels])  # a row each: broadcasts over more axes are slower
    brightness, contrast = brightness[:, tf.newaxis], contrast[:, tf.newaxis]
    x += x * (1.0 - x) * ((4.0 * brightness - 2.0 * contrast) + 4.0 * contrast * x)
    return tf.reshape(to_levels(x, 8 * tf.as_dtype(levels.dtype).size), tf.shape(levels))


def _shifts(count: tf.Tensor, size: int, most: int, seed: tf.Tensor) -> tf.Tensor:
    most = min(most, size - 1)
    return tf.random.stateless_uniform([count], seed, -most, most + 1, tf.int32)


def _reflect(places: tf.Tensor, size: int) -> tf.Tensor:
    """Places beyond either end, by less than `size`, as those that a mirror on the last pixel shows: -1 is 1."""
    return (size - 1) - tf.abs((size - 1) - tf.abs(places))
