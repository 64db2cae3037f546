"""Corrupt images for denoising training: the encoder sees the corrupted images, the decoder has to give the clean ones."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from trainer.replication import draw_rows


def corrupt(x: tf.Tensor, kind: str, level: tf.Tensor | float, seed: tf.Tensor) -> tf.Tensor:
    """Corrupt images, float32 [n, h, w, c] in [0, 1] (Vincent et al. 2010, section 3.3).

    Args:
        x: The images.
        kind: `none`, `gaussian` (noise of standard deviation `level`, clipped to [0, 1]), `masking` (a share `level` of the
            pixels is black, all channels of a pixel together), or `salt_and_pepper` (a share is black or white).
        level: float32, [] or [n].
        seed: int [2]. The same seed gives the same noise.

    Raises:
        ValueError: The kind is unknown. The message lists the known kinds.

    Example:
        >>> corrupt(tf.ones([1, 2, 2, 1]), "masking", 1.0, tf.constant([0, 1])).numpy().sum()
        0.0
    """
    if kind not in KINDS:
        raise ValueError(f"unknown corruption {kind!r}: allowed are {', '.join(KINDS)}")
    level = tf.reshape(level, [-1, 1, 1, 1])
    return KINDS[kind](x, level, seed)


def corrupt_variously(x: tf.Tensor, kind: str, max_level: float, seed: tf.Tensor) -> tf.Tensor:
    """Corrupt each image by its own level, uniform between 0 and `max_level`. So the encoder learns clean images as well."""
    if kind == "none":
        return x
    level_seed, noise_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    return corrupt(x, kind, draw_rows(tf.random.stateless_uniform, [tf.shape(x)[0]], level_seed, 0.0, max_level), noise_seed)


def _gaussian(x: tf.Tensor, level: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(x + level * draw_rows(tf.random.stateless_normal, tf.shape(x), seed), 0.0, 1.0)


def _masking(x: tf.Tensor, level: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    return x * tf.cast(_per_pixel(x, seed) >= level, tf.float32)


def _salt_and_pepper(x: tf.Tensor, level: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    uniform = _per_pixel(x, seed)
    # One draw decides both: a pixel is corrupted below the level, and black in the lower half of that.
    return tf.where(uniform < level, tf.cast(uniform >= 0.5 * level, tf.float32), x)


def _per_pixel(x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    return draw_rows(tf.random.stateless_uniform, tf.concat([tf.shape(x)[:3], [1]], axis=0), seed)


KINDS: dict[str, Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "none": lambda x, level, seed: x,
    "gaussian": _gaussian,
    "masking": _masking,
    "salt_and_pepper": _salt_and_pepper,
}
