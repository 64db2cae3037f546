"""The convolutional pair."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.trainer.tiny import MODEL
from trainer.networks import convolutional


def test_stages_halve_the_picture_and_round_up() -> None:
    assert convolutional.stage_sizes(28, 28, 3) == [(28, 28), (14, 14), (7, 7), (4, 4)]
    assert convolutional.stage_sizes(5, 1, 4) == [(5, 1), (3, 1), (2, 1), (1, 1), (1, 1)]
    assert convolutional.stage_sizes(6, 9, 0) == [(6, 9)]


@pytest.mark.parametrize("size", [(28, 28), (9, 14)], ids=str)
def test_the_decoder_goes_the_encoders_way_back(size: tuple[int, int]) -> None:
    config = dataclasses.replace(MODEL, network="convolutional", filters=(4, 6, 8))
    encoder, _, decoder = convolutional.build(config, (*size, 1), 1, np.zeros(size[0] * size[1], np.float32), labels=0)
    down = [layer.output.shape[1:] for layer in encoder.layers if layer.name.startswith("down")]
    sizes = convolutional.stage_sizes(*size, 3)
    assert down == [(*at, filters) for at, filters in zip(sizes[1:], (4, 6, 8))]
    up: dict[str, tuple[int, ...]] = {}
    for layer in decoder.layers:
        if layer.name.startswith(("up", "crop")):
            up[layer.name[-1]] = layer.output.shape[1:]  # after cropping, where there is any
    assert list(up.values()) == [(*at, filters) for at, filters in zip(sizes[2::-1], (6, 4, 4))]
