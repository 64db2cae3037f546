"""Build a pushed model's networks again from its weights, as functions of numbers that other formats can hold.

The SavedModel's signatures read picture files, and return levels. Other formats have no decoders for picture files, so their networks take and
return pixels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import yaml

from common.errors import InputError, one_line
from trainer.config import TrainerConfig
from trainer.vae import VAE, TrainingData
from trainer.warm_start import assign_weights, load_weights

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Network:
    """A network as a function of named tensors.

    Attributes:
        name: `decoder` or `encoder`.
        function: A tf.function with an input signature, which returns its outputs by name.
    """

    name: str
    function: Any

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """Return the outputs of arrays, by name."""
        return {name: value.numpy() for name, value in self.function(**inputs).items()}


@dataclass(frozen=True)
class Trained:
    """A trained model, built from its weights.

    Attributes:
        vae: The model.
        config: Its configuration.
        labels: The labels of a conditional model; empty for other models.
    """

    vae: VAE
    config: TrainerConfig
    labels: list[str]

    @property
    def shows_mode(self) -> bool:
        """Return whether pictures are the most likely component of a mixture, not the mean (`generation.pixels`)."""
        return self.config.generation.pixels == "mode" and self.config.model.likelihood == "discretized_logistic_mixture"

    def networks(self) -> list[Network]:
        """Return the decoder and the encoder.

        decoder: `latents` float32 [n, latent_dim] -> `pixels` float32 [n, h, w, c] in [0, 1]: the mean (or mode) of p(x|z).
        encoder: `pixels` float32 [n, h, w, c] in [0, 1] -> `mean`, `log_variance` float32 [n, latent_dim]. The pixels of a model
        with `binarisation: dynamic` are 0 or 1.

        Those of a conditional model also take `label_shares`, float32 [n, labels]: 1 for a picture's label, in the order of
        `labels`, else 0. All zeros stand for no label, and shares for a picture between labels.
        """
        vae, show = self.vae, self.vae.likelihood.mode if self.shows_mode else self.vae.likelihood.mean

        def decode(latents: tf.Tensor, label_shares: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
            return {"pixels": tf.clip_by_value(show(vae.decode(latents, label_shares)), 0.0, 1.0)}

        def encode(pixels: tf.Tensor, label_shares: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
            mean, log_variance = vae.encode(pixels, label_shares)
            return {"mean": mean, "log_variance": log_variance}

        latents = tf.TensorSpec([None, vae.latent_dim], tf.float32, "latents")
        pixels = tf.TensorSpec([None, *vae.image_shape], tf.float32, "pixels")
        return [self._network("decoder", decode, latents), self._network("encoder", encode, pixels)]

    def built_anew(self, weights: Mapping[str, np.ndarray]) -> Trained:
        """Return another model of the same configuration with these weights. Raise InputError if they do not fit."""
        vae = _build(self.config, len(self.labels))
        problem = assign_weights(vae, weights)
        if problem:
            raise InputError(f"the weights do not fit the model: {problem}")
        return dataclasses.replace(self, vae=vae)

    def _network(self, name: str, call: Callable[..., dict[str, tf.Tensor]], spec: tf.TensorSpec) -> Network:
        specs = [spec, *([tf.TensorSpec([None, len(self.labels)], tf.float32, "label_shares")] if self.labels else [])]
        return Network(name, tf.function(call, input_signature=specs, autograph=False))


def load_trained(folder: Path, about: Mapping[str, Any]) -> Trained:
    """Build a pushed model from `config.yaml` and `weights.npz` in its folder. `about` is its model.json.

    Raises:
        InputError: The folder does not hold them, or another version of Darkroom wrote them.
    """
    try:
        values = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        values["preprocessing"] = {**values["preprocessing"], "depth": about["preprocessing"].get("depth", 8)}
        config = TrainerConfig.from_dict(values)
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise InputError(f"the model in {folder} cannot be built again ({one_line(error)}): train it anew") from None
    labels = list(about["labels"]) if config.model.conditional else []
    trained = Trained(_build(config, len(labels)), config, labels)
    problem = load_weights(trained.vae, folder)
    if problem:
        raise InputError(f"the model in {folder} cannot be built again ({problem}): train it anew")
    return trained


def _build(config: TrainerConfig, labels: int) -> VAE:
    shape = config.preprocessing.image_shape
    gray = np.full(shape, 0.5, np.float32)  # a place for the weights that are then loaded
    return VAE(config.model, shape, TrainingData(gray, gray, gray[np.newaxis], labels))
