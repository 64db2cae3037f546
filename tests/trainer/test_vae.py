"""The bounds against numerical integration over a one-dimensional latent space."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from tests.trainer.tiny import MODEL, make_vae
from trainer.vae import VAE

GRID = np.linspace(-12, 12, 4801)
DRAWS = 4000


@pytest.fixture(scope="module")
def vae() -> VAE:
    """A VAE of 3x3 pictures whose pixels depend on the one latent dimension, and whose posterior is a poor guess."""
    return make_vae((3, 3, 1), spread=0.4, latent_dim=1)


def binary(count: int, shape: tuple[int, ...] = (3, 3, 1)) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 2, (count, *shape)).astype(np.float32)


def log_prob_on_grid(vae: VAE, pictures: np.ndarray) -> np.ndarray:
    """log p(x|z) for every picture and every z of the grid, by SciPy: float64 [n, grid]."""
    logits = vae.decoder(tf.constant(GRID[:, None], tf.float32)).numpy().astype(float).reshape(len(GRID), -1)
    x = pictures.reshape(len(pictures), 1, -1)
    return (x * special.log_expit(logits) + (1 - x) * special.log_expit(-logits)).sum(axis=2)


def log_evidence(vae: VAE, pictures: np.ndarray) -> np.ndarray:
    """log p(x) by the sum over the grid: float64 [n]."""
    step = np.log(GRID[1] - GRID[0])
    return special.logsumexp(log_prob_on_grid(vae, pictures) + stats.norm.logpdf(GRID) + step, axis=1)


def normal(*shape: int, seed: int = 0) -> tf.Tensor:
    return tf.random.stateless_normal(shape, seed=[seed, 1])


def bound(vae: VAE, picture: np.ndarray, samples: int, draws: int = DRAWS) -> np.ndarray:
    """Independent estimates of the importance-weighted bound of one picture, [draws]."""
    many = tf.repeat(picture[None], draws, axis=0)
    return tf.function(vae.importance_weighted)(many, normal(draws, samples, vae.latent_dim, seed=samples)).numpy()


def test_elbo_terms_are_what_integration_gives(vae: VAE) -> None:
    for picture in binary(3):
        mean, log_variance = (float(value[0, 0]) for value in vae.encode(picture[None]))
        posterior = stats.norm(mean, np.exp(log_variance / 2))
        weights = posterior.pdf(GRID) * (GRID[1] - GRID[0])
        reconstruction = -(log_prob_on_grid(vae, picture[None])[0] * weights).sum()
        kl = ((posterior.logpdf(GRID) - stats.norm.logpdf(GRID)) * weights).sum()
        terms = vae.elbo_terms(tf.repeat(picture[None], DRAWS, axis=0), normal(DRAWS, 1))
        error = terms.reconstruction.numpy().std() / DRAWS**0.5
        assert terms.reconstruction.numpy().mean() == pytest.approx(reconstruction, abs=4 * error + 1e-4)
        np.testing.assert_allclose(terms.kl, kl, rtol=1e-4)
        np.testing.assert_allclose(vae.kl_per_dimension(picture[None]), [[kl]], rtol=1e-4)


def test_bounds_rise_with_samples_towards_the_evidence(vae: VAE) -> None:
    pictures = binary(3)
    for picture, evidence in zip(pictures, log_evidence(vae, pictures)):
        terms = vae.elbo_terms(tf.repeat(picture[None], DRAWS, axis=0), normal(DRAWS, 1))
        estimates = [terms.elbo.numpy(), *(bound(vae, picture, samples) for samples in (1, 5, 50))]
        elbo, one, five, fifty = (estimate.mean() for estimate in estimates)
        errors = [estimate.std() / DRAWS**0.5 for estimate in estimates]
        assert one == pytest.approx(elbo, abs=4 * np.hypot(errors[0], errors[1])), "with one sample it is the ELBO"
        assert elbo < five < fifty
        assert fifty <= evidence + 4 * errors[3]
        assert evidence - elbo > 0.02, "a posterior that is no guess would show nothing"
        assert evidence - fifty < 0.2 * (evidence - elbo)
        assert bound(vae, picture, 5000, draws=8).mean() == pytest.approx(evidence, abs=0.05)


def test_the_elbo_is_the_evidence_where_the_posterior_is_exact() -> None:
    """A decoder that pays no heed to its code: the prior is the posterior, and every bound is log p(x)."""
    vae = make_vae((3, 3, 1), latent_dim=1)
    vae.set_weights([np.zeros_like(weight) for weight in vae.get_weights()])
    pictures = binary(4)
    evidence = log_evidence(vae, pictures)
    np.testing.assert_allclose(evidence, 9 * np.log(0.5), rtol=1e-6)
    np.testing.assert_allclose(vae.elbo_terms(pictures, normal(4, 1)).elbo, evidence, rtol=1e-6)
    np.testing.assert_allclose(vae.importance_weighted(pictures, normal(4, 3, 1)), evidence, rtol=1e-6)


def test_the_model_is_a_distribution_over_binary_pictures() -> None:
    vae = make_vae((2, 2, 1), spread=0.4, latent_dim=1)
    every = np.array(list(itertools.product([0.0, 1.0], repeat=4)), np.float32).reshape(-1, 2, 2, 1)
    assert special.logsumexp(log_evidence(vae, every)) == pytest.approx(0, abs=1e-4)


def test_figures_of_a_picture_do_not_depend_on_its_batch(vae: VAE) -> None:
    pictures, noise = binary(6), normal(6, 4, 1)
    together = vae.importance_weighted(pictures, noise).numpy()
    alone = [vae.importance_weighted(pictures[i : i + 1], noise[i : i + 1]).numpy()[0] for i in range(6)]
    np.testing.assert_allclose(together, alone, rtol=1e-5)


def test_gradients_reach_every_weight(vae: VAE) -> None:
    x = binary(8)
    with tf.GradientTape() as tape:
        loss = -tf.reduce_sum(vae.elbo_terms(x, normal(8, 1)).elbo)
    gradients = tape.gradient(loss, [variable.value for variable in vae.trainable_variables])
    for variable, gradient in zip(vae.trainable_variables, gradients):
        assert gradient is not None and np.abs(gradient).max() > 0, variable.path


@pytest.mark.parametrize("network", ["dense", "convolutional"])
def test_an_untrained_decoder_gives_nearly_the_mean_picture_and_gains_nothing(network: str) -> None:
    mean_picture = np.random.default_rng(0).random((6, 5, 3)).astype(np.float32)
    mean_picture[0] = 0.0
    vae = VAE(dataclasses.replace(MODEL, network=network), (6, 5, 3), mean_picture)
    images = vae.decode_mean(normal(200, vae.latent_dim)).numpy()
    off = np.abs(images - np.clip(mean_picture, 0.01, 0.99))
    assert off.max() < 0.2 and off.mean() < 0.03
    x = np.random.default_rng(1).random((50, 6, 5, 3)).astype(np.float32)
    gain = vae.gain(x, vae.elbo_terms(x, normal(50, vae.latent_dim)).elbo).numpy()
    assert gain.shape == (50,) and abs(gain.mean()) < 0.01 * 6 * 5 * 3


def test_the_mean_pictures_own_elbo_gains_exactly_nothing() -> None:
    mean_picture = np.random.default_rng(0).uniform(0.05, 0.95, (3, 3, 1)).astype(np.float32)
    vae = VAE(MODEL, (3, 3, 1), mean_picture)
    vae.set_weights([weight if weight.ndim == 3 else 0 * weight for weight in vae.get_weights()])  # the bias alone
    x = binary(10)
    elbo = vae.elbo_terms(x, normal(10, vae.latent_dim)).elbo
    np.testing.assert_allclose(elbo, stats.bernoulli.logpmf(x, mean_picture).sum(axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(vae.gain(x, elbo), 0, atol=1e-5)
    np.testing.assert_allclose(vae.gain(x, elbo + 2.5), 2.5, atol=1e-5)
