"""Both networks, for pictures of any size."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.tiny import MODEL
from trainer.networks import NETWORKS, build_networks

SHAPES = [(1, 1, 1), (5, 7, 3), (28, 28, 1), (2, 13, 1), (17, 3, 3), (8, 8, 3)]


def build(
    network: str, shape: tuple[int, int, int], values: int = 1, bias: float = 0.0, **model: object
) -> tuple[keras.Model, keras.Model]:
    config = dataclasses.replace(MODEL, network=network, filters=(4, 6, 8), latent_dim=3, **model)
    return build_networks(config, shape, values, np.full(int(np.prod(shape)) * values, bias, np.float32))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("values", [1, 2])
def test_shapes(network: str, shape: tuple[int, int, int], values: int) -> None:
    encoder, decoder = build(network, shape, values)
    for count in (1, 3):
        posterior = encoder(tf.zeros([count, *shape]))
        assert [part.shape for part in posterior] == [(count, 3), (count, 3)]
        assert decoder(tf.zeros([count, 3])).shape == (count, *shape[:2], shape[2] * values)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("layers", [1, 2, 5])
def test_any_depth(network: str, layers: int) -> None:
    depth = {"hidden": (8,) * layers} if network == "dense" else {}
    config = dataclasses.replace(MODEL, network=network, filters=tuple(range(2, 2 + layers)), **depth)
    encoder, decoder = build_networks(config, (9, 6, 1), 1, np.zeros(54, np.float32))
    assert decoder(encoder(tf.zeros([2, 9, 6, 1]))[0]).shape == (2, 9, 6, 1)
    hidden = [layer for layer in encoder.layers if layer.name.startswith(("hidden_", "down_"))]
    assert len(hidden) == layers


@pytest.mark.parametrize("network", NETWORKS)
def test_untrained_they_know_next_to_nothing(network: str) -> None:
    keras.utils.set_random_seed(0)
    encoder, decoder = build(network, (8, 8, 1), bias=-0.7)
    mean, log_variance = encoder(tf.random.stateless_uniform([64, 8, 8, 1], seed=[0, 0]))
    assert np.square(mean).mean() < 0.1 and (log_variance.numpy() == 0).all()
    images = decoder(tf.random.stateless_normal([64, 3], seed=[0, 0])).numpy()
    assert np.abs(images + 0.7).mean() < 0.15 and np.abs(images + 0.7).max() < 1


@pytest.mark.parametrize("network", NETWORKS)
def test_every_pixel_reaches_the_code_and_every_code_every_pixel(network: str) -> None:
    keras.utils.set_random_seed(0)
    encoder, decoder = build(network, (6, 7, 1), hidden=(64,))
    x, z = tf.random.stateless_uniform([1, 6, 7, 1], seed=[0, 0]), tf.random.stateless_normal([1, 3], seed=[0, 0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, z])
        mean, image = encoder(x)[0], decoder(z)
    assert (tape.gradient(mean, x).numpy() != 0).all()
    assert np.abs(tape.jacobian(image, z)).max(axis=-1).min() > 0


def test_an_unknown_network_is_told_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="unknown network 'transformer'.*dense, convolutional"):
        build("transformer", (8, 8, 1))
