"""Exported models of which it is known how good their pictures are: they give pictures that they were handed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf


class Handed(tf.Module):
    """A model that generates pictures it was handed, rebuilds pictures as they are, and encodes by a fixed projection.

    Args:
        pictures: What `generate` draws from, uint8 [n, h, w, c].
        prior: What `generate_prior` draws from; None for a model without that signature.
        conditional: Whether `generate` takes a label.
        seed: Of the projection.
        fault: `raises` when asked to generate, or `nan` codes.
    """

    def __init__(
        self,
        pictures: np.ndarray,
        prior: np.ndarray | None = None,
        conditional: bool = False,
        seed: int = 0,
        fault: str = "",
    ):
        super().__init__()
        self._shape, self._fault, self._conditional = pictures.shape[1:], fault, conditional
        self._pictures = tf.Variable(pictures)
        self._prior = None if prior is None else tf.Variable(prior)
        values = int(np.prod(self._shape))
        projection = np.random.default_rng(seed).standard_normal((values, 6)).astype(np.float32) / np.sqrt(values)
        self._projection = tf.Variable(projection)

    def _draw(self, pictures, count, seed, temperature, label=None):
        chosen = tf.random.stateless_uniform([count], tf.stack([seed, 0]), 0, tf.shape(pictures)[0], tf.int32)
        checks = [tf.debugging.Assert(self._fault != "raises", ["it is out of paper"])]
        if label is not None:
            checks.append(tf.debugging.assert_equal(label, "", "any label is meant"))
        with tf.control_dependencies([check for check in checks if check is not None]):
            return {"images": tf.gather(pictures, chosen) + tf.cast(0 * temperature, tf.uint8)}

    def _pixels(self, image_bytes):
        decode = lambda one: tf.ensure_shape(tf.io.decode_png(one, self._shape[2]), self._shape)
        return tf.map_fn(decode, image_bytes, fn_output_signature=tf.TensorSpec(self._shape, tf.uint8))

    def encode(self, image_bytes):
        pixels = tf.reshape(tf.cast(self._pixels(image_bytes), tf.float32) / 255, [-1, self._projection.shape[0]])
        mean = pixels @ self._projection * (np.nan if self._fault == "nan" else 1.0)
        return {"mean": mean, "log_variance": tf.zeros_like(mean)}

    def reconstruct(self, image_bytes):
        return {"images": self._pixels(image_bytes)}

    def save(self, artifact: Path) -> str:
        """Writes the `model` artifact; gives the folder of its SavedModel."""
        scalar = lambda dtype, name: tf.TensorSpec([], dtype, name)
        specs = [scalar(tf.int64, "count"), scalar(tf.int64, "seed"), scalar(tf.float32, "temperature")]
        specs += [scalar(tf.string, "label")] if self._conditional else []
        strings = [tf.TensorSpec([None], tf.string, "image_bytes")]
        methods = {
            "generate": (lambda *inputs: self._draw(self._pictures, *inputs), specs),
            "encode": (self.encode, strings),
            "reconstruct": (self.reconstruct, strings),
        }
        if self._prior is not None:
            methods["generate_prior"] = (lambda *inputs: self._draw(self._prior, *inputs), specs)
        signatures = {
            name: tf.function(method, input_signature=inputs).get_concrete_function() for name, (method, inputs) in methods.items()
        }
        folder = str(artifact / "Format-Serving")
        tf.saved_model.save(self, folder, signatures=signatures)
        return folder
