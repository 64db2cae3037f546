"""Encoders and decoders. `build_networks` gives those that the configuration names."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trainer.config import ModelConfig
from trainer.networks import convolutional, dense, hierarchical, spatial
from trainer.networks.shared import Networks

Builder = Callable[..., Networks]
NETWORKS: dict[str, Builder] = {
    "dense": dense.build,
    "convolutional": convolutional.build,
    "hierarchical": hierarchical.build,
    "spatial": spatial.build,
}


def latent_dim(config: ModelConfig, image_shape: tuple[int, int, int]) -> int:
    """How many numbers a code of such pictures has, of all levels and places together."""
    return spatial.latent_dim(config, image_shape) if config.network == "spatial" else config.latent_dim


def latent_grid(config: ModelConfig, image_shape: tuple[int, int, int]) -> tuple[int, int, int] | None:
    """Rows, columns, and channels of the places that a code has numbers for; None where it has no places."""
    if config.network != "spatial":
        return None
    return (*spatial.grid_of(config.patch, image_shape), config.latent_channels)


def build_networks(
    config: ModelConfig, image_shape: tuple[int, int, int], output_channels: int, output_bias: np.ndarray, labels: int = 0
) -> Networks:
    """The networks of a model.

    Args:
        config: Which network, and how large.
        image_shape: Height, width, channels of the pictures: any size, 1 or 3 channels.
        output_channels: Numbers that the likelihood needs per pixel.
        output_bias: [h * w * output_channels]: what the untrained decoder gives for every latent code.
        labels: How many labels encoder and decoder see, as a second input, float32 [n, labels]; 0 for none.

    Returns:
        See `Networks`.

    Raises:
        ValueError: No such network; the message lists those there are.
    """
    if config.network not in NETWORKS:
        raise ValueError(f"unknown network {config.network!r}: allowed are {', '.join(NETWORKS)}")
    return NETWORKS[config.network](config, image_shape, output_channels, output_bias, labels)
