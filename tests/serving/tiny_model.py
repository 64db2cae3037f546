"""A small model with every signature of the contract, exported in a second: linear, with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from serving.manifest import write_manifest

LATENT_DIM = 4
LABELS = ("boot", "sneaker", "täglich")  # of a conditional model


class TinyModel(tf.Module):
    """Draws, encodes and scores pictures of `shape`.

    Args:
        shape: Height, width, channels.
        seed: Of the weights.
    """

    def __init__(self, shape: tuple[int, int, int] = (8, 8, 1), seed: int = 0):
        super().__init__()
        self.shape = shape
        rng = np.random.default_rng(seed)
        pixels = int(np.prod(shape))
        self.encoder = tf.Variable(rng.normal(0, pixels**-0.5, (pixels, 2 * LATENT_DIM)), dtype=tf.float32)
        self.decoder = tf.Variable(rng.normal(0, 1.0, (LATENT_DIM, pixels)), dtype=tf.float32)

    def decode(self, latents: tf.Tensor) -> dict[str, tf.Tensor]:
        images = tf.reshape(self._pixels(latents), [-1, *self.shape])
        return {"images": tf.cast(tf.round(images * 255.0), tf.uint8)}

    def generate(self, count: tf.Tensor, seed: tf.Tensor, temperature: tf.Tensor) -> dict[str, tf.Tensor]:
        noise = tf.random.stateless_normal(tf.stack([count, LATENT_DIM]), tf.stack([seed, 0]))
        return self.decode(noise * temperature)

    def generate_png(self, count: tf.Tensor, seed: tf.Tensor, temperature: tf.Tensor) -> dict[str, tf.Tensor]:
        images = self.generate(count, seed, temperature)["images"]
        return {"png_bytes": tf.map_fn(tf.io.encode_png, images, fn_output_signature=tf.string)}

    def encode(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        mean, log_variance = self._posterior(self._read(image_bytes))
        return {"mean": mean, "log_variance": log_variance}

    def reconstruct(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.decode(self.encode(image_bytes)["mean"])

    def interpolate(self, image_bytes: tf.Tensor, steps: tf.Tensor) -> dict[str, tf.Tensor]:
        mean = self.encode(image_bytes)["mean"]
        share = tf.linspace(0.0, 1.0, tf.cast(steps, tf.int32))[:, tf.newaxis]
        return self.decode((1 - share) * mean[:1] + share * mean[1:])

    def score(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        pixels = self._read(image_bytes)
        mean, log_variance = self._posterior(pixels)
        drawn = self._pixels(mean)
        reconstruction = -tf.reduce_sum(pixels * tf.math.log(drawn) + (1 - pixels) * tf.math.log(1 - drawn), axis=1)
        kl = 0.5 * tf.reduce_sum(mean**2 + tf.exp(log_variance) - log_variance - 1.0, axis=1)
        return {"elbo": -reconstruction - kl, "reconstruction": reconstruction, "kl": kl}

    def evaluate(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(examples, {"image/encoded": tf.io.FixedLenFeature([], tf.string)})
        scores = self.score(parsed["image/encoded"])
        return {**scores, "importance_weighted": scores["elbo"] + 1.0}

    def _pixels(self, latents: tf.Tensor) -> tf.Tensor:
        return tf.clip_by_value(tf.sigmoid(latents @ self.decoder), 1e-3, 1 - 1e-3)

    def _read(self, image_bytes: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(self._read_one, image_bytes, fn_output_signature=tf.TensorSpec([int(np.prod(self.shape))]))

    def _read_one(self, content: tf.Tensor) -> tf.Tensor:
        image = tf.io.decode_image(content, channels=self.shape[2], expand_animations=False)
        return tf.reshape(tf.image.resize(image, self.shape[:2]), [-1]) / 255.0

    def _posterior(self, pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        mean, log_variance = tf.split(pixels @ self.encoder, 2, axis=1)
        return mean, log_variance - 2.0


class ConditionalModel(TinyModel):
    """One that draws and decodes pictures of labels, by moving codes; and has a prior beside its density."""

    def generate(self, count: tf.Tensor, seed: tf.Tensor, temperature: tf.Tensor, label: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._draw(count, seed, temperature, label, scale=1.0)

    def generate_png(self, count: tf.Tensor, seed: tf.Tensor, temperature: tf.Tensor, label: tf.Tensor) -> dict[str, tf.Tensor]:
        images = self.generate(count, seed, temperature, label)["images"]
        return {"png_bytes": tf.map_fn(tf.io.encode_png, images, fn_output_signature=tf.string)}

    def generate_prior(self, count: tf.Tensor, seed: tf.Tensor, temperature: tf.Tensor, label: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._draw(count, seed, temperature, label, scale=0.5)

    def decode_label(self, latents: tf.Tensor, label: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.decode(latents + self._shift(label))

    def encode_label(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        code = self.encode(image_bytes)
        return {**code, "label": tf.gather(tf.constant(LABELS), tf.cast(code["mean"][:, 0] > 0, tf.int32))}

    def _draw(
        self, count: tf.Tensor, seed: tf.Tensor, temperature: tf.Tensor, label: tf.Tensor, scale: float
    ) -> dict[str, tf.Tensor]:
        noise = tf.random.stateless_normal(tf.stack([count, LATENT_DIM]), tf.stack([seed, 0]))
        known = tf.debugging.Assert(tf.reduce_any(tf.equal(label, ("", *LABELS))), ["unknown label"])
        with tf.control_dependencies([known] if known is not None else []):
            return self.decode(scale * noise * temperature + self._shift(label[tf.newaxis]))

    def _shift(self, label: tf.Tensor) -> tf.Tensor:
        """By how much codes of labels, string [n], are moved, float32 [n, d]; not at all where any will do."""
        return tf.pad(2.0 * tf.cast(tf.equal(label[:, tf.newaxis], LABELS), tf.float32), [[0, 0], [0, 1]])


def signatures(model: TinyModel) -> dict[str, tf.types.experimental.ConcreteFunction]:
    """Returns the contract's signatures of `model`, by name."""
    drawing = [tf.TensorSpec([], tf.int32, "count"), tf.TensorSpec([], tf.int64, "seed")]
    drawing.append(tf.TensorSpec([], tf.float32, "temperature"))
    conditional = isinstance(model, ConditionalModel)
    if conditional:
        drawing.append(tf.TensorSpec([], tf.string, "label"))
    pictures = tf.TensorSpec([None], tf.string, "image_bytes")
    specs = {
        "serving_default": (model.decode, [tf.TensorSpec([None, LATENT_DIM], tf.float32, "latents")]),
        "generate": (model.generate, drawing),
        "generate_png": (model.generate_png, drawing),
        **(_optional(model, drawing) if conditional else {}),
        "encode": (model.encode, [pictures]),
        "reconstruct": (model.reconstruct, [pictures]),
        "interpolate": (model.interpolate, [pictures, tf.TensorSpec([], tf.int64, "steps")]),
        "score": (model.score, [pictures]),
        "evaluate": (model.evaluate, [tf.TensorSpec([None], tf.string, "examples")]),
    }
    return {name: tf.function(function).get_concrete_function(*spec) for name, (function, spec) in specs.items()}


def _optional(model: ConditionalModel, drawing: list[tf.TensorSpec]) -> dict[str, tuple]:
    codes = [tf.TensorSpec([None, LATENT_DIM], tf.float32, "latents"), tf.TensorSpec([None], tf.string, "label")]
    pictures = tf.TensorSpec([None], tf.string, "image_bytes")
    return {
        "generate_prior": (model.generate_prior, drawing),
        "decode_label": (model.decode_label, codes),
        "encode_label": (model.encode_label, [pictures]),
    }


def save(model: TinyModel, folder: Path, without: tuple[str, ...] = ()) -> Path:
    """Exports `model` as the Trainer does: a SavedModel with model.json and manifest.json beside it.

    Args:
        model: What to export.
        folder: Where to.
        without: Signatures to leave out.

    Returns:
        `folder`.
    """
    kept = {name: function for name, function in signatures(model).items() if name not in without}
    tf.saved_model.save(model, str(folder), signatures=kept)
    conditional = isinstance(model, ConditionalModel)
    about = {"schema": 1, "image_shape": list(model.shape), "latent_dim": LATENT_DIM, "conditional": conditional}
    about["labels"] = list(LABELS)  # known of the training pictures, whether the model sees them or not
    (folder / "model.json").write_text(json.dumps(about), encoding="utf-8")
    write_manifest(folder)
    return folder


def picture(shape: tuple[int, int, int], seed: int) -> bytes:
    """Returns a random picture of `shape` as PNG."""
    levels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return tf.io.encode_png(levels).numpy()


def example(content: bytes) -> bytes:
    """Returns a serialised tf.Example that holds a picture's bytes."""
    value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[content]))
    return tf.train.Example(features=tf.train.Features(feature={"image/encoded": value})).SerializeToString()


def requests(shape: tuple[int, int, int] = (8, 8, 1), conditional: bool = False) -> dict[str, dict[str, np.ndarray | list[bytes]]]:
    """Returns a request for every signature."""
    pictures = [picture(shape, seed) for seed in range(5)]
    drawing = {"count": np.int32(6), "seed": np.int64(7), "temperature": np.float32(0.8)}
    if conditional:
        drawing["label"] = np.array("täglich".encode())
    latents = np.random.default_rng(0).normal(size=(5, LATENT_DIM)).astype(np.float32)
    labels = [name.encode() for name in (*LABELS, *LABELS)][:5]
    labelled = {"decode_label": {"latents": latents, "label": labels}, "encode_label": {"image_bytes": pictures}}
    optional = {"generate_prior": drawing, **labelled} if conditional else {}
    return {
        "serving_default": {"latents": latents},
        "generate": drawing,
        "generate_png": drawing,
        **optional,
        "encode": {"image_bytes": pictures},
        "reconstruct": {"image_bytes": pictures},
        "interpolate": {"image_bytes": pictures[:2], "steps": np.int64(4)},
        "score": {"image_bytes": pictures},
        "evaluate": {"examples": [example(content) for content in pictures]},
    }


def answers(model: TinyModel) -> dict[str, dict[str, np.ndarray | list[bytes]]]:
    """Returns what the model in memory answers to `requests`."""
    functions = signatures(model)
    golden: dict[str, dict[str, np.ndarray | list[bytes]]] = {}
    for name, request in requests(model.shape, isinstance(model, ConditionalModel)).items():
        outputs = functions[name](**{key: tf.constant(value) for key, value in request.items()})
        golden[name] = {
            key: value.numpy().tolist() if value.dtype == tf.string else value.numpy() for key, value in outputs.items()
        }
    return golden
