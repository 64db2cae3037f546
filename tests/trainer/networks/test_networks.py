"""All networks, for pictures of any size."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.tiny import MODEL
from trainer.config import ModelConfig
from trainer.networks import NETWORKS, build_networks, latent_dim
from trainer.networks.shared import Networks

SHAPES = [(1, 1, 1), (5, 7, 3), (28, 28, 1), (2, 13, 1), (17, 3, 3), (8, 8, 3)]
DIM, TOP = 3, 2


def chosen(network: str, **model: object) -> ModelConfig:
    sizes = {"filters": (4, 6, 8), "latent_dim": DIM, "top_latent_dim": TOP, "width": 8, "latent_channels": 2}
    return dataclasses.replace(MODEL, network=network, **{**sizes, **model})


def dim_of(network: str, shape: tuple[int, int, int]) -> int:
    return latent_dim(chosen(network), shape)


def build(
    network: str, shape: tuple[int, int, int], output_channels: int = 1, bias: float = 0.0, labels: int = 0, **model: object
) -> Networks:
    return build_networks(
        chosen(network, **model),
        shape,
        output_channels,
        np.full(int(np.prod(shape[:2])) * output_channels, bias, np.float32),
        labels,
    )


def codes(networks: Networks, x: tf.Tensor, *label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and log-variance of all levels together, a lower one given the mean of the upper."""
    mean, log_variance, *features = networks.encoder([x, *label] if label else x)
    if networks.lower_encoder is None:
        return mean, log_variance
    low_mean, low_log_variance = networks.lower_encoder([*features, mean])
    return tf.concat([mean, low_mean], axis=1), tf.concat([log_variance, low_log_variance], axis=1)


def pictures(count: int, *shape: int) -> tf.Tensor:
    return tf.random.stateless_uniform([count, *shape], seed=[0, 0])


def normal(*shape: int) -> tf.Tensor:
    return tf.random.stateless_normal(shape, seed=[0, 0])


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("output_channels", [1, 6])
def test_shapes(network: str, shape: tuple[int, int, int], output_channels: int) -> None:
    networks, dim = build(network, shape, output_channels), dim_of(network, shape)
    for count in (1, 3):
        assert [part.shape for part in codes(networks, tf.zeros([count, *shape]))] == [(count, dim), (count, dim)]
        assert networks.decoder(tf.zeros([count, dim])).shape == (count, *shape[:2], output_channels)


def test_only_a_hierarchical_model_has_a_second_level() -> None:
    networks = build("hierarchical", (6, 5, 1))
    mean, log_variance, _ = networks.encoder(pictures(4, 6, 5, 1))
    assert mean.shape == log_variance.shape == (4, TOP)
    for network in set(NETWORKS) - {"hierarchical"}:
        assert build(network, (6, 5, 1)).lower_encoder is None


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("layers", [1, 2, 5])
def test_any_depth(network: str, layers: int) -> None:
    depths = {"convolutional": {"filters": tuple(range(2, 2 + layers))}, "spatial": {"blocks": layers}}
    depth = depths.get(network, {"hidden": (8,) * layers})
    networks = build(network, (9, 6, 1), **depth)
    assert networks.decoder(codes(networks, tf.zeros([2, 9, 6, 1]))[0]).shape == (2, 9, 6, 1)
    kind = {"convolutional": "down_", "spatial": "residual_"}.get(network, "hidden_")
    assert len([layer for layer in networks.encoder.layers if layer.name.startswith(kind)]) == layers


@pytest.mark.parametrize("network", NETWORKS)
def test_untrained_they_know_next_to_nothing(network: str) -> None:
    keras.utils.set_random_seed(0)
    networks = build(network, (8, 8, 1), bias=-0.7)
    mean, log_variance = codes(networks, pictures(64, 8, 8, 1))
    assert np.square(mean).mean() < 0.1 and (log_variance.numpy() == 0).all()
    images = networks.decoder(normal(64, dim_of(network, (8, 8, 1)))).numpy()
    assert np.abs(images + 0.7).mean() < 0.15 and np.abs(images + 0.7).max() < 1


@pytest.mark.parametrize("network", NETWORKS)
def test_every_pixel_reaches_the_code_and_every_code_every_pixel(network: str) -> None:
    keras.utils.set_random_seed(0)
    networks = build(network, (6, 7, 1), hidden=(64,))
    x, z = pictures(1, 6, 7, 1), normal(1, dim_of(network, (6, 7, 1)))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, z])
        mean, image = codes(networks, x)[0], networks.decoder(z)
    for dimension in np.abs(tape.jacobian(mean, x)[0]):
        assert dimension.min() > 0
    assert np.abs(tape.jacobian(image, z)).max(axis=-1).min() > 0


@pytest.mark.parametrize("network", NETWORKS)
def test_labels_reach_codes_and_pictures(network: str) -> None:
    keras.utils.set_random_seed(0)
    networks = build(network, (6, 7, 1), labels=3, hidden=(64,))
    x, z = tf.repeat(pictures(1, 6, 7, 1), 4, axis=0), tf.repeat(normal(1, dim_of(network, (6, 7, 1))), 4, axis=0)
    label = tf.concat([tf.eye(3), tf.zeros([1, 3])], axis=0)  # each of them, and none
    for answers in (codes(networks, x, label)[0], tf.reshape(networks.decoder([z, label]), [4, -1])):
        apart = np.abs(answers.numpy()[:, None] - answers.numpy()[None]).max(axis=-1)
        assert (apart[np.triu_indices(4, 1)] > 1e-6).all()


@pytest.mark.parametrize("network", NETWORKS)
def test_every_weight_is_trained(network: str) -> None:
    keras.utils.set_random_seed(0)
    networks = build(network, (6, 5, 1), labels=2, hidden=(8, 8))
    # Heads that start at 0 would keep gradients from what is before them.
    for model in filter(None, networks):
        model.set_weights([weight + 0.1 * np.sign(normal(*weight.shape)) for weight in model.get_weights()])
    x, z, label = pictures(8, 6, 5, 1), normal(8, dim_of(network, (6, 5, 1))), tf.one_hot([0, 1] * 4, 2)
    with tf.GradientTape() as tape:
        both = tf.concat([*codes(networks, x, label), tf.reshape(networks.decoder([z, label]), [8, -1])], axis=1)
        loss = tf.reduce_sum(both * normal(*both.shape))
    variables = [variable for model in filter(None, networks) for variable in model.trainable_variables]
    assert len(variables) == sum(len(model.variables) for model in filter(None, networks))
    for variable, gradient in zip(variables, tape.gradient(loss, [variable.value for variable in variables])):
        assert gradient is not None and np.abs(gradient).max() > 0, variable.path


def test_the_lower_levels_prior_moves_with_the_upper_level() -> None:
    """Its code is in units of the prior, which the decoder leaves: the same lower code is another picture under another one."""
    keras.utils.set_random_seed(0)
    decoder = build("hierarchical", (6, 5, 1), hidden=(16,)).decoder
    inner = keras.Model(decoder.input, decoder.get_layer("from_prior").output)
    upper = np.array([[-2.0, 1.0], [0.0, 0.0], [2.0, 1.0]], np.float32)
    z = np.concatenate([upper, np.full((3, 1), 0.5, np.float32)], axis=1)
    out = inner(tf.constant(z)).numpy()
    np.testing.assert_array_equal(out[:, :TOP], upper)
    assert len(set(out[:, TOP])) == 3
    lower = [float(inner(tf.constant([[2.0, 1.0, low]]))[0, TOP]) for low in (-1.0, 0.0, 3.0)]
    assert lower[2] - lower[1] == pytest.approx(3 * (lower[1] - lower[0]), rel=1e-4), "scaled and shifted, no more"


def test_an_unknown_network_is_told_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="unknown network 'transformer'.*dense, convolutional, hierarchical, spatial"):
        build("transformer", (8, 8, 1))
