"""The bounds of linear models, of which the likelihood of a picture is known exactly (Tipping and Bishop 1999, section 3).

With x = mu + W z + noise and z ~ N(0, 1), p(x) is N(mu, W W^T + sigma^2) and p(z|x) Gaussian too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from tests.trainer.tiny import CONDITIONAL, MODEL, VAMPPRIOR
from trainer.vae import VAE, TrainingData

SHAPE, VALUES, DIM = (2, 4, 1), 8, 2
SIGMA = 0.05
DRAWS = 3000
RNG = np.random.default_rng(0)
MU = RNG.uniform(0.45, 0.55, VALUES)
SLANTED = RNG.normal(0, 0.03, (VALUES, DIM))  # columns that are not orthogonal: codes depend on each other given a picture
UPRIGHT = np.linalg.qr(SLANTED)[0] * 0.08
OFF = np.array([0.1, -0.05])  # by which the second label's pictures are lighter or darker
Posterior = Callable[[tf.Tensor], tuple[tf.Tensor, ...]]


def logit(mean: tf.Tensor) -> tf.Tensor:
    """Parameters of the Gaussian likelihood, whose means are their sigmoid; codes that leave [0, 1] are never met."""
    mean = tf.clip_by_value(mean, 1e-6, 1 - 1e-6)
    return tf.math.log(mean / (1 - mean))


@dataclass(frozen=True)
class Linear:
    """A model whose decoder is linear.

    Attributes:
        vae: The model.
        weights: W, float64 [values, d].
        sigma: Of its likelihood.
    """

    vae: VAE
    weights: np.ndarray
    sigma: float

    @property
    def covariance(self) -> np.ndarray:
        """Of the pictures, given the standard normal prior."""
        return self.weights @ self.weights.T + self.sigma**2 * np.eye(VALUES)

    def exact_posterior(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means [n, d] and the covariance [d, d] of p(z|x)."""
        covariance = np.linalg.inv(np.eye(DIM) + self.weights.T @ self.weights / self.sigma**2)
        return (x - MU) @ self.weights @ covariance / self.sigma**2, covariance

    def elbo(self, x: np.ndarray, draws: int = DRAWS) -> np.ndarray:
        """Estimates of the ELBO of each picture, [n, draws]."""
        return self._each(x, draws, lambda pictures, noise: self.vae.elbo_terms(pictures, noise[:, 0]).elbo, 1)

    def bound(self, x: np.ndarray, samples: int, draws: int = DRAWS) -> np.ndarray:
        """Estimates of the importance-weighted bound of each picture, [n, draws]."""
        return self._each(x, draws, self.vae.importance_weighted, samples)

    def _each(self, x: np.ndarray, draws: int, estimate: Callable[..., tf.Tensor], samples: int) -> np.ndarray:
        pictures = tf.repeat(as_pictures(x), draws, axis=0)
        noise = tf.random.stateless_normal([len(pictures), samples, DIM], seed=[samples, 1])
        return tf.reshape(tf.function(estimate)(pictures, noise), [len(x), draws]).numpy().astype(float)


def make(weights: np.ndarray, encoder: Posterior, lower_encoder: Callable | None = None, **model: object) -> Linear:
    grey = MU.reshape(SHAPE).astype(np.float32)
    data = TrainingData(grey, np.full(SHAPE, SIGMA, np.float32), np.tile(grey, (10, 1, 1, 1)), labels=2)
    config = dataclasses.replace(MODEL, latent_dim=DIM, top_latent_dim=1, likelihood="gaussian", **model)
    vae = VAE(config, SHAPE, data)

    def decode(inputs: tf.Tensor | list[tf.Tensor]) -> tf.Tensor:
        z, shift = inputs, 0.0
        if vae.labels:
            z, label = inputs
            shift = label @ tf.constant(OFF[:, None], tf.float32)
        mean = tf.constant(MU, tf.float32) + shift + z @ tf.constant(weights.T, tf.float32)
        return logit(tf.reshape(mean, [-1, *SHAPE]))

    vae.encoder, vae.decoder = encoder, decode
    if lower_encoder:
        vae.lower_encoder = lower_encoder
    sigma = float(tf.exp(vae.likelihood.log_sigma()))
    assert sigma == pytest.approx(SIGMA, rel=1e-4)
    return Linear(vae, weights, sigma)


def linear_encoder(slope: np.ndarray, variances: np.ndarray, shift: float = 0.0) -> Posterior:
    """An encoder that is linear as well: N(slope (x - mu) + shift, variances)."""

    def encode(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        flat = tf.reshape(x, [-1, VALUES]) - tf.constant(MU, tf.float32)
        mean = flat @ tf.constant(slope.T, tf.float32) + shift
        return mean, tf.zeros_like(mean) + tf.constant(np.log(variances), tf.float32)

    return encode


def posterior_of(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope [d, values] and covariance [d, d] of p(z|x)."""
    covariance = np.linalg.inv(np.eye(DIM) + weights.T @ weights / SIGMA**2)
    return covariance @ weights.T / SIGMA**2, covariance


@pytest.fixture(scope="module")
def guess() -> Linear:
    """One whose posterior is a guess: off, too broad, and blind to how codes depend on each other."""
    slope, covariance = posterior_of(SLANTED)
    return make(SLANTED, linear_encoder(0.9 * slope, 1.5 * np.diag(covariance), shift=0.3))


@pytest.fixture(scope="module")
def exact() -> Linear:
    """One whose posterior is the exact one, which is diagonal as W has orthogonal columns."""
    slope, covariance = posterior_of(UPRIGHT)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 1e-12
    return make(UPRIGHT, linear_encoder(slope, np.diag(covariance)))


def two_levels() -> Linear:
    """The exact posterior in two levels: the lower one's mean follows the upper code, so that codes may be correlated."""
    slope, covariance = posterior_of(SLANTED)
    follows = covariance[1, 0] / covariance[0, 0]
    assert abs(follows) > 0.05
    flat = lambda x: tf.reshape(x, [-1, VALUES]) - tf.constant(MU, tf.float32)
    upper = linear_encoder(slope[:1], covariance[:1, 0])

    def encode(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        mean, log_variance = upper(x)
        return mean, log_variance, flat(x)

    def encode_lower(inputs: list[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        x, top = inputs
        at = [part[:, None] for part in tf.unstack(x @ tf.constant(slope.T, tf.float32), axis=1)]
        mean = at[1] + follows * (top - at[0])
        return mean, tf.fill(tf.shape(mean), tf.constant(np.log(covariance[1, 1] - follows * covariance[0, 1]), tf.float32))

    return make(SLANTED, encode, encode_lower, network="hierarchical")


def pictures(count: int = 6) -> np.ndarray:
    """Draws from the slanted model, of noise twice as strong: float64 [n, values]."""
    rng = np.random.default_rng(1)
    return MU + rng.normal(size=(count, DIM)) @ SLANTED.T + rng.normal(0, 2 * SIGMA, (count, VALUES))


def as_pictures(x: np.ndarray) -> tf.Tensor:
    """[n, values] -> float32 [n, h, w, c]."""
    return tf.reshape(tf.constant(x, tf.float32), [-1, *SHAPE])


def within(estimates: np.ndarray, expected: np.ndarray, errors: float = 4.0) -> bool:
    """Whether means over draws are what is expected, but for so many standard errors."""
    return bool((np.abs(estimates.mean(axis=1) - expected) <= errors * estimates.std(axis=1) / DRAWS**0.5 + 1e-3).all())


def test_bounds_are_in_order_below_the_exact_log_likelihood(guess: Linear) -> None:
    x = pictures()
    evidence = stats.multivariate_normal(MU, guess.covariance).logpdf(x)
    estimates = [guess.elbo(x), guess.bound(x, 5), guess.bound(x, 100)]
    elbo, five, hundred = (estimate.mean(axis=1) for estimate in estimates)
    errors = np.array([estimate.std(axis=1) / DRAWS**0.5 for estimate in estimates])
    assert (elbo + 4 * errors[:2].sum(axis=0) < five).all()
    assert (five + 4 * errors[1:].sum(axis=0) < hundred).all()
    assert (hundred <= evidence + 4 * errors[2] + 1e-3).all()
    assert (evidence - elbo > 0.2).all() and (evidence - hundred < 0.05).all()


def test_the_gap_of_the_elbo_is_the_divergence_from_the_exact_posterior(guess: Linear) -> None:
    """log p(x) - ELBO = KL(q(z|x) || p(z|x)), of two Gaussians in closed form."""
    x = pictures()
    evidence = stats.multivariate_normal(MU, guess.covariance).logpdf(x)
    means, covariance = guess.exact_posterior(x)
    guessed, log_variance = (part.numpy().astype(float) for part in guess.vae.encode(as_pictures(x)))
    precision, variances = np.linalg.inv(covariance), np.exp(log_variance[0])
    apart = guessed - means
    distance = np.einsum("ni,ij,nj->n", apart, precision, apart)
    divergence = 0.5 * (np.trace(precision * variances) + distance - DIM)
    divergence += 0.5 * (np.linalg.slogdet(covariance)[1] - log_variance[0].sum())
    assert within(guess.elbo(x), evidence - divergence)


@pytest.mark.parametrize("levels", [1, 2])
def test_with_the_exact_posterior_every_bound_is_the_exact_log_likelihood(exact: Linear, levels: int) -> None:
    model = exact if levels == 1 else two_levels()
    x = pictures()
    evidence = stats.multivariate_normal(MU, model.covariance).logpdf(x)
    for samples in (1, 2, 17):
        bound = model.bound(x, samples, draws=50)
        np.testing.assert_allclose(bound, np.repeat(evidence[:, None], 50, axis=1), atol=2e-3)
    assert within(model.elbo(x), evidence)


def test_a_correlated_posterior_needs_the_second_level() -> None:
    """The best that one level can do, the exact means and precisions, falls short by the divergence of independence."""
    slope, covariance = posterior_of(SLANTED)
    variances = 1 / np.diag(np.linalg.inv(covariance))
    model, x = make(SLANTED, linear_encoder(slope, variances)), pictures()
    evidence = stats.multivariate_normal(MU, model.covariance).logpdf(x)
    lost = 0.5 * (np.linalg.slogdet(covariance)[1] - np.log(variances).sum())
    assert lost > 0.01 and within(model.elbo(x), evidence - lost)


def test_under_a_vampprior_the_likelihood_is_a_mixtures() -> None:
    """Components are Gaussian, so pictures are a mixture of Gaussians: p(x) = 1/K sum_k N(mu + W m_k, W S_k W^T + sigma^2)."""
    slope, covariance = posterior_of(SLANTED)
    model = make(SLANTED, linear_encoder(slope, 1.2 * np.diag(covariance)), **{**VAMPPRIOR, "pseudo_inputs": 3})
    inputs = MU + np.array([[-1.5, 0.5], [0.5, 1.0], [1.0, -2.0]]) @ SLANTED.T
    model.vae.prior.pseudo_inputs.assign(special.logit(inputs).reshape(3, *SHAPE))
    means, log_variances = (part.numpy().astype(float) for part in model.vae.prior.components())
    assert np.linalg.norm(means[:, None] - means[None], axis=2)[np.triu_indices(3, 1)].min() > 1
    x = pictures()
    parts = [
        stats.multivariate_normal(
            MU + SLANTED @ mean, SLANTED @ np.diag(np.exp(log_variance)) @ SLANTED.T + model.sigma**2 * np.eye(VALUES)
        ).logpdf(x)
        for mean, log_variance in zip(means, log_variances)
    ]
    evidence = special.logsumexp(parts, axis=0) - np.log(3)
    elbo, thousand = model.elbo(x), model.bound(x, 1000, draws=60)
    assert (elbo.mean(axis=1) < evidence).all()
    np.testing.assert_allclose(thousand.mean(axis=1), evidence, atol=0.03 + 4 * thousand.std(axis=1).max() / 60**0.5)


def test_given_a_label_the_likelihood_is_that_labels() -> None:
    slope, covariance = posterior_of(UPRIGHT)
    base = linear_encoder(slope, np.diag(covariance))

    def encode(inputs: list[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        x, label = inputs
        return base(x - tf.reshape(label @ tf.constant(OFF[:, None], tf.float32), [-1, 1, 1, 1]))

    model, x = make(UPRIGHT, encode, **CONDITIONAL), pictures(5)
    labels = np.array([0, 1, 0, 1, -1])
    shifts = np.array([OFF[0], OFF[1], OFF[0], OFF[1], 0.0])
    evidence = stats.multivariate_normal(np.zeros(VALUES), model.covariance).logpdf(x - MU - shifts[:, None])
    noise = tf.random.stateless_normal([5, 3, DIM], seed=[0, 1])
    bound = model.vae.importance_weighted(as_pictures(x), noise, tf.constant(labels))
    np.testing.assert_allclose(bound, evidence, atol=2e-3)
