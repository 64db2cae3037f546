"""The servable model: what a pushed decoder answers, as signatures of a SavedModel.

It has to answer in TensorFlow Serving's C++ runtime, not only in Python. Keras 3 models held by a `tf.Module` save without
complaint and then fail there at the first request (their variables are not found); raw `tf.Variable`s do not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import tensorflow as tf

from trainer.config import GenerationConfig
from trainer.data import label_indices, parse_examples
from trainer.flow import Flow
from trainer.preprocessing import to_levels
from trainer.priors import Mixture, components_encoded
from trainer.sampling import example_keys, keyed_normal, slerp
from trainer.vae import VAE

Answer = dict[str, tf.Tensor]
STRINGS = tf.TensorSpec([None], tf.string, "image_bytes")
COUNT = tf.TensorSpec([], tf.int64, "count")
SEED = tf.TensorSpec([], tf.int64, "seed")
LABEL = tf.TensorSpec([], tf.string, "label")
LABELS = tf.TensorSpec([None], tf.string, "label")
TEMPERATURE = tf.TensorSpec([], tf.float32, "temperature")


class Servable(tf.Module):
    """The trained model behind its signatures; each method is one, and takes and returns tensors by name.

    Args:
        vae: The trained model.
        pixel_graph: The Transform graph: string [n] -> float32 [n, h, w, c] in [0, 1] (`trainer.data.pixel_graph`).
        importance_samples: K of the importance-weighted bound in `evaluate`.
        labels: What a conditional model knows, with each label's share of the labelled training pictures; None for others.
        generation: How new pictures are made.
        density: What to draw codes from in place of the prior, where there is one.
        depth: Bits of a level that the pixel graph gives, 8 or 16.
    """

    def __init__(
        self,
        vae: VAE,
        pixel_graph: Callable[[tf.Tensor], tf.Tensor],
        importance_samples: int,
        labels: Mapping[str, float] | None = None,
        generation: GenerationConfig = GenerationConfig(),
        density: Mixture | Flow | None = None,
        depth: int = 8,
    ):
        super().__init__(name="darkroom")
        self._vae, self._pixels, self._samples = vae, pixel_graph, importance_samples
        self._labels, self._generation, self._density = dict(labels or {}), generation, density
        self._depth = depth
        held = density.variables if isinstance(density, Flow) else []
        self._tracked = [[variable.value for variable in vae.variables], held, pixel_graph.resources]

    def decode(self, latents: tf.Tensor) -> Answer:
        """Latent codes float32 [n, d] -> the decoder's mean, uint8 [n, h, w, c]."""
        return {"images": to_levels(self._vae.decode_mean(latents))}

    def generate(self, count: tf.Tensor, seed: tf.Tensor, temperature: tf.Tensor, label: tf.Tensor | None = None) -> Answer:
        """`count` new pictures: codes of the prior or of the density, their spread times `temperature`, decoded.

        The same seed gives the same pictures, and more of them begin with the same ones. Of a conditional model they are
        pictures of the label, string []; of all labels, as often as in training, where it is empty.
        """
        return self._generate(self._draw_from_density if self._density else self._vae.draw_codes, count, seed, temperature, label)

    def generate_png(self, count: tf.Tensor, seed: tf.Tensor, temperature: tf.Tensor, label: tf.Tensor | None = None) -> Answer:
        """The same as PNG files, string [count]."""
        images = self.generate(count, seed, temperature, label)["images"]
        return {"png_bytes": tf.map_fn(tf.io.encode_png, images, fn_output_signature=tf.string)}

    def generate_prior(self, count: tf.Tensor, seed: tf.Tensor, temperature: tf.Tensor, label: tf.Tensor | None = None) -> Answer:
        """The same from the model's own prior, to see what the density gains."""
        return self._generate(self._vae.draw_codes, count, seed, temperature, label)

    def decode_label(self, latents: tf.Tensor, label: tf.Tensor) -> Answer:
        """Latent codes float32 [n, d], each of a label, string [n] -> the decoder's mean, uint8 [n, h, w, c]."""
        return {"images": to_levels(self._vae.decode_mean(latents, self._known(label)))}

    def encode(self, image_bytes: tf.Tensor) -> Answer:
        """Picture files string [n] -> mean and log-variance of the posterior, float32 [n, d].

        A conditional model codes them, here and below, given the label under which it finds each likeliest.
        """
        return self._encode(image_bytes)[0]

    def encode_label(self, image_bytes: tf.Tensor) -> Answer:
        """The same, and the label of each, string [n]: only with its label can a code be decoded."""
        code, labels = self._encode(image_bytes)
        return {**code, "label": tf.gather(tf.constant(list(self._labels)), labels)}

    def reconstruct(self, image_bytes: tf.Tensor) -> Answer:
        """Picture files string [n] -> what the decoder makes of their posterior means, uint8 [n, h, w, c]."""
        code, labels = self._encode(image_bytes)
        return {"images": to_levels(self._vae.decode_mean(code["mean"], labels))}

    def interpolate(self, image_bytes: tf.Tensor, steps: tf.Tensor) -> Answer:
        """Two picture files string [2] -> the way from one to the other along the sphere, uint8 [steps, h, w, c]."""
        code, labels = self._encode(image_bytes)
        mean, steps = code["mean"], tf.cast(steps, tf.int32)
        if labels is not None:
            ends = tf.one_hot(labels, self._vae.labels)
            labels = ends[0] + tf.linspace(0.0, 1.0, steps)[:, tf.newaxis] * (ends[1] - ends[0])
        return {"images": to_levels(self._vae.decode_mean(slerp(mean[0], mean[1], steps), labels))}

    def score(self, image_bytes: tf.Tensor) -> Answer:
        """Picture files string [n] -> `elbo`, `reconstruction`, `kl`, float32 [n], nats; noise from each picture's key.

        Of a conditional model the label is part of the code: `kl` has its -log p(label), and so `elbo` is a bound of log p(x).
        """
        x, keys = self._see(image_bytes)
        if not self._labels:
            return self._score(x, keys, None)
        labels = self._vae.infer_labels(x)
        answer, log_shares = self._score(x, keys, labels), tf.nn.log_softmax(tf.math.log(self._shares()))
        kl = answer["kl"] - tf.gather(log_shares, labels)
        return {**answer, "kl": kl, "elbo": -(answer["reconstruction"] + kl)}

    def evaluate(self, examples: tf.Tensor) -> Answer:
        """Serialised tf.Examples string [n] -> what the Evaluator judges by, float32 [n], nats.

        `elbo`, `reconstruction` and `kl` as `score` gives them, but given the label where the model is conditional;
        `importance_weighted` with K samples; and `gain`, by how much the ELBO beats the mean training picture.
        """
        encoded, names = parse_examples(examples)
        x, keys = self._see(encoded)
        labels = label_indices(names, list(self._labels)) if self._labels else None
        answer = self._score(x, keys, labels)
        noise = keyed_normal(keys, (self._samples, self._vae.latent_dim))
        return {
            **answer,
            "importance_weighted": self._vae.importance_weighted(x, noise, labels),
            "gain": self._vae.gain(x, answer["elbo"]),
        }

    def _see(self, encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Picture files string [n] as the model sees them, float32 [n, h, w, c], and their keys, int32 [n, 2]."""
        levels = to_levels(self._pixels(encoded), self._depth)
        return self._vae.observe(levels), example_keys(levels)

    def _encode(self, image_bytes: tf.Tensor) -> tuple[Answer, tf.Tensor | None]:
        """The answer of `encode`, and the labels, int32 [n], that it was given under; None where there are none."""
        x, _ = self._see(image_bytes)
        labels = self._vae.infer_labels(x) if self._labels else None
        mean, log_variance = self._vae.encode(x, labels)
        return {"mean": mean, "log_variance": log_variance}, labels

    def _score(self, x: tf.Tensor, keys: tf.Tensor, labels: tf.Tensor | None) -> Answer:
        terms = self._vae.elbo_terms(x, keyed_normal(keys, (self._vae.latent_dim,)), labels)
        return {"elbo": terms.elbo, "reconstruction": terms.reconstruction, "kl": terms.kl}

    def _generate(
        self,
        draw: Callable[[tf.Tensor, tf.Tensor, tf.Tensor | None], tf.Tensor],
        count: tf.Tensor,
        seed: tf.Tensor,
        temperature: tf.Tensor,
        label: tf.Tensor | None,
    ) -> Answer:
        noise = tf.random.stateless_normal(tf.stack([count, self._vae.latent_dim]), seed=tf.stack([seed, 0]))
        labels = None if label is None else self._labels_of(label, tf.cast(count, tf.int32), tf.stack([seed, 2]))
        codes = draw(temperature * noise, tf.stack([seed, 1]), labels)
        parameters = self._vae.decode(codes, labels)
        if self._generation.pixels == "sample":
            return {"images": to_levels(self._vae.likelihood.sample(parameters, tf.stack([seed, 3])))}
        return {"images": to_levels(self._vae.likelihood.mean(parameters))}

    def _draw_from_density(self, noise: tf.Tensor, seed: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
        return self._density.draw(noise, seed, None if labels is None else self._vae.shares(labels, noise))

    def _labels_of(self, label: tf.Tensor, count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The labels, int32 [count], of new pictures of one label, string [], or of all where it is empty."""
        unsaid = tf.equal(label, "")
        asked = self._known(tf.where(unsaid, next(iter(self._labels)), label)[tf.newaxis])
        any_label = tf.random.stateless_categorical(tf.math.log(self._shares())[tf.newaxis], count, seed, dtype=tf.int32)[0]
        return tf.where(unsaid, any_label, tf.repeat(asked, count))

    def _known(self, names: tf.Tensor) -> tf.Tensor:
        """Where names, string [n], stand among the known labels, int32 [n]; one that is not known is an error."""
        known = list(self._labels)
        labels = label_indices(names, known)
        check = tf.debugging.Assert(tf.reduce_all(labels >= 0), [f"unknown label; known are: {', '.join(known)}"])
        with tf.control_dependencies([check] if check is not None else []):
            return tf.identity(labels)

    def _shares(self) -> tf.Tensor:
        """How many training pictures each label has, float32 [labels]."""
        return tf.constant(list(self._labels.values()), tf.float32)

    def signatures(self) -> dict[str, tuple[Callable[..., Answer], list[tf.TensorSpec]]]:
        """Every signature: its method, and its arguments in order."""
        latents = tf.TensorSpec([None, self._vae.latent_dim], tf.float32, "latents")
        new = [COUNT, SEED, TEMPERATURE, *([LABEL] if self._labels else [])]
        prior = {"generate_prior": (self.generate_prior, new)} if self._density else {}
        labelled = {"decode_label": (self.decode_label, [latents, LABELS]), "encode_label": (self.encode_label, [STRINGS])}
        return {
            "serving_default": (self.decode, [latents]),
            "generate": (self.generate, new),
            "generate_png": (self.generate_png, new),
            **prior,
            **(labelled if self._labels else {}),
            "encode": (self.encode, [STRINGS]),
            "reconstruct": (self.reconstruct, [STRINGS]),
            "interpolate": (self.interpolate, [tf.TensorSpec([2], tf.string, "image_bytes"), tf.TensorSpec([], tf.int64, "steps")]),
            "score": (self.score, [STRINGS]),
            "evaluate": (self.evaluate, [tf.TensorSpec([None], tf.string, "examples")]),
        }

    def save(self, folder: Path, names: Collection[str] | None = None) -> None:
        """Write the SavedModel.

        Args:
            folder: Where to.
            names: Of the signatures; None for all.
        """
        with components_encoded(self._vae.prior):
            signatures = {
                name: tf.function(method, input_signature=specs, autograph=False).get_concrete_function()
                for name, (method, specs) in self.signatures().items()
                if names is None or name in names
            }
        tf.saved_model.save(self, str(folder), signatures=signatures)

    def answers(self, examples: list[bytes], encoded: list[bytes]) -> tuple[dict, dict]:
        """Inputs for every signature and the answers to them of this model in memory, not of its export.

        Args:
            examples: A few serialised tf.Examples.
            encoded: Their pictures' bytes; at least one.

        Returns:
            Inputs and answers by signature and name, as NumPy arrays or lists of bytes.
        """
        latents = np.random.default_rng(0).standard_normal((4, self._vae.latent_dim)).astype(np.float32)
        made = {"count": np.int64(4), "seed": np.int64(7), "temperature": np.float32(0.8)}
        if self._labels:
            made["label"] = next(iter(self._labels)).encode()
        pictures = {"image_bytes": encoded}
        inputs = {
            "serving_default": {"latents": latents},
            "generate": made,
            "generate_png": made,
            "generate_prior": made,
            "decode_label": {"latents": latents, "label": [name.encode() for name in islice(cycle(self._labels), len(latents))]},
            "encode_label": pictures,
            "encode": pictures,
            "reconstruct": pictures,
            "interpolate": {"image_bytes": [encoded[0], encoded[-1]], "steps": np.int64(5)},
            "score": pictures,
            "evaluate": {"examples": examples},
        }
        answers, signatures = {}, self.signatures()
        inputs = {name: inputs[name] for name in signatures}
        with components_encoded(self._vae.prior):
            for name, (method, _) in signatures.items():
                answer = method(**{key: tf.constant(value) for key, value in inputs[name].items()})
                answers[name] = {key: _plain(value) for key, value in answer.items()}
        return inputs, answers


def _plain(tensor: tf.Tensor) -> np.ndarray | list[bytes]:
    return list(tensor.numpy()) if tensor.dtype == tf.string else tensor.numpy()
