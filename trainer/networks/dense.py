"""A dense encoder and decoder: the best quality per CPU second on small images."""

from __future__ import annotations

import keras
import numpy as np

from trainer.config import ModelConfig
from trainer.networks.shared import Networks, dense_output, dense_stack, posterior_heads, with_labels


def build(
    config: ModelConfig, image_shape: tuple[int, int, int], output_channels: int, output_bias: np.ndarray, labels: int
) -> Networks:
    """Build the networks; see `trainer.networks.build_networks`."""
    picture = keras.Input(image_shape, name="picture")
    x, label = with_labels(keras.layers.Flatten(name="flatten")(picture), labels)
    x = dense_stack(x, config.hidden, config.dropout)
    encoder = keras.Model([picture, *label] if label else picture, posterior_heads(x, config.latent_dim), name="encoder")

    code = keras.Input((config.latent_dim,), name="latents")
    x, label = with_labels(code, labels)
    x = dense_stack(x, config.hidden[::-1], config.dropout)
    output = dense_output(x, (*image_shape[:2], output_channels), output_bias)
    decoder = keras.Model([code, *label] if label else code, output, name="decoder")
    return Networks(encoder, None, decoder)
