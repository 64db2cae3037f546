"""The servable model: the signatures of the exported SavedModel.

The signatures have to work in TensorFlow Serving's C++ runtime, not only in Python. Keras 3 models held by a `tf.Module` save
without an error, but then fail there at the first request (their variables are not found). Raw `tf.Variable`s work.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import tensorflow as tf

from trainer.config import GenerationConfig
from trainer.data import Pictures, label_indices, parse_examples
from trainer.flow import Flow
from trainer.loop import eval_batch
from trainer.networks.shared import bounds_in_double
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
SCORED_PICTURES = 1000  # held-out images whose scores are kept, to tell how unusual another image is
TEMPERATURE = tf.TensorSpec([], tf.float32, "temperature")


class Servable(tf.Module):
    """The trained model and its signatures. Each public method that takes tensors is a signature.

    Args:
        vae: The trained model.
        pixel_graph: The Transform graph: string [n] -> float32 [n, h, w, c] in [0, 1] (`trainer.data.pixel_graph`).
        importance_samples: K of the importance-weighted bound in `evaluate`.
        labels: Labels of a conditional model, with each label's number or share of the training images. None for other models.
        generation: How images are generated.
        density: Density to draw codes from in place of the prior, if any.
        depth: Bits of a level of the pixel graph, 8 or 16.
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
        """Return the decoder's mean (or mode: `generation.pixels`), uint8 [n, h, w, c], of latent codes float32 [n, d]."""
        return self._show(self._vae.decode(latents))

    def generate(self, count: tf.Tensor, seed: tf.Tensor, temperature: tf.Tensor, label: tf.Tensor | None = None) -> Answer:
        """Return `count` new images, uint8 [count, h, w, c], from codes of the prior or of the density.

        The codes' noise is scaled by `temperature`. The same seed gives the same images, and a larger `count` starts with the same
        ones. A conditional model returns images of `label`, string []. If it is empty, labels are as frequent as in training.
        """
        return self._generate(self._draw_from_density if self._density else self._vae.draw_codes, count, seed, temperature, label)

    def generate_png(self, count: tf.Tensor, seed: tf.Tensor, temperature: tf.Tensor, label: tf.Tensor | None = None) -> Answer:
        """Return the images of `generate` as PNG files, string [count]."""
        images = self.generate(count, seed, temperature, label)["images"]
        return {"png_bytes": tf.map_fn(tf.io.encode_png, images, fn_output_signature=tf.string)}

    def generate_prior(self, count: tf.Tensor, seed: tf.Tensor, temperature: tf.Tensor, label: tf.Tensor | None = None) -> Answer:
        """Return the images of `generate` from the model's own prior, to show what the density gains."""
        return self._generate(self._vae.draw_codes, count, seed, temperature, label)

    def decode_label(self, latents: tf.Tensor, label: tf.Tensor) -> Answer:
        """Return the images of `decode`, uint8 [n, h, w, c], for latent codes float32 [n, d] with a label each, string [n]."""
        return self._show(self._vae.decode(latents, self._known(label)))

    def encode(self, image_bytes: tf.Tensor) -> Answer:
        """Return the mean and log-variance of the posterior, float32 [n, d], of image files, string [n].

        A conditional model encodes each image, here and in the methods below, given the label that it finds most likely.
        """
        return self._encode(image_bytes)[0]

    def encode_label(self, image_bytes: tf.Tensor) -> Answer:
        """Return the codes of `encode`, and the label of each, string [n]. Such a code can be decoded only with its label."""
        code, labels = self._encode(image_bytes)
        return {**code, "label": tf.gather(tf.constant(list(self._labels)), labels)}

    def reconstruct(self, image_bytes: tf.Tensor) -> Answer:
        """Return the reconstructions from the posterior means, uint8 [n, h, w, c], of image files, string [n]."""
        code, labels = self._encode(image_bytes)
        return self._show(self._vae.decode(code["mean"], labels))

    def interpolate(self, image_bytes: tf.Tensor, steps: tf.Tensor) -> Answer:
        """Return the images along the sphere between two image files, string [2]: uint8 [steps, h, w, c]."""
        code, labels = self._encode(image_bytes)
        mean, steps = code["mean"], tf.cast(steps, tf.int32)
        if labels is not None:
            ends = tf.one_hot(labels, self._vae.labels)
            labels = ends[0] + tf.linspace(0.0, 1.0, steps)[:, tf.newaxis] * (ends[1] - ends[0])
        return self._show(self._vae.decode(slerp(mean[0], mean[1], steps), labels))

    def score(self, image_bytes: tf.Tensor) -> Answer:
        """Return `elbo`, `reconstruction`, `kl`, float32 [n], nats, of image files, string [n]. Noise comes from each image's key.

        For a conditional model the label is a part of the code: `kl` includes -log p(label), so `elbo` is a bound of log p(x).
        """
        return self._score_seen(*self._see(image_bytes))

    def evaluate(self, examples: tf.Tensor) -> Answer:
        """Return the figures for the Evaluator, float32 [n], nats, of serialized tf.Examples, string [n].

        `elbo`, `reconstruction` and `kl` are those of `score`, but given the label if the model is conditional.
        `importance_weighted` has K samples. `gain` is the ELBO minus the log-likelihood under the mean training image.
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

    def elbo_quantiles(self, held_out: Pictures) -> list[float]:
        """Return the 0 %, 1 % ... 100 % quantiles of `elbo` of `score`, nats, over at most `SCORED_PICTURES` held-out images."""
        step = -(-len(held_out) // SCORED_PICTURES)
        chosen = Pictures(held_out.levels[::step], held_out.labels[::step])
        score = tf.function(
            lambda levels: self._score_seen(self._vae.observe(levels), example_keys(levels))["elbo"],
            reduce_retracing=True,
            autograph=False,
        )
        scores = [score(levels).numpy() for levels, _ in chosen.in_order(eval_batch(self._vae))]
        return [float(value) for value in np.quantile(np.concatenate(scores).astype(np.float64), np.linspace(0, 1, 101))]

    def _see(self, encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return image files, string [n], as the model sees them, float32 [n, h, w, c], and their keys, int32 [n, 2]."""
        levels = to_levels(self._pixels(encoded), self._depth)
        return self._vae.observe(levels), example_keys(levels)

    def _encode(self, image_bytes: tf.Tensor) -> tuple[Answer, tf.Tensor | None]:
        """Return the result of `encode`, and the labels, int32 [n], that it was given. They are None for an unconditional model."""
        x, _ = self._see(image_bytes)
        labels = self._vae.infer_labels(x) if self._labels else None
        mean, log_variance = self._vae.encode(x, labels)
        return {"mean": mean, "log_variance": log_variance}, labels

    def _score_seen(self, x: tf.Tensor, keys: tf.Tensor) -> Answer:
        """Return the result of `score` for images as the model sees them, and their keys."""
        if not self._labels:
            return self._score(x, keys, None)
        labels = self._vae.infer_labels(x)
        answer, log_shares = self._score(x, keys, labels), tf.nn.log_softmax(tf.math.log(self._shares()))
        kl = answer["kl"] - tf.gather(log_shares, labels)
        return {**answer, "kl": kl, "elbo": -(answer["reconstruction"] + kl)}

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
        return self._show(parameters)

    def _show(self, parameters: tf.Tensor) -> Answer:
        """Return images, uint8 [n, h, w, c], from the likelihood's parameters: the mean or mode (`generation.pixels`)."""
        likelihood = self._vae.likelihood
        return {"images": to_levels((likelihood.mode if self._generation.pixels == "mode" else likelihood.mean)(parameters))}

    def _draw_from_density(self, noise: tf.Tensor, seed: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
        return self._density.draw(noise, seed, None if labels is None else self._vae.shares(labels, noise))

    def _labels_of(self, label: tf.Tensor, count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Return labels, int32 [count], of new images: all the given label, string [], or random labels if it is empty."""
        unsaid = tf.equal(label, "")
        asked = self._known(tf.where(unsaid, next(iter(self._labels)), label)[tf.newaxis])
        any_label = tf.random.stateless_categorical(tf.math.log(self._shares())[tf.newaxis], count, seed, dtype=tf.int32)[0]
        return tf.where(unsaid, any_label, tf.repeat(asked, count))

    def _known(self, names: tf.Tensor) -> tf.Tensor:
        """Return the indices of names, string [n], among the known labels, int32 [n]. An unknown name is an error."""
        known = list(self._labels)
        labels = label_indices(names, known)
        check = tf.debugging.Assert(tf.reduce_all(labels >= 0), [f"unknown label; known are: {', '.join(known)}"])
        with tf.control_dependencies([check] if check is not None else []):
            return tf.identity(labels)

    def _shares(self) -> tf.Tensor:
        """Return the number or share of training images of each label, float32 [labels]."""
        return tf.constant(list(self._labels.values()), tf.float32)

    def signatures(self) -> dict[str, tuple[Callable[..., Answer], list[tf.TensorSpec]]]:
        """Return every signature with its method and its arguments in order."""
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
        """Write the SavedModel with the named signatures. `names` is None for all."""
        with bounds_in_double(), components_encoded(self._vae.prior):
            signatures = {
                name: tf.function(method, input_signature=specs, autograph=False).get_concrete_function()
                for name, (method, specs) in self.signatures().items()
                if names is None or name in names
            }
        tf.saved_model.save(self, str(folder), signatures=signatures)

    def answers(self, examples: list[bytes], encoded: list[bytes]) -> tuple[dict, dict]:
        """Return inputs for every signature, and the answers of this model in memory, not of its export.

        Both are by signature and name, as NumPy arrays or lists of bytes. They are made from a few serialized tf.Examples and the
        bytes of their images, at least one.
        """
        latents = np.random.default_rng(0).standard_normal((4, self._vae.latent_dim)).astype(np.float32)
        made = {"count": np.int64(4), "seed": np.int64(7), "temperature": np.float32(0.8)}
        if self._labels:
            made["label"] = next(iter(self._labels)).encode()
        inputs = {
            "serving_default": {"latents": latents},
            **dict.fromkeys(("generate", "generate_png", "generate_prior"), made),
            **{key: {"image_bytes": encoded} for key in ("encode", "encode_label", "reconstruct", "score")},
            "decode_label": {"latents": latents, "label": [name.encode() for name in islice(cycle(self._labels), len(latents))]},
            "interpolate": {"image_bytes": [encoded[0], encoded[-1]], "steps": np.int64(5)},
            "evaluate": {"examples": examples},
        }
        answers, signatures = {}, self.signatures()
        inputs = {name: inputs[name] for name in signatures}
        with bounds_in_double(), components_encoded(self._vae.prior):
            for name, (method, _) in signatures.items():
                answer = method(**{key: tf.constant(value) for key, value in inputs[name].items()})
                answers[name] = {key: _plain(value) for key, value in answer.items()}
        return inputs, answers


def _plain(tensor: tf.Tensor) -> np.ndarray | list[bytes]:
    return list(tensor.numpy()) if tensor.dtype == tf.string else tensor.numpy()
