"""Dropout: what it leaves out, when, and by which seed."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.networks.test_networks import build, codes, dim_of, normal, pictures
from trainer.networks import NETWORKS
from trainer.networks.dropout import Dropout, dropping

SEED = tf.constant([3, 4])


def dropped(layer: Dropout, seed: tf.Tensor = SEED, shape: tuple[int, ...] = (40, 500)) -> np.ndarray:
    with dropping(seed):
        return layer(tf.ones(shape)).numpy()


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_a_share_is_left_out_and_the_mean_stays(rate: float) -> None:
    found = dropped(Dropout(rate))
    assert np.mean(found == 0) == pytest.approx(rate, abs=0.02)
    np.testing.assert_allclose(found[found > 0], 1 / (1 - rate), rtol=1e-5)


def test_nothing_is_left_out_elsewhere_also_after_a_failure() -> None:
    layer, x = Dropout(0.5), normal(3, 4)
    with pytest.raises(RuntimeError), dropping(SEED):
        raise RuntimeError
    np.testing.assert_array_equal(layer(x), x)


def test_the_seed_decides_and_each_call_has_its_own() -> None:
    layer = Dropout(0.5)
    np.testing.assert_array_equal(dropped(layer), dropped(layer))
    assert (dropped(layer) != dropped(layer, SEED + 1)).mean() > 0.4
    with dropping(SEED):
        first, second = layer(tf.ones([40, 500])), layer(tf.ones([40, 500]))
    assert np.mean(first != second) > 0.4


@pytest.mark.parametrize("jit_compile", [False, True])
def test_compiled_it_leaves_out_the_same(jit_compile: bool) -> None:
    layer = Dropout(0.3)

    def compute(seed: tf.Tensor) -> tf.Tensor:
        with dropping(seed):
            return layer(tf.ones([40, 500]))

    compiled = tf.function(compute, jit_compile=jit_compile, autograph=False)
    np.testing.assert_allclose(compiled(SEED), dropped(layer), rtol=1e-6)


def test_is_rebuilt_from_its_config() -> None:
    again = Dropout.from_config(Dropout(0.25, name="some").get_config())
    assert again.rate == 0.25 and again.name == "some"


@pytest.mark.parametrize("network", NETWORKS)
def test_encoders_and_decoders_of_every_network_have_it(network: str) -> None:
    shape = (8, 8, 1)
    keras.utils.set_random_seed(0)
    networks, x, z = build(network, shape, dropout=0.5), pictures(4, *shape), normal(4, dim_of(network, shape))
    for model in filter(None, networks):  # their last layers start near zero, whatever they are given
        for weight in model.trainable_weights:
            weight.assign(weight + 0.1 * normal(*weight.shape))
    whole = codes(networks, x)[0], networks.decoder(z)
    with dropping(SEED):
        parts = codes(networks, x)[0], networks.decoder(z)
    for one, other in zip(whole, parts):
        assert one.shape == other.shape and np.abs(one - other).max() > 1e-3
    np.testing.assert_array_equal(codes(networks, x)[0], whole[0])


@pytest.mark.parametrize("network", NETWORKS)
def test_without_it_networks_have_no_such_layer(network: str) -> None:
    names = {layer.name for model in filter(None, build(network, (8, 8, 1))) for layer in model.layers}
    assert "dropout" not in names
