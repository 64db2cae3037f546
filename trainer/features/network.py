"""A trained network that gives features of images, with its hash and its file format."""

from __future__ import annotations

import hashlib
import io

import keras
import numpy as np
import tensorflow as tf

from trainer.preprocessing import scale


class FeatureNetwork:
    """A network that converts images of `shape` to features, float32 [n, f]. Images of other sizes are resized to it.

    The Keras model takes float32 [n, h, w, c] in [0, 1]. It returns the features, or a list that begins with them.
    """

    def __init__(self, network: keras.Model, shape: tuple[int, int, int]):
        self._network, self._shape = network, shape
        self._call = tf.function(
            lambda levels: tf.nest.flatten(network(scale(levels), training=False)),
            input_signature=[tf.TensorSpec([None, *shape], tf.uint8)],
            autograph=False,
        )

    def features(self, levels: np.ndarray) -> np.ndarray:
        """Return the features, float32 [n, f], of images uint8 [n, h, w, c] of any size."""
        return self._answers(levels)[0]

    def _answers(self, levels: np.ndarray) -> list[np.ndarray]:
        """Return all outputs of the network for images uint8 [n, h, w, c] of any size."""
        return [answer.numpy() for answer in self._call(shrink(levels, self._shape))]

    def weights(self) -> list[np.ndarray]:
        """Return the weights, layer by layer."""
        return self._network.get_weights()

    def set_weights(self, weights: list[np.ndarray]) -> None:
        """Replace the weights, layer by layer."""
        self._network.set_weights(weights)

    def hash(self) -> str:
        """Return the SHA-256 of types, shapes and values of the weights. Figures of different weights cannot be compared."""
        digest = hashlib.sha256()
        for weight in self.weights():
            digest.update(f"{weight.dtype} {weight.shape}\0".encode())
            digest.update(np.ascontiguousarray(weight).tobytes())
        return digest.hexdigest()

    def to_bytes(self) -> bytes:
        """Return the weights as the content of a file for `read_weights`."""
        buffer = io.BytesIO()
        np.savez(buffer, **{f"{i:02d}": weight for i, weight in enumerate(self.weights())})
        return buffer.getvalue()


def read_weights(content: bytes) -> list[np.ndarray]:
    """Return the weights that `FeatureNetwork.to_bytes` wrote, layer by layer."""
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return [stored[name] for name in sorted(stored.files)]


def smaller_shape(shape: tuple[int, int, int], largest: int) -> tuple[int, int, int]:
    """Return height, width and channels of images shrunk in proportion so that no side is above `largest`.

    Example:
        >>> smaller_shape((120, 80, 3), largest=60)
        (60, 40, 3)
    """
    height, width, channels = shape
    factor = min(1.0, largest / max(height, width))
    return (max(1, round(height * factor)), max(1, round(width * factor)), channels)


def shrink(levels: tf.Tensor | np.ndarray, shape: tuple[int, int, int]) -> tf.Tensor:
    """Return images uint8 [n, h, w, c] averaged down to `shape`, as uint8. Images of that shape are returned unchanged."""
    levels = tf.convert_to_tensor(levels)
    if levels.shape[1:] == shape:
        return levels
    return tf.cast(tf.round(tf.image.resize(levels, shape[:2], method="area")), tf.uint8)
