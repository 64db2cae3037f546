"""Augment training images: mirror them, shift them by a few pixels, and change their colors slightly.

Augmentation works on integer levels, before anything else sees the image. The result is an image with the same set of levels.
Encoder and decoder get the same changed image. Held-out images are not changed.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from trainer.preprocessing import LUMA, scale, to_levels
from trainer.replication import draw_rows

KINDS = ("mirrored", "shifted", "jittered")


def augment(levels: tf.Tensor, kinds: Sequence[str], seed: tf.Tensor, shift_pixels: int = 2, jitter: float = 0.1) -> tf.Tensor:
    """Change each image of a batch by its own draw (Shorten and Khoshgoftaar 2019, "Geometric transformations").

    Args:
        levels: uint8 or uint16 [n, h, w, c], c being 1 or 3.
        kinds: Any of `mirrored` (left to right, every second image on average), `shifted` (by up to `shift_pixels` pixels, see
            `move`) and `jittered` (see `change_colors`).
        seed: int [2]. The draws of one kind do not depend on the other kinds.
        shift_pixels: The longest shift along either axis, in pixels.
        jitter: The largest change of brightness and contrast, and half of that of saturation. At most 0.15.

    Raises:
        ValueError: A kind is unknown. The message lists the known kinds.
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
            mirrored = draw_rows(tf.random.stateless_uniform, [count], mirror_seed) < 0.5
        if "shifted" in kinds:
            rows, columns = _shifts(count, height, shift_pixels, row_seed), _shifts(count, width, shift_pixels, column_seed)
        levels = move(levels, mirrored, rows, columns)
    if "jittered" in kinds:
        changes = draw_rows(tf.random.stateless_uniform, [3, count], color_seed, -jitter, jitter, axis=1)
        levels = change_colors(levels, changes[0], changes[1], 2.0 * changes[2])
    return levels


def move(levels: tf.Tensor, mirrored: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Mirror images left to right, then shift them. Pixels that enter at an edge are the image's own reflection.

    Args:
        levels: Any type [n, h, w, c].
        mirrored: Which images to mirror, bool [n].
        rows: Shift downward in pixels, int32 [n], at most h - 1 in either direction.
        columns: Shift to the right in pixels, int32 [n], at most w - 1 in either direction.

    Example:
        >>> levels = tf.constant([[[[1], [2], [3]]]], tf.uint8)
        >>> move(levels, tf.constant([True]), tf.constant([0]), tf.constant([0])).numpy().ravel()
        array([3, 2, 1], dtype=uint8)
    """
    height, width, channels = levels.shape[1:]
    row = _reflect(tf.range(height) - rows[:, tf.newaxis], height)
    column = _reflect(tf.range(width) - columns[:, tf.newaxis], width)
    column = tf.where(mirrored[:, tf.newaxis], width - 1 - column, column)
    # One gather of whole pixels takes a third of the time of tf.reverse and tf.where alone.
    first = height * tf.range(tf.shape(levels)[0])[:, tf.newaxis, tf.newaxis]
    places = width * (first + row[:, :, tf.newaxis]) + column[:, tf.newaxis, :]
    return tf.gather(tf.reshape(levels, [-1, channels]), places)


def change_colors(levels: tf.Tensor, brightness: tf.Tensor, contrast: tf.Tensor, saturation: tf.Tensor) -> tf.Tensor:
    """Change brightness, contrast and, for RGB, saturation. Black stays black and white stays white.

    A value x of [0, 1] becomes x + x (1 - x) (4 b + 2 c (2 x - 1)): mid-gray moves by b, and the slope there is 1 + c. The
    usual linear change would turn a white background gray, and a model of icons would learn gray backgrounds.

    Args:
        levels: uint8 or uint16 [n, h, w, c].
        brightness: b, float32 [n], at most 0.15 in either direction, so that together with c the order of levels is kept.
        contrast: c, float32 [n], at most 0.15 in either direction.
        saturation: s, float32 [n]. Differences from a pixel's luma are multiplied by 1 + s and clipped to [0, 1].
    """
    x = scale(levels)
    channels = levels.shape[3]
    if channels == 3:
        # Linear in a pixel's channels: one small matrix product for each image.
        identity, luma = tf.eye(3), tf.repeat(tf.constant(LUMA)[:, tf.newaxis], 3, axis=1)
        mix = identity + saturation[:, tf.newaxis, tf.newaxis] * (identity - luma)
        x = tf.clip_by_value(tf.matmul(tf.reshape(x, [-1, levels.shape[1] * levels.shape[2], 3]), mix), 0.0, 1.0)
    x = tf.reshape(x, [-1, levels.shape[1] * levels.shape[2] * channels])  # one row per image: broadcasts over more axes are slower
    brightness, contrast = brightness[:, tf.newaxis], contrast[:, tf.newaxis]
    x += x * (1.0 - x) * ((4.0 * brightness - 2.0 * contrast) + 4.0 * contrast * x)
    return tf.reshape(to_levels(x, 8 * tf.as_dtype(levels.dtype).size), tf.shape(levels))


def _shifts(count: tf.Tensor, size: int, limit: int, seed: tf.Tensor) -> tf.Tensor:
    limit = min(limit, size - 1)
    return draw_rows(tf.random.stateless_uniform, [count], seed, -limit, limit + 1, tf.int32)


def _reflect(places: tf.Tensor, size: int) -> tf.Tensor:
    """Reflect places that lie beyond either end, by less than `size`, at the first or last pixel: -1 becomes 1."""
    return (size - 1) - tf.abs((size - 1) - tf.abs(places))
