"""The ELBO's terms against SciPy and against estimates by sampling."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from trainer.losses import ElboTerms, kl_to_standard_normal, log_normal, vae_loss

POSTERIORS = [(0.0, 0.0), (1.5, -2.0), (-3.0, 0.7), (0.2, -6.0), (0.0, 1.5)]  # mean, log-variance


@pytest.mark.parametrize(("mean", "log_variance"), POSTERIORS)
def test_kl_is_what_sampling_estimates(mean: float, log_variance: float) -> None:
    z = np.random.default_rng(0).normal(mean, np.exp(log_variance / 2), 200_000)
    log_ratio = stats.norm.logpdf(z, mean, np.exp(log_variance / 2)) - stats.norm.logpdf(z)
    closed = float(kl_to_standard_normal(tf.constant([[mean]]), tf.constant([[log_variance]]))[0, 0])
    assert closed == pytest.approx(log_ratio.mean(), abs=4 * log_ratio.std() / len(z) ** 0.5 + 1e-6)


def test_kl_is_zero_at_the_prior_and_nowhere_negative() -> None:
    assert kl_to_standard_normal(tf.zeros([1, 3]), tf.zeros([1, 3])).numpy().tolist() == [[0.0, 0.0, 0.0]]
    rng = np.random.default_rng(0)
    for size in (1e-6, 1e-4, 1e-3, 1e-2, 1.0, 10.0):  # rounding errors are largest, beside the KL, next to the prior
        log_variance = tf.constant(rng.normal(0, size, 10_000), tf.float32)
        for mean in (tf.zeros(10_000), tf.constant(rng.normal(0, size, 10_000), tf.float32)):
            assert kl_to_standard_normal(mean, log_variance).numpy().min() >= 0


def test_kl_next_to_the_prior_is_not_rounding_error() -> None:
    variances = np.array([1e-3, -1e-3, 1e-4], np.float32)
    kl = kl_to_standard_normal(tf.zeros(3), tf.constant(variances)).numpy()
    np.testing.assert_allclose(kl, 0.5 * (np.expm1(variances.astype(float)) - variances), rtol=1e-2)


def test_kl_pulls_the_posterior_to_the_prior() -> None:
    mean, log_variance = tf.constant([-2.0, -0.1, 0.0, 0.1, 2.0]), tf.constant([-3.0, 3.0, 0.0, -0.1, 0.1])
    with tf.GradientTape() as tape:
        tape.watch([mean, log_variance])
        kl = kl_to_standard_normal(mean, log_variance)
    for gradient, value in zip(tape.gradient(kl, [mean, log_variance]), (mean, log_variance)):
        assert np.sign(gradient).tolist() == np.sign(value).tolist()


def test_log_normal_is_scipys() -> None:
    rng = np.random.default_rng(0)
    z, mean, log_variance = rng.normal(0, 2, (3, 7, 5)).astype(np.float32)
    expected = stats.norm.logpdf(z, mean, np.exp(log_variance / 2)).sum(axis=1)
    np.testing.assert_allclose(log_normal(tf.constant(z), mean, log_variance), expected, rtol=1e-4)
    np.testing.assert_allclose(log_normal(tf.constant(z)), stats.norm.logpdf(z).sum(axis=1), rtol=1e-5)
    assert log_normal(tf.zeros([2, 3, 4])).shape == (2, 3)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 4.0])
def test_loss_is_reconstruction_and_weighted_kl(beta: float) -> None:
    terms = ElboTerms(reconstruction=tf.constant([10.0, 3.0]), kl=tf.constant([2.0, 0.5]))
    with tf.GradientTape() as tape:
        tape.watch(terms)
        loss = vae_loss(terms, beta)
    np.testing.assert_allclose(loss, [10.0 + 2.0 * beta, 3.0 + 0.5 * beta])
    gradients = tape.gradient(loss, terms)
    assert gradients.reconstruction.numpy().tolist() == [1.0, 1.0]
    assert (gradients.kl.numpy() if beta else np.zeros(2)).tolist() == [beta, beta]


def test_the_negative_elbo_is_the_loss_at_weight_one() -> None:
    terms = ElboTerms(reconstruction=tf.constant([10.0, 3.0]), kl=tf.constant([2.0, 0.5]))
    np.testing.assert_allclose(-terms.elbo, vae_loss(terms, 1.0))
