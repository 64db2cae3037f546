"""The dense pair."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.trainer.tiny import MODEL
from trainer.networks import dense


def test_the_decoder_has_the_hidden_layers_in_reverse() -> None:
    config = dataclasses.replace(MODEL, hidden=(12, 10, 6), latent_dim=2)
    encoder, decoder = dense.build(config, (4, 5, 3), 1, np.zeros(60, np.float32))
    for network, units in ((encoder, [12, 10, 6]), (decoder, [6, 10, 12])):
        assert [layer.units for layer in network.layers if layer.name.startswith("hidden")] == units
    assert encoder.count_params() == (60 * 12 + 12) + (12 * 10 + 10) + (10 * 6 + 6) + 2 * (6 * 2 + 2)
    assert decoder.count_params() == (2 * 6 + 6) + (6 * 10 + 10) + (10 * 12 + 12) + 12 * 60 + 60
