"""What the latent code says: known answers, bounds and the sum that must come out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from trainer.losses import kl_to_standard_normal, log_normal
from trainer.metrics import posterior
from trainer.metrics.posterior import active_units, code_information, kl_per_dimension, log_aggregate


def posteriors(n: int, d: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Means and log-variances of some posteriors, float32 [n, d]."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)).astype(np.float32), rng.uniform(-3, 0, (n, d)).astype(np.float32)


def test_kl_per_dimension_is_that_of_the_loss() -> None:
    mean, log_variance = posteriors(50)
    np.testing.assert_allclose(
        kl_per_dimension(mean, log_variance), tf.reduce_mean(kl_to_standard_normal(mean, log_variance), axis=0), rtol=1e-5
    )
    np.testing.assert_array_equal(kl_per_dimension(np.zeros((4, 2)), np.zeros((4, 2))), [0, 0])


def test_active_units_vary_from_picture_to_picture() -> None:
    mean = np.stack([np.full(100, 5.0), np.linspace(-1, 1, 100), np.linspace(-0.1, 0.1, 100)], axis=1)
    assert active_units(mean) == 1  # a constant, however far from 0, says nothing of a picture
    assert active_units(mean, threshold=1e-3) == 2


def test_parts_add_up_to_the_divergence() -> None:
    mean, log_variance = posteriors(300)
    found = code_information(mean, log_variance)
    assert found.kl == pytest.approx(kl_per_dimension(mean, log_variance).sum())
    assert found.mutual_information + found.marginal_kl == pytest.approx(found.kl)
    assert found.pictures == 300


def test_codes_that_all_look_alike_say_nothing() -> None:
    found = code_information(np.full((200, 2), 3.0), np.full((200, 2), -1.0))
    assert found.mutual_information == pytest.approx(0, abs=1e-9)
    assert found.marginal_kl == pytest.approx(found.kl)


def test_pictures_that_are_all_told_apart_reach_log_n_and_no_more() -> None:
    mean = np.arange(64)[:, np.newaxis] * 10.0
    found = code_information(mean, np.full((64, 1), -4.0))
    assert found.mutual_information == pytest.approx(math.log(64))
    many = [code_information(*posteriors(40, 6, seed)).mutual_information for seed in range(5)]
    assert max(many) <= math.log(40) + 1e-9


def test_of_pairs_of_pictures_only_the_pair_is_known() -> None:
    mean = np.repeat(np.arange(50), 2)[:, np.newaxis] * 20.0
    assert code_information(mean, np.zeros((100, 1))).mutual_information == pytest.approx(math.log(50))


def test_codes_spread_like_the_prior_leave_no_marginal_divergence() -> None:
    rng = np.random.default_rng(0)
    mean = rng.normal(0, math.sqrt(0.75), (3000, 1))  # with a variance of 0.25 around each, all together are N(0, 1)
    found = code_information(mean, np.full((3000, 1), math.log(0.25)))
    assert found.mutual_information == pytest.approx(0.5 * math.log(1 / 0.25), abs=0.03)
    assert found.marginal_kl == pytest.approx(0, abs=0.03)


def test_another_prior() -> None:
    mean, log_variance = posteriors(2000)
    prior = lambda z: log_normal(tf.constant(z))
    exact, estimated = code_information(mean, log_variance), code_information(mean, log_variance, log_prior=prior)
    assert estimated.kl == pytest.approx(exact.kl, abs=0.1)
    assert estimated.mutual_information == exact.mutual_information
    own = lambda z: log_aggregate(z, mean, log_variance)
    assert code_information(mean, log_variance, log_prior=own).marginal_kl == pytest.approx(0, abs=1e-4)


def test_aggregate_is_the_mixture_of_all_whatever_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    mean, log_variance = posteriors(30)
    z = posteriors(20, seed=1)[0]
    expected = tf.reduce_logsumexp(log_normal(z[:, None], mean, log_variance), axis=1) - math.log(30)
    np.testing.assert_allclose(log_aggregate(z, mean, log_variance), expected, rtol=1e-5)
    monkeypatch.setattr(posterior, "BLOCK_BYTES", 700)
    np.testing.assert_allclose(log_aggregate(z, mean, log_variance), expected, rtol=1e-5)


def test_far_and_narrow_posteriors_stay_finite() -> None:
    rng = np.random.default_rng(0)
    found = code_information(rng.normal(0, 100, (50, 4)), np.full((50, 4), -12.0))
    assert found.mutual_information == pytest.approx(math.log(50), abs=1e-6)


def test_many_pictures_are_chosen_from_by_seed() -> None:
    mean, log_variance = posteriors(200)
    found = code_information(mean, log_variance, seed=1, max_pictures=50)
    assert found.pictures == 50
    assert (
        found
        == code_information(mean, log_variance, seed=1, max_pictures=50)
        != code_information(mean, log_variance, seed=2, max_pictures=50)
    )


def test_no_pictures_at_all() -> None:
    with pytest.raises(ValueError, match="no picture"):
        code_information(np.zeros((0, 2)), np.zeros((0, 2)))
