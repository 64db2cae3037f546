"""Encoders and decoders. `build_networks` builds the ones that the configuration names."""

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
    """Return the number of dimensions of a code, over all levels and places.

    Example:
        >>> latent_dim(ModelConfig(latent_dim=16), (28, 28, 1))
        16
    """
    return spatial.latent_dim(config, image_shape) if config.network == "spatial" else config.latent_dim


def latent_grid(config: ModelConfig, image_shape: tuple[int, int, int]) -> tuple[int, int, int] | None:
    """Return the rows, columns and channels of a spatial code. Return None for a network without a grid."""
    if config.network != "spatial":
        return None
    return (*spatial.grid_of(config.patch, image_shape), config.latent_channels)


def build_networks(
    config: ModelConfig, image_shape: tuple[int, int, int], output_channels: int, output_bias: np.ndarray, labels: int = 0
) -> Networks:
    """Build the networks of a model.

    Args:
        config: Which network, and its size.
        image_shape: Height, width, channels of the images: any size, 1 or 3 channels.
        output_channels: Number of the likelihood's parameters per pixel.
        output_bias: Output of the untrained decoder for every code, [h * w * output_channels].
        labels: Number of labels, which encoder and decoder take as a second input, float32 [n, labels]. 0 for none.

    Raises:
        ValueError: The network is unknown. The message lists the known networks.
    """
    if config.network not in NETWORKS:
        raise ValueError(f"unknown network {config.network!r}: allowed are {', '.join(NETWORKS)}")
    return NETWORKS[config.network](config, image_shape, output_channels, output_bias, labels)
