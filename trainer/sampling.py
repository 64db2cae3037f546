"""Noise: reparameterized samples for training, and draws from each example's own key for evaluation."""

from __future__ import annotations

import tensorflow as tf

BINARISATION = 0x5EED  # fixed seed of the binarization of held-out images


def reparameterise(mean: tf.Tensor, log_variance: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    """Return a sample of N(mean, exp(log_variance)) that gradients flow through (Kingma and Welling 2014, section 2.4).

    All arguments are float32 [..., d]. The noise is draws of N(0, 1).

    Example:
        >>> reparameterise(tf.constant([[1.0]]), tf.constant([[0.0]]), noise=tf.constant([[2.0]])).numpy()
        array([[3.]], dtype=float32)
    """
    return mean + tf.exp(0.5 * log_variance) * noise


def example_keys(levels: tf.Tensor) -> tf.Tensor:
    """Return the key of each image, uint8 or uint16 [n, h, w, c]: FarmHash64 of its pixels, int32 [n, 2], a stateless seed.

    So a score depends on image and model, not on batching.
    """
    flat = tf.reshape(levels, [tf.shape(levels)[0], -1])
    return tf.bitcast(tf.reshape(tf.fingerprint(flat), [-1, 2, 4]), tf.int32)


@tf.function(reduce_retracing=True, autograph=False)  # called eagerly, every draw would cost a Python step
def keyed_normal(keys: tf.Tensor, shape: tuple[int, ...]) -> tf.Tensor:
    """Return draws of N(0, 1), float32 [n, *shape], of which row i depends on keys[i], int32 [2], only."""
    draw = lambda key: tf.random.stateless_normal(shape, seed=key)  # noqa: E731
    return tf.map_fn(draw, keys, fn_output_signature=tf.TensorSpec(shape, tf.float32))


@tf.function(reduce_retracing=True, autograph=False)
def binarise(x: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
    """Binarize gray images: each value is the probability that it becomes white (Salakhutdinov and Murray 2008).

    Images are float32 [n, h, w, c] in [0, 1], and the result is 0 or 1. Draws come from each example's own key, int32 [n, 2], so an
    image is binarized the same way every time.
    """
    shape = tf.shape(x)[1:]  # unknown in a graph that is shared by images of several sizes
    other_keys = tf.bitwise.bitwise_xor(keys, BINARISATION)  # a stream other than that of the latent noise
    other_keys = tf.concat([other_keys, [[0, 0]]], axis=0)  # one extra: map_fn needs a first draw if the shape is unknown
    draw = lambda key: tf.random.stateless_uniform(shape, seed=key)  # noqa: E731
    uniform = tf.map_fn(draw, other_keys, fn_output_signature=tf.TensorSpec(x.shape[1:], tf.float32))
    return tf.cast(uniform[:-1] < x, tf.float32)


def slerp(start: tf.Tensor, end: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
    """Return codes along the sphere between two codes (Shoemake 1985; for latent spaces White 2016, arXiv:1609.04468).

    A straight line between two draws of a high-dimensional Gaussian passes through a region where the prior has no mass. The
    great circle does not. Lengths are interpolated linearly. Two codes in the same direction are joined by a straight line. So
    are two codes in opposite directions, where the great circle is not unique.

    Args:
        start: float32 [d].
        end: float32 [d].
        steps: Integer [], at least 1.

    Returns:
        float32 [steps, d], from `start` to `end` inclusive.
    """
    t = tf.linspace(0.0, 1.0, steps)[:, tf.newaxis]
    start_norm, end_norm = tf.norm(start), tf.norm(end)
    unit_start, unit_end = tf.math.divide_no_nan(start, start_norm), tf.math.divide_no_nan(end, end_norm)
    angle = tf.acos(tf.clip_by_value(tf.reduce_sum(unit_start * unit_end), -1.0, 1.0))
    direction = tf.math.divide_no_nan(tf.sin((1 - t) * angle) * unit_start + tf.sin(t * angle) * unit_end, tf.sin(angle))
    curved = direction * ((1 - t) * start_norm + t * end_norm)
    straight = (1 - t) * start + t * end
    return tf.where(tf.sin(angle) > 1e-3, curved, straight)
