"""A dense model with two levels of latent variables: p(z_top) p(z_low|z_top) p(x|z_top, z_low).

It is the HVAE of Tomczak and Welling 2018 (section 3), in units of the prior: see `trainer.vae.VAE`.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from trainer.config import ModelConfig
from trainer.networks.shared import (
    ACTIVATION,
    MAX_LOG_VARIANCE,
    Bounded,
    Networks,
    dense_output,
    dense_stack,
    posterior_heads,
    with_labels,
)


class FromPrior(keras.layers.Layer):
    """Convert the lower level of a code from units of its prior: (z_top, z_low) -> (z_top, mean + exp(log_scale) * z_low)."""

    def __init__(self, top_dim: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.top_dim = top_dim

    def call(self, latents: keras.KerasTensor, mean: keras.KerasTensor, log_scale: keras.KerasTensor) -> keras.KerasTensor:
        low = mean + keras.ops.exp(log_scale) * latents[:, self.top_dim :]
        return keras.ops.concatenate([latents[:, : self.top_dim], low], axis=1)


class Top(keras.layers.Layer):
    """Select the upper level of a code: [n, d] -> [n, top_dim]."""

    def __init__(self, top_dim: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.top_dim = top_dim

    def call(self, latents: keras.KerasTensor) -> keras.KerasTensor:
        return latents[:, : self.top_dim]


def build(
    config: ModelConfig, image_shape: tuple[int, int, int], output_channels: int, output_bias: np.ndarray, labels: int
) -> Networks:
    """Build the networks; see `trainer.networks.build_networks`."""
    top_dim, low_dim, between = config.top_latent_dim, config.latent_dim - config.top_latent_dim, config.hidden[-1] // 2

    picture = keras.Input(image_shape, name="picture")
    x, label = with_labels(keras.layers.Flatten(name="flatten")(picture), labels)
    features = dense_stack(x, config.hidden, config.dropout)
    outputs = [*posterior_heads(features, top_dim), features]
    encoder = keras.Model([picture, *label] if label else picture, outputs, name="encoder")

    given, top = keras.Input((config.hidden[-1],), name="features"), keras.Input((top_dim,), name="upper_latents")
    x = dense_stack(keras.layers.Concatenate(name="with_upper")([given, top]), [between], config.dropout)
    lower_encoder = keras.Model([given, top], posterior_heads(x, low_dim), name="lower_encoder")

    code = keras.Input((config.latent_dim,), name="latents")
    x, label = with_labels(Top(top_dim, name="upper")(code), labels)
    x = keras.layers.Dense(between, ACTIVATION, kernel_initializer="he_normal", name="prior_hidden")(x)
    x = FromPrior(top_dim, name="from_prior")(code, *prior_heads(x, low_dim))
    if label:
        x = keras.layers.Concatenate(name="all_with_label")([x, *label])
    x = dense_stack(x, config.hidden[::-1], config.dropout)
    output = dense_output(x, (*image_shape[:2], output_channels), output_bias)
    decoder = keras.Model([code, *label] if label else code, output, name="decoder")
    return Networks(encoder, lower_encoder, decoder)


def prior_heads(features: keras.KerasTensor, dim: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the mean and log-scale of p(z_low|z_top) from features [n, f], each [n, dim]. Both start near 0."""
    mean = keras.layers.Dense(dim, kernel_initializer="glorot_uniform", name="prior_mean")(features)
    log_scale = keras.layers.Dense(dim, kernel_initializer="zeros", name="unbounded_prior_log_scale")(features)
    return mean, Bounded(MAX_LOG_VARIANCE / 3, name="prior_log_scale")(log_scale)
