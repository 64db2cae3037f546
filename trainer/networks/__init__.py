"""Encoders and decoders. `build_networks` gives the pair that the configuration names."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from trainer.config import ModelConfig
from trainer.networks import convolutional, dense

Builder = Callable[..., tuple[keras.Model, keras.Model]]
NETWORKS: dict[str, Builder] = {"dense": dense.build, "convolutional": convolutional.build}


def build_networks(
    config: ModelConfig, image_shape: tuple[int, int, int], parameters_per_value: int, output_bias: np.ndarray
) -> tuple[keras.Model, keras.Model]:
    """The encoder and the decoder.

    Args:
        config: Which network, and how large.
        image_shape: Height, width, channels of the pictures: any size, 1 or 3 channels.
        parameters_per_value: Numbers (k) that the likelihood needs per value.
        output_bias: [h * w * c * k]: what the untrained decoder gives for every latent code.

    Returns:
        encoder: float32 [n, h, w, c] in [0, 1] -> mean and log-variance of q(z|x), each float32 [n, latent_dim].
        decoder: float32 [n, latent_dim] -> the likelihood's parameters, float32 [n, h, w, c * k].

    Raises:
        ValueError: No such network; the message lists those there are.
    """
    if config.network not in NETWORKS:
        raise ValueError(f"unknown network {config.network!r}: allowed are {', '.join(NETWORKS)}")
    return NETWORKS[config.network](config, image_shape, parameters_per_value, output_bias)
