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


TERMS = ElboTerms(reconstruction=tf.constant([10.0, 3.0]), kl_per_dimension=tf.constant([[1.5, 0.5, 0.0], [0.25, 0.25, 0.0]]))


def loss_and_gradients(beta: float, free_bits: float = 0.0, terms: ElboTerms = TERMS) -> tuple[float, ElboTerms]:
    with tf.GradientTape() as tape:
        watched = (terms.reconstruction, terms.kl_per_dimension)
        tape.watch(watched)
        loss = vae_loss(terms, beta, free_bits)
    assert loss.shape == ()
    return float(loss), ElboTerms(*tape.gradient(loss, watched, unconnected_gradients="zero"))


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 4.0])
def test_loss_is_reconstruction_and_weighted_kl(beta: float) -> None:
    loss, gradients = loss_and_gradients(beta)
    assert loss == pytest.approx(13.0 + 2.5 * beta)
    assert gradients.reconstruction.numpy().tolist() == [1.0, 1.0]
    assert (gradients.kl_per_dimension.numpy() == beta).all()


def test_terms_add_up() -> None:
    assert TERMS.kl.numpy().tolist() == [2.0, 0.5]
    assert TERMS.elbo.numpy().tolist() == [-12.0, -3.5]


def test_the_negative_elbo_is_the_loss_at_weight_one() -> None:
    assert float(vae_loss(TERMS, 1.0)) == pytest.approx(-float(tf.reduce_sum(TERMS.elbo)))


@pytest.mark.parametrize("beta", [0.5, 1.0])
def test_free_bits_are_the_least_that_a_dimension_costs(beta: float) -> None:
    """Means over the batch are 0.875, 0.375 and 0 nats: only the first is above half a nat."""
    loss, gradients = loss_and_gradients(beta, free_bits=0.5)
    assert loss == pytest.approx(13.0 + beta * 2 * (0.875 + 0.5 + 0.5))
    np.testing.assert_allclose(gradients.kl_per_dimension, [[beta, 0, 0]] * 2)
    assert gradients.reconstruction.numpy().tolist() == [1.0, 1.0]


def test_free_bits_that_every_dimension_uses_change_nothing() -> None:
    used = ElboTerms(TERMS.reconstruction, TERMS.kl_per_dimension + 1.0)
    (loss, gradients), (expected, plain) = loss_and_gradients(1.0, 0.5, used), loss_and_gradients(1.0, 0.0, used)
    assert loss == pytest.approx(expected)
    np.testing.assert_allclose(gradients.kl_per_dimension, plain.kl_per_dimension)


def test_free_bits_are_of_the_batchs_mean_and_not_of_each_picture() -> None:
    """A picture that needs none of a dimension is no worse for it where others use it (Kingma et al. 2016, appendix C.8)."""
    terms = ElboTerms(tf.zeros([2]), tf.constant([[2.0], [0.0]]))
    loss, gradients = loss_and_gradients(1.0, 0.9, terms)
    assert loss == pytest.approx(2.0) and gradients.kl_per_dimension.numpy().tolist() == [[1.0], [1.0]]
