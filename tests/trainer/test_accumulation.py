"""A batch worked through in parts has the gradients of the whole."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import trainer.accumulation
from tests.trainer.tiny import CONDITIONAL, HIERARCHICAL, TRAINING, VAMPPRIOR, fit, labelled_bars, make_vae
from trainer.accumulation import BatchGradients
from trainer.networks.shared import layer_sizes
from trainer.preprocessing import scale
from trainer.vae import VAE

MODELS = {
    "two levels": ({**HIERARCHICAL, **VAMPPRIOR, **CONDITIONAL}, False),
    "free bits": ({"latent_dim": 4}, True),
    "best sigma": ({"likelihood": "gaussian", "sigma": "optimal"}, False),
    "best sigma and free bits": ({"likelihood": "gaussian", "sigma": "optimal", "latent_dim": 4}, True),
    "best sigma, KL below 0": ({"likelihood": "gaussian", "sigma": "optimal", **VAMPPRIOR}, False),
    "levels": ({"likelihood": "discretized_logistic_mixture", "mixtures": 2}, False),
}


def gradients_of(vae: VAE, parts: int, pictures: int = 10, **training: object) -> list[np.ndarray]:
    """Sums of both terms, and gradients, of a batch in so many parts."""
    config = dataclasses.replace(TRAINING, batch_size=10, accumulate=parts, **training)
    batch = labelled_bars(pictures)
    x, noise = scale(tf.constant(batch.levels)), tf.random.stateless_normal([pictures, vae.latent_dim], seed=[0, 1])
    given = x, x, tf.constant(batch.labels), noise, tf.constant([1, 2]), tf.constant(0.7)
    sums, gradients = tf.function(BatchGradients(vae, config), autograph=False)(*given)
    return [sums.numpy(), *(gradient.numpy() for gradient in gradients)]


def middle_kl(vae: VAE) -> float:
    """Nats that half of the latent dimensions have more of."""
    x = scale(tf.constant(labelled_bars(10).levels))
    return float(np.median(tf.reduce_mean(vae.elbo_terms(x, tf.zeros([10, vae.latent_dim])).kl_per_dimension, axis=0)))


@pytest.mark.parametrize(("model", "free_bits"), MODELS.values(), ids=MODELS)
def test_parts_add_up_to_the_whole(model: dict[str, object], free_bits: bool) -> None:
    """Ten pictures in parts of four, the last of which has but two."""
    vae = make_vae(spread=0.3, **model)
    training = {"free_bits": middle_kl(vae)} if free_bits else {}
    sigma = vae.likelihood.stored.numpy() if vae.likelihood.fits_batches else None
    found = []
    for parts in (1, 3):
        found.append(gradients_of(vae, parts, **training))
        if sigma is not None:
            found[-1].append(vae.likelihood.stored.numpy() - sigma)
            vae.likelihood.stored.assign(sigma)
    for whole, added in zip(*found, strict=True):
        np.testing.assert_allclose(added, whole, rtol=2e-4, atol=2e-5 * (1 + np.abs(whole).max()))
    assert all(np.abs(whole).max() > 0 for whole in found[0][1:])


def test_some_dimensions_pay_and_some_do_not() -> None:
    """Without that the test above would show nothing of free bits."""
    vae = make_vae(spread=0.3, latent_dim=4)
    some = middle_kl(vae)
    gradients = {bits: gradients_of(vae, 1, free_bits=bits) for bits in (0.0, some, 1e3)}
    for one, other in ((0.0, some), (some, 1e3)):
        assert any(np.abs(a - b).max() > 1e-4 for a, b in zip(gradients[one], gradients[other]))


def test_no_picture_is_no_gradient() -> None:
    """What a replica gets of a last batch with fewer pictures than replicas."""
    assert all(not part.any() for part in gradients_of(make_vae(spread=0.3), 3, pictures=0))


def test_small_pictures_are_worked_through_at_once_and_large_ones_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    vae, config = make_vae(), dataclasses.replace(TRAINING, batch_size=128)
    assert BatchGradients(vae, config).part == 128 and BatchGradients(vae, config, replicas=2).part == 64
    assert BatchGradients(vae, dataclasses.replace(config, accumulate=5)).part == 26
    assert BatchGradients(vae, dataclasses.replace(config, accumulate=1000)).part == 1
    sizes = {network: sum(layer_sizes(network)) for network in (vae.encoder, vae.decoder)}
    assert vae.trained_at_once(100 * sum(sizes.values())) == 100
    monkeypatch.setattr(trainer.accumulation, "MAX_NUMBERS", 50 * sum(sizes.values()))
    assert BatchGradients(vae, config).part == 43, "three parts of at most 50, as even as can be"
    assert BatchGradients(vae, dataclasses.replace(config, accumulate=1)).part == 128, "a person said so"
    monkeypatch.setattr(trainer.accumulation, "MAX_NUMBERS", 1)
    assert BatchGradients(vae, config).part == 1


def test_training_in_parts_is_the_same_training(tmp_path: Path) -> None:
    options = {"model": {"likelihood": "gaussian", "sigma": "optimal"}, "epochs": 2, "free_bits": 0.1, "corruption": "masking"}
    whole, parts = (fit(tmp_path, accumulate=number, **options).history for number in (0, 3))
    for mine, theirs in zip(parts, whole, strict=True):
        assert mine["train"] == pytest.approx(theirs["train"], rel=1e-3)
        assert mine["eval"] == pytest.approx(theirs["eval"], rel=1e-3)


@pytest.mark.slow
def test_compiled_by_xla_it_is_the_same_and_dropout_draws_by_the_seed(tmp_path: Path) -> None:
    options = {"model": {"dropout": 0.3}, "epochs": 2, "accumulate": 3, "free_bits": 0.1}
    once, again, compiled = (fit(tmp_path, jit_compile=jit, **options).history for jit in (False, False, True))
    for mine, same, theirs in zip(once, again, compiled, strict=True):
        assert mine["eval"] == pytest.approx(same["eval"], rel=1e-5)
        assert mine["eval"] == pytest.approx(theirs["eval"], rel=1e-3)
