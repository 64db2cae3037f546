"""The distance of features, and the training loss that it is a term of."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import trainer.accumulation
import trainer.task
from tests.trainer.tiny import CONDITIONAL, HIERARCHICAL, TRAINING, VAMPPRIOR, bars, fit, labelled_bars, make_vae
from trainer.accumulation import BatchGradients
from trainer.data import Pictures
from trainer.features import self_supervised
from trainer.features.distance import FeatureDistance, learn_distance
from trainer.features.distortions import blur
from trainer.losses import vae_loss
from trainer.preprocessing import scale

MODELS = {
    "bernoulli": {},
    "black and white": {"binarisation": "dynamic", **CONDITIONAL},
    "continuous_bernoulli, two levels": {"likelihood": "continuous_bernoulli", **HIERARCHICAL, **VAMPPRIOR},
    "gaussian, convolutional": {"likelihood": "gaussian", "network": "convolutional", "filters": (4, 4)},
    "mixture, spatial": {
        **{"likelihood": "discretized_logistic_mixture", "mixtures": 2},
        **{"network": "spatial", "width": 8, "latent_channels": 2},
    },
}


@pytest.fixture(scope="module", autouse=True)
def short() -> None:
    """A training that is long enough for features that are not those of the start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(self_supervised, "STEPS", (20, 20))
        yield


@pytest.fixture(scope="module")
def distance(short: None) -> FeatureDistance:
    return learn_distance(labelled_bars(200), seed=0)


def batch_of(vae, count: int = 10) -> tuple[tf.Tensor, ...]:
    """The arguments of `BatchGradients` for some bars."""
    batch = labelled_bars(count)
    x, noise = scale(tf.constant(batch.levels)), tf.random.stateless_normal([count, vae.latent_dim], seed=[0, 1])
    x = tf.round(x) if vae.binarised else x
    return x, x, tf.constant(batch.labels), noise, tf.constant([1, 2]), tf.constant(0.7)


def gradients_of(vae, distance: FeatureDistance | None, **training: object) -> list[np.ndarray]:
    """Sums of both terms, and gradients."""
    config = dataclasses.replace(TRAINING, batch_size=10, **training)
    sums, gradients = tf.function(BatchGradients(vae, config, 1, distance), autograph=False)(*batch_of(vae))
    return [sums.numpy(), *(gradient.numpy() for gradient in gradients)]


def test_equal_pictures_are_at_no_distance_and_unrelated_ones_at_about_two(distance: FeatureDistance) -> None:
    x = scale(tf.constant(bars(100)))
    np.testing.assert_array_equal(distance(x, x), np.zeros(100))
    others = scale(tf.constant(bars(100, seed=3)))
    unrelated = distance(x, others).numpy()
    assert unrelated.shape == (100,) and 1 < unrelated.mean() < 3
    np.testing.assert_allclose(distance(others, x), unrelated, rtol=1e-5)


def test_blur_is_the_farther_the_stronger(distance: FeatureDistance) -> None:
    x = scale(tf.constant(bars(100)))
    distances = [distance(x, blur(x, tf.constant(sigma))).numpy().mean() for sigma in (0.3, 0.6, 1.0, 2.0)]
    assert distances == sorted(distances) and distances[0] > 0 and distances[-1] > 3 * distances[0]


def test_each_layer_counts_by_its_variance(distance: FeatureDistance) -> None:
    maps = distance.maps(scale(tf.constant(bars(200))))
    assert len(maps) == len(distance.convolutions) == len(self_supervised.LAYERS[8])
    for layer, found in zip(distance.convolutions, maps, strict=True):
        assert found.numpy().var(axis=(0, 1, 2)).mean() == pytest.approx(layer.variance, rel=0.2)
    assert distance.numbers(8, 8) == 2 * sum(int(np.prod(found.shape[1:])) for found in maps)


def test_maps_are_those_of_the_network_of_any_size() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (60, 80, 70, 3), np.uint8)
    learned = learn_distance(Pictures(pictures), seed=0)
    assert learned.maps(scale(tf.constant(pictures[:2])))[0].shape[1:3] == (40, 35), "at the pictures' own size"
    network = self_supervised.SelfSupervised.untrained((8, 8, 1))
    x = scale(tf.constant(bars(5)))
    maps = FeatureDistance(network, bars(50)).maps(x)
    expected = network._network.layers[1](x)
    for convolution, found in zip(network._network.layers[2:], maps):
        expected = convolution(expected)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_deep_levels_and_flat_pictures_do_no_harm() -> None:
    deep = labelled_bars(200).levels.astype(np.uint16) * 257
    x = scale(tf.constant(bars(10)))
    eight = learn_distance(labelled_bars(200), seed=0)
    np.testing.assert_array_equal(learn_distance(Pictures(deep), seed=0)(x, x[::-1]), eight(x, x[::-1]))
    flat = learn_distance(Pictures(np.full((5, 8, 8, 1), 7, np.uint8)), seed=0)
    assert np.isfinite(flat(x, x[::-1])).all()


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_the_gradient_is_that_of_the_loss_and_the_terms_stay_those_of_the_elbo(distance: FeatureDistance, model: dict) -> None:
    vae = make_vae(spread=0.3, **model)
    sums, *gradients = gradients_of(vae, distance, feature_weight=0.5)
    plain_sums, *plain = gradients_of(vae, None)
    np.testing.assert_allclose(sums, plain_sums, rtol=1e-6)
    x, _, labels, noise, _, beta = batch_of(vae)
    with tf.GradientTape() as tape:
        terms = vae.elbo_terms(x, noise, labels, x, training=True)
        term = 0.5 * 64 * tf.reduce_sum(distance(x, vae.likelihood.mean(terms.parameters)))
        loss = (vae_loss(terms, beta) + term) / 10
    expected = tape.gradient(loss, [v.value for v in vae.trainable_variables])
    for mine, theirs in zip(gradients, expected, strict=True):
        assert np.isfinite(mine).all()
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4 * (1 + np.abs(theirs).max()))
    decoder = {id(v) for v in vae.decoder.trainable_variables}
    moved = [np.abs(a - b).max() for v, a, b in zip(vae.trainable_variables, gradients, plain) if id(v) in decoder]
    assert max(moved) > 1e-3, "the term reaches the decoder"


@pytest.mark.parametrize("likelihood", ["bernoulli", "continuous_bernoulli", "gaussian", "discretized_logistic_mixture"])
def test_means_of_parameters_far_out_have_gradients(likelihood: str) -> None:
    made = make_vae(likelihood=likelihood).likelihood
    far = tf.constant([-300.0, -90.0, -1.0, 0.0, 1.0, 90.0, 300.0])
    parameters = tf.tile(far[:, tf.newaxis, tf.newaxis, tf.newaxis], [1, 2, 2, made.output_channels])
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        mean = made.mean(parameters)
    assert np.isfinite(mean).all() and np.isfinite(tape.gradient(mean, parameters)).all()


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_parts_add_up_to_the_whole(distance: FeatureDistance, model: dict) -> None:
    vae = make_vae(spread=0.3, **model)
    whole, parts = (gradients_of(vae, distance, feature_weight=0.5, accumulate=number) for number in (1, 3))
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-4 * (1 + np.abs(one).max()))


def test_memory_counts_the_features(distance: FeatureDistance, monkeypatch: pytest.MonkeyPatch) -> None:
    vae, config = make_vae(), dataclasses.replace(TRAINING, batch_size=128, feature_weight=0.5)
    model, features = sum(vae._layer_sizes), distance.numbers(8, 8)
    monkeypatch.setattr(trainer.accumulation, "MAX_NUMBERS", 32 * (model + features))
    assert BatchGradients(vae, config, 1, distance).part in (26, 32)
    monkeypatch.setattr(trainer.accumulation, "MAX_NUMBERS", 1)
    assert BatchGradients(vae, config, 1, distance).part == 1
    assert BatchGradients(vae, dataclasses.replace(config, accumulate=2), 1, distance).part == 64


def test_a_weight_of_nothing_changes_nothing(distance: FeatureDistance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vae = make_vae(spread=0.3)
    for mine, theirs in zip(gradients_of(vae, distance), gradients_of(vae, None), strict=True):
        assert mine.tobytes() == theirs.tobytes()
    monkeypatch.setattr(trainer.task, "learn_distance", lambda *_: pytest.fail("features were learned for nothing"))
    fit(tmp_path, epochs=1)
    with pytest.raises(ValueError, match="no distance of features"):
        BatchGradients(vae, dataclasses.replace(TRAINING, feature_weight=0.1))


def test_training_brings_pictures_nearer_in_features(tmp_path: Path, distance: FeatureDistance) -> None:
    """And what is reported is the ELBO: both terms add up to it."""
    held_out = labelled_bars(40, seed=1)
    x, found = scale(tf.constant(held_out.levels)), []
    for weight in (0.0, 2.0):
        fitted = fit(tmp_path / str(weight), labelled_bars(300), held_out, epochs=10, feature_weight=weight)
        rebuilt = fitted.vae.decode_mean(fitted.vae.encode(x, held_out.labels)[0], held_out.labels)
        found.append(float(tf.reduce_mean(distance(x, rebuilt))))
        last = fitted.history[-1]
        for figures in (last["train"], last["eval"]):
            assert figures["elbo"] == pytest.approx(-figures["reconstruction"] - figures["kl"], rel=1e-5)
        assert last["train"]["loss"] == pytest.approx(-last["train"]["elbo"], rel=1e-5)
    assert found[1] < found[0]


@pytest.mark.slow
def test_compiled_by_xla_it_is_the_same(tmp_path: Path) -> None:
    plain, compiled = (fit(tmp_path, epochs=2, feature_weight=0.5, jit_compile=jit).history for jit in (False, True))
    for mine, theirs in zip(plain, compiled, strict=True):
        assert mine["eval"] == pytest.approx(theirs["eval"], rel=1e-3)
