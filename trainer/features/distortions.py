"""Changes to images in self-supervised training: distortions to recognize, turns, and views of one image.

Each function takes images float32 [n, h, w, c] in [0, 1], and most take a seed, int32 [2], which determines the result. Kinds and turns are assigned to fixed places of the batch, whose order is random.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

KINDS = ("none", "weak blur", "strong blur", "weak noise", "strong noise", "shuffled patches", "blended")
DEALT = (0, 0, 1, 2, 3, 4, 5, 6)  # kind of each eighth of a batch
TURNS = 4
PARTS = len(DEALT)
BLUR = ((0.4, 1.0), (1.0, 2.5))  # standard deviation of the Gaussian in pixels; weak and strong
NOISE = ((4 / 255, 12 / 255), (12 / 255, 50 / 255))  # standard deviation
PATCHES = 4  # patches along a side


def distort(pictures: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, np.ndarray]:
    """Distort three quarters of the images, each eighth of the batch in its own kind. n is a multiple of `PARTS`.

    Returns:
        The distorted images, float32 [n, h, w, c] in [0, 1], and the kind of each, its index in `KINDS`, int32 [n].
    """
    seeds = tf.random.experimental.stateless_split(seed, PARTS)
    parts = tf.split(pictures, PARTS)
    changed = [
        parts[0],
        parts[1],
        *(blur(part, _uniform(part, seeds[i], *limits)) for i, part, limits in zip((2, 3), parts[2:4], BLUR)),
        *(_noisy(part, seeds[i], *limits) for i, part, limits in zip((4, 5), parts[4:6], NOISE)),
        shuffle_patches(parts[6], seeds[6]),
        _blended(parts[7], seeds[7]),
    ]
    # Rounded to whole levels, because a network could recognize distorted images by their fractions.
    distorted = tf.round(255 * tf.clip_by_value(tf.concat(changed, axis=0), 0.0, 1.0)) / 255
    return distorted, np.repeat(np.int32(DEALT), pictures.shape[0] // PARTS)


def turn(pictures: tf.Tensor) -> tuple[tf.Tensor, np.ndarray]:
    """Turn three of four images, by one, two and three quarter turns. If images are not square, turn half of them by two.

    Returns:
        The turned images, float32 [n, h, w, c], and the number of quarter turns, int32 [n].
    """
    square = pictures.shape[1] == pictures.shape[2]
    turns = np.arange(TURNS) if square else np.array([0, 2, 0, 2])
    turned = [_quarter_turns(pictures[i::TURNS], k) for i, k in enumerate(turns)]
    interleaved = tf.reshape(tf.stack(turned, axis=1), pictures.shape)
    return interleaved, np.tile(turns.astype(np.int32), pictures.shape[0] // TURNS)


def _quarter_turns(pictures: tf.Tensor, turns: int) -> tf.Tensor:
    """Turn images to the left by quarter turns. Images that are not square allow half turns only."""
    if turns % 2:
        pictures = tf.reverse(tf.transpose(pictures, [0, 2, 1, 3]), [1])
    return tf.reverse(pictures, [1, 2]) if turns >= 2 else pictures


def view(pictures: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Crop each image to a random part, resize it to the original size, and change brightness and contrast of its channels."""
    n, height, width, channels = pictures.shape
    seeds = tf.random.experimental.stateless_split(seed, 4)
    side = tf.random.stateless_uniform([n, 1], seeds[0], 0.6, 1.0)
    corner = tf.random.stateless_uniform([n, 2], seeds[1]) * (1 - side)
    cropped = tf.image.crop_and_resize(pictures, tf.concat([corner, corner + side], axis=1), tf.range(n), [height, width])
    gain = tf.random.stateless_uniform([n, 1, 1, channels], seeds[2], 0.7, 1.3)
    offset = tf.random.stateless_uniform([n, 1, 1, channels], seeds[3], -0.1, 0.1)
    return tf.clip_by_value((cropped - 0.5) * gain + 0.5 + offset, 0.0, 1.0)


def blur(pictures: tf.Tensor, sigma: tf.Tensor) -> tf.Tensor:
    """Convolve images with Gaussians, normalized at the borders. `sigma` is their standard deviation, pixels, float32 [n] or [1].

    Example:
        >>> blur(tf.ones([1, 4, 4, 1]), tf.constant([1.0])).shape
        TensorShape([1, 4, 4, 1])
    """
    sigma = tf.broadcast_to(tf.reshape(sigma, [-1, 1, 1]), [pictures.shape[0], 1, 1])

    def weights(side: int) -> tf.Tensor:
        offset = tf.range(side, dtype=tf.float32)[:, tf.newaxis] - tf.range(side, dtype=tf.float32)
        return tf.nn.softmax(-0.5 * tf.square(offset / sigma), axis=-1)

    rows = tf.einsum("nij,njwc->niwc", weights(pictures.shape[1]), pictures)
    return tf.einsum("nij,nhjc->nhic", weights(pictures.shape[2]), rows)


def shuffle_patches(pictures: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Put `PATCHES` x `PATCHES` patches of each image in random order. What is left over at the right and bottom stays."""
    n, height, width, channels = pictures.shape
    tall, wide = max(1, height // PATCHES), max(1, width // PATCHES)
    rows, columns = min(PATCHES, height), min(PATCHES, width)
    inner = pictures[:, : rows * tall, : columns * wide]
    patches = tf.transpose(tf.reshape(inner, [n, rows, tall, columns, wide, channels]), [0, 1, 3, 2, 4, 5])
    patches = tf.reshape(patches, [n, rows * columns, tall * wide * channels])
    order = tf.argsort(tf.random.stateless_uniform([n, rows * columns], seed), axis=1)
    patches = tf.reshape(tf.gather(patches, order, batch_dims=1), [n, rows, columns, tall, wide, channels])
    shuffled = tf.reshape(tf.transpose(patches, [0, 1, 3, 2, 4, 5]), [n, rows * tall, columns * wide, channels])
    beside = tf.concat([shuffled, pictures[:, : rows * tall, columns * wide :]], axis=2)
    return tf.concat([beside, pictures[:, rows * tall :]], axis=1)


def _noisy(pictures: tf.Tensor, seed: tf.Tensor, low: float, high: float) -> tf.Tensor:
    seeds = tf.random.experimental.stateless_split(seed, 2)
    return pictures + _uniform(pictures, seeds[0], low, high) * tf.random.stateless_normal(pictures.shape, seeds[1])


def _blended(pictures: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Mix each image with its neighbor in the batch, as an uncertain decoder does."""
    share = _uniform(pictures, seed, 0.3, 0.7)
    return share * pictures + (1 - share) * tf.roll(pictures, 1, axis=0)


def _uniform(pictures: tf.Tensor, seed: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """Draw a number for each image, float32 [n, 1, 1, 1]."""
    return tf.random.stateless_uniform([pictures.shape[0], 1, 1, 1], seed, low, high)
