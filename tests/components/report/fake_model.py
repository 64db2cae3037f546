"""A small real SavedModel with the contract's signatures: smooth blobs, or any rectified layers given as weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

Weights = list[tuple[np.ndarray, np.ndarray]]


def blobs(latents: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Pictures with one soft blob each, whose place and color the first latent values give: uint8 [n, h, w, c]."""
    weights, bias = blob_decoder(latents.shape[1], shape)
    levels = 255 / (1 + np.exp(-(latents @ weights + bias)))
    return levels.round().astype(np.uint8).reshape(-1, *shape)


def blob_decoder(latent_dim: int, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A linear decoder of smooth blobs: weights [d, h * w * c] and bias."""
    height, width, channels = shape
    y, x = np.mgrid[0:height, 0:width]
    rng = np.random.default_rng(5)
    planes = []
    for _ in range(latent_dim):
        cy, cx, phase = rng.uniform(0.2, 0.8) * height, rng.uniform(0.2, 0.8) * width, rng.uniform(0, 6.3, channels)
        blob = np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (0.05 * height * width))
        planes.append(5 * blob[..., None] * np.cos(phase))
    return np.reshape(planes, (latent_dim, -1)).astype(np.float32), np.full(height * width * channels, -2.0, np.float32)


class FakeModel(tf.Module):
    """A variational autoencoder with the contract's signatures: rectified layers given as weights.

    Args:
        shape: Height, width, channels.
        encoder: Hidden layers.
        mean: Its head.
        log_variance: The other head.
        decoder: Layers; the last one gives logits.
    """

    def __init__(self, shape: tuple[int, int, int], encoder: Weights, mean: Weights, log_variance: Weights, decoder: Weights):
        super().__init__()
        self._shape = shape
        self._encoder, self._mean, self._log_variance, self._decoder = (
            [(tf.Variable(w), tf.Variable(b)) for w, b in part] for part in (encoder, mean, log_variance, decoder)
        )
        self._latent_dim = mean[-1][0].shape[1]

    @staticmethod
    def _run(x: tf.Tensor, layers: Weights) -> tf.Tensor:
        for i, (weights, bias) in enumerate(layers):
            x = x @ weights + bias
            x = tf.nn.relu(x) if i < len(layers) - 1 else x
        return x

    def decode(self, latents: tf.Tensor) -> dict[str, tf.Tensor]:
        levels = tf.cast(tf.round(255 * tf.sigmoid(self._run(latents, self._decoder))), tf.uint8)
        return {"images": tf.reshape(levels, [-1, *self._shape])}

    def encode(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        x = tf.reshape(tf.map_fn(self._pixels, image_bytes, fn_output_signature=tf.float32), [-1, int(np.prod(self._shape))])
        x = tf.nn.relu(self._run(x, self._encoder)) if self._encoder else x
        return {"mean": self._run(x, self._mean), "log_variance": self._run(x, self._log_variance)}

    def _pixels(self, encoded: tf.Tensor) -> tf.Tensor:
        image = tf.io.decode_image(encoded, channels=self._shape[2], expand_animations=False)
        return tf.ensure_shape(tf.image.resize(image, self._shape[:2]), self._shape) / 255.0

    def generate(self, count: tf.Tensor, seed: tf.Tensor, temperature: tf.Tensor) -> dict[str, tf.Tensor]:
        noise = tf.random.stateless_normal(tf.stack([count, self._latent_dim]), seed=tf.stack([seed, 0]))
        return self.decode(temperature * noise)

    def reconstruct(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.decode(self.encode(image_bytes)["mean"])

    def interpolate(self, image_bytes: tf.Tensor, steps: tf.Tensor) -> dict[str, tf.Tensor]:
        mean = self.encode(image_bytes)["mean"]
        share = tf.linspace(0.0, 1.0, tf.cast(steps, tf.int32))[:, None]
        return self.decode((1 - share) * mean[0] + share * mean[1])

    def save(self, folder: Path, leave_out: tuple[str, ...] = ()) -> None:
        strings = tf.TensorSpec([None], tf.string, name="image_bytes")
        scalar = lambda dtype, name: tf.TensorSpec([], dtype, name=name)
        made: dict[str, tuple[Callable[..., Any], list[tf.TensorSpec]]] = {
            "serving_default": (self.decode, [tf.TensorSpec([None, self._latent_dim], tf.float32, name="latents")]),
            "generate": (
                self.generate,
                [scalar(tf.int64, "count"), scalar(tf.int64, "seed"), scalar(tf.float32, "temperature")],
            ),
            "encode": (self.encode, [strings]),
            "reconstruct": (self.reconstruct, [strings]),
            "interpolate": (
                self.interpolate,
                [tf.TensorSpec([2], tf.string, name="image_bytes"), scalar(tf.int64, "steps")],
            ),
        }
        signatures = {
            name: tf.function(method, input_signature=specs).get_concrete_function()
            for name, (method, specs) in made.items()
            if name not in leave_out
        }
        tf.saved_model.save(self, str(folder), signatures=signatures)


def blob_model(shape: tuple[int, int, int], latent_dim: int) -> FakeModel:
    """A model that decodes blobs and encodes by a rough inverse of that."""
    weights, bias = blob_decoder(latent_dim, shape)
    back = np.linalg.pinv(weights).astype(np.float32) * 8
    head = (back, (-0.2 * back.sum(axis=0)).astype(np.float32))
    return FakeModel(shape, [], [head], [(np.zeros_like(back), np.full(latent_dim, -2.0, np.float32))], [(weights, bias)])
