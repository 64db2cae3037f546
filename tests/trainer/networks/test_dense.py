"""The dense pair."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.tiny import MODEL
from trainer.networks import dense
from trainer.networks.shared import Networks


def build(**model: object) -> Networks:
    config = dataclasses.replace(MODEL, latent_dim=2, **model)
    return dense.build(config, (4, 5, 3), 3, np.zeros(60, np.float32), labels=0)


def widths(network: keras.Model) -> list[int]:
    """Units of the hidden layers, in order."""
    return [layer.output.shape[-1] for layer in network.layers if layer.name.startswith("hidden")]


@pytest.mark.parametrize("hidden", [(12,), (12, 10, 6), (8, 8, 8), (8, 8, 4, 4)], ids=str)
def test_the_decoder_has_the_hidden_layers_in_reverse(hidden: tuple[int, ...]) -> None:
    networks = build(hidden=hidden)
    assert widths(networks.encoder) == list(hidden)
    assert widths(networks.decoder) == list(hidden[::-1])
    assert networks.lower_encoder is None


def test_the_first_layer_sees_every_value_and_the_last_makes_every_value() -> None:
    encoder, _, decoder = build(hidden=(12, 7))
    assert (60, 12) in [weight.shape for weight in encoder.weights]
    assert (12, 60) in [weight.shape for weight in decoder.weights]


def test_both_networks_bend() -> None:
    """Without activations they would be linear, however many layers they have."""
    keras.utils.set_random_seed(0)
    encoder, _, decoder = build(hidden=(16, 16))
    for ask, size in ((lambda x: encoder(x)[0], (1, 4, 5, 3)), (decoder, (1, 2))):
        a, b = (tf.random.stateless_normal(size, seed=[0, seed]) for seed in (0, 1))
        bent = np.abs(ask(a) + ask(b) - ask(a + b) - ask(tf.zeros(size))).max()
        assert bent > 0.05 * np.abs(ask(a)).max()
