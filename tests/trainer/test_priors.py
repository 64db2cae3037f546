"""Priors against SciPy and numerical integration, and the mixture that is fitted to codes."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from trainer.losses import kl_to_standard_normal, log_normal
from trainer.priors import LabelUnits, Mixture, StandardNormal, VampPrior, components_encoded

GRID = np.linspace(-10, 10, 2001)
SEED = tf.constant([3, 1], tf.int64)
DRAWS = 40_000


def encode(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """An encoder whose codes and spreads are spelt out by the picture: [K, 1, d, 1] -> each [K, d]."""
    values = 8.0 * (x[:, 0, :, 0] - 0.5)
    return values, 0.4 * tf.sin(2.0 * values) - 1.0


def vampprior(components: int, dim: int) -> VampPrior:
    pictures = np.random.default_rng(components).random((components, 1, dim, 1)).astype(np.float32)
    return VampPrior(pictures, encode)


def log_density(prior: VampPrior, z: np.ndarray) -> np.ndarray:
    """The mixture's, by SciPy: z [n, d] -> [n]."""
    parts = [
        stats.multivariate_normal(mean, np.diag(np.exp(log_variance))).pdf(z)
        for mean, log_variance in zip(*(part.numpy().astype(float) for part in prior.components()))
    ]
    return np.log(np.mean(parts, axis=0))


def normal(*shape: int, seed: int = 0) -> tf.Tensor:
    return tf.random.stateless_normal(shape, seed=[seed, 7])


def test_the_standard_normal_is_scipys_and_its_draws_are_the_noise() -> None:
    z = normal(50, 3)
    np.testing.assert_allclose(StandardNormal().log_prob(z), stats.norm.logpdf(z).sum(axis=1), rtol=1e-5)
    np.testing.assert_array_equal(StandardNormal().draw(z, SEED), z)


@pytest.mark.parametrize(("components", "dim"), [(1, 1), (2, 1), (7, 2), (30, 5)])
def test_the_vampprior_is_the_mixture_of_its_components_posteriors(components: int, dim: int) -> None:
    prior = vampprior(components, dim)
    z = 3.0 * normal(200, dim)
    np.testing.assert_allclose(prior.log_prob(z), log_density(prior, z.numpy()), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("log_variance", [-7.0, -4.0, 0.0, 4.0])
def test_densities_of_narrow_and_wide_components_are_not_rounding_error(log_variance: float) -> None:
    """Also where components lie far from 0, as posteriors of well-known pictures do."""
    means = np.random.default_rng(0).normal(0, 3, (20, 8)).astype(np.float32)
    prior = VampPrior(means[:, None, :, None], lambda x: (tf.constant(means), tf.fill(means.shape, log_variance)))
    z = means + np.exp(log_variance / 2) * normal(20, 8).numpy()
    parts = [stats.norm.logpdf(z, mean, np.exp(log_variance / 2)).sum(axis=1) for mean in means.astype(float)]
    expected = np.logaddexp.reduce(parts) - np.log(20)
    np.testing.assert_allclose(prior.log_prob(tf.constant(z)), expected, atol=0.05)


def test_components_are_encoded_once_for_a_model_that_no_longer_changes() -> None:
    calls = []
    pictures = np.random.default_rng(3).random((5, 1, 2, 1)).astype(np.float32)
    prior, other, z = VampPrior(pictures, lambda x: calls.append(1) or encode(x)), vampprior(4, 2), normal(20, 2)
    expected = prior.log_prob(z), prior.draw(z, SEED), other.log_prob(z)
    calls.clear()
    with components_encoded(prior):
        found = tf.function(prior.log_prob)(z), prior.draw(z, SEED), other.log_prob(z)
        prior.pseudo_inputs.assign(tf.zeros_like(prior.pseudo_inputs.value))
        np.testing.assert_allclose(prior.log_prob(z), found[0], rtol=1e-5)
    assert len(calls) == 1
    for ours, theirs in zip(found, expected):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    assert np.abs(prior.log_prob(z) - found[0]).max() > 0.1, "weights count again"
    with components_encoded(StandardNormal()):
        pass


def test_the_vamppriors_density_integrates_to_one() -> None:
    z = tf.constant(GRID[:, None], tf.float32)
    for components in (1, 5):
        total = np.exp(vampprior(components, 1).log_prob(z).numpy().astype(float)).sum() * (GRID[1] - GRID[0])
        assert total == pytest.approx(1, abs=1e-4)


def test_the_estimate_of_the_kl_divergence_is_unbiased() -> None:
    prior = vampprior(3, 1)
    for mean, log_variance in ((0.0, 0.0), (1.5, -2.0), (-3.0, 0.7)):
        q = stats.norm(mean, np.exp(log_variance / 2))
        density = q.pdf(GRID) * (GRID[1] - GRID[0])
        exact = (density * (q.logpdf(GRID) - log_density(prior, GRID[:, None]))).sum()
        noise = normal(DRAWS, 1)
        means, log_variances = tf.fill([DRAWS, 1], mean), tf.fill([DRAWS, 1], log_variance)
        estimates = prior.kl(means, log_variances, means + tf.exp(0.5 * log_variances) * noise).numpy()
        assert estimates.mean() == pytest.approx(exact, abs=4 * estimates.std() / DRAWS**0.5 + 1e-4)


def test_no_divergence_from_a_prior_of_one_component_to_itself() -> None:
    prior = vampprior(1, 4)
    mean, log_variance = prior.components()
    kl = prior.kl(mean, log_variance, mean + tf.exp(0.5 * log_variance) * normal(1, 4)).numpy()
    np.testing.assert_allclose(kl, 0, atol=1e-5)


def test_the_estimate_is_spread_over_dimensions_and_its_sum_is_the_log_ratio() -> None:
    prior, mean, log_variance, z = vampprior(5, 3), normal(9, 3), normal(9, 3, seed=1), normal(9, 3, seed=2)
    kl = prior.kl(mean, log_variance, z).numpy()
    ratio = stats.norm.logpdf(z, mean, np.exp(0.5 * log_variance)).sum(axis=1) - log_density(prior, z.numpy())
    assert kl.shape == (9, 3)
    np.testing.assert_allclose(kl.sum(axis=1), ratio, rtol=1e-3, atol=1e-3)


def test_draws_follow_the_vamppriors_density() -> None:
    prior = vampprior(4, 2)
    draws = prior.draw(normal(DRAWS, 2), SEED).numpy()
    means, log_variances = (part.numpy().astype(float) for part in prior.components())
    deviations = np.exp(log_variances / 2)
    for axis in range(2):

        def distribution(z: np.ndarray, axis: int = axis) -> np.ndarray:
            return stats.norm.cdf(z[:, None], means[:, axis], deviations[:, axis]).mean(axis=1)

        assert stats.kstest(draws[:, axis], distribution).pvalue > 1e-3
    np.testing.assert_allclose(np.cov(draws.T), np.cov(means.T, bias=True) + np.diag(np.mean(deviations**2, 0)), atol=0.1)


def test_gradients_reach_pseudo_inputs_and_they_stay_pictures() -> None:
    prior = vampprior(5, 3)
    codes = 3.0 * normal(200, 3)
    optimizer, found = keras.optimizers.Adam(0.1), []
    for _ in range(60):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(prior.log_prob(codes))
        (gradient,) = tape.gradient(loss, [prior.pseudo_inputs.value])
        assert np.abs(gradient).max(axis=(1, 2, 3)).min() > 0
        optimizer.apply([gradient], [prior.pseudo_inputs])
        found.append(float(loss))
    assert found[-1] < found[0] - 1, "the mixture goes to where codes are"
    pictures = tf.sigmoid(prior.pseudo_inputs).numpy()
    assert pictures.min() >= 0 and pictures.max() <= 1


def test_pseudo_inputs_start_as_the_pictures_given() -> None:
    pictures = np.array([0.0, 0.02, 0.3, 0.98, 1.0], np.float32).reshape(1, 1, 5, 1)
    prior = VampPrior(pictures, encode)
    np.testing.assert_allclose(tf.sigmoid(prior.pseudo_inputs), np.clip(pictures, 0.02, 0.98), rtol=1e-5)
    assert len(prior.trainable_variables) == 1


WEIGHTS = np.array([0.6, 0.3, 0.1])
MEANS = np.array([[-4.0, 0.0], [4.0, 1.0], [0.0, 6.0]])
COVARIANCES = np.array([[[1.0, 0.6], [0.6, 0.5]], [[0.3, 0.0], [0.0, 2.0]], [[0.5, -0.3], [-0.3, 0.4]]])


@pytest.fixture(scope="module")
def codes() -> np.ndarray:
    """Draws from the mixture of the constants above, by NumPy."""
    rng = np.random.default_rng(0)
    counts = rng.multinomial(6000, WEIGHTS)
    return np.concatenate([rng.multivariate_normal(*part) for part in zip(MEANS, COVARIANCES, counts)])


def test_a_known_mixture_is_found_again(codes: np.ndarray) -> None:
    found = Mixture.fit(codes, components=3, seed=0)
    order = [np.argmin(np.linalg.norm(found.means.numpy() - mean, axis=1)) for mean in MEANS]
    assert sorted(order) == [0, 1, 2]
    np.testing.assert_allclose(np.exp(found.log_weights.numpy())[order], WEIGHTS, atol=0.03)
    np.testing.assert_allclose(found.means.numpy()[order], MEANS, atol=0.15)
    factors = found.factors.numpy()[order]
    np.testing.assert_allclose(factors @ factors.transpose(0, 2, 1), COVARIANCES, atol=0.2)


def test_draws_have_the_mixtures_moments() -> None:
    draws = Mixture(WEIGHTS, MEANS, COVARIANCES).draw(normal(DRAWS, 2), SEED).numpy()
    mean = WEIGHTS @ MEANS
    apart = MEANS - mean
    covariance = np.einsum("k,kij->ij", WEIGHTS, COVARIANCES + apart[:, :, None] * apart[:, None, :])
    np.testing.assert_array_less(np.abs(draws.mean(axis=0) - mean), 4 * np.sqrt(np.diag(covariance) / DRAWS))
    np.testing.assert_allclose(np.cov(draws.T), covariance, rtol=0.03, atol=0.1)
    nearest = np.argmin(np.linalg.norm(draws[:, None] - MEANS, axis=2), axis=1)
    np.testing.assert_allclose(np.bincount(nearest) / DRAWS, WEIGHTS, atol=0.02)
    for component in range(3):  # within a component covariances are its own, correlations and all
        np.testing.assert_allclose(np.cov(draws[nearest == component].T), COVARIANCES[component], atol=0.1)


@pytest.mark.parametrize(("count", "components"), [(2, 10), (5, 1), (7, 10), (100, 10)])
def test_few_codes_make_fewer_components(count: int, components: int) -> None:
    few = np.random.default_rng(1).normal(5.0, 0.1, (count, 2))
    mixture = Mixture.fit(few, components, seed=0)
    assert 1 <= len(mixture.means) <= max(1, count // 6) and len(mixture.means) <= components
    draws = mixture.draw(normal(500, 2), SEED).numpy()
    assert np.isfinite(draws).all() and np.abs(draws - 5.0).max() < 1.5


def test_codes_that_fill_no_space_are_drawn_in_the_plane_they_fill() -> None:
    """A dimension that is always 0, two that are always equal, and as many equal codes as you like."""
    rng = np.random.default_rng(0)
    line = rng.normal(0, 1, 500)
    flat = np.stack([line, line, np.zeros(500)], axis=1)
    draws = Mixture.fit(flat, components=4, seed=0).draw(normal(2000, 3), SEED).numpy()
    assert np.isfinite(draws).all()
    assert np.abs(draws[:, 2]).max() < 0.1 and np.abs(draws[:, 0] - draws[:, 1]).max() < 0.1
    assert draws[:, 0].std() == pytest.approx(line.std(), rel=0.1)
    same = Mixture.fit(np.ones((50, 3)), components=4, seed=0).draw(normal(10, 3), SEED).numpy()
    np.testing.assert_allclose(same, 1.0, atol=0.1)


def test_the_fit_is_repeated_by_its_seed(codes: np.ndarray) -> None:
    one, again = (Mixture.fit(codes[::10], components=6, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.means, again.means)
    np.testing.assert_array_equal(one.factors, again.factors)


def priors() -> list[VampPrior | Mixture]:
    return [vampprior(5, 2), Mixture(WEIGHTS, MEANS, COVARIANCES)]


@pytest.mark.parametrize("prior", priors(), ids=lambda prior: type(prior).__name__)
def test_same_seed_same_draw_and_more_draws_begin_with_the_same(prior: VampPrior | Mixture) -> None:
    noise = normal(1000, 2)
    many = prior.draw(noise, SEED).numpy()
    np.testing.assert_array_equal(prior.draw(noise, SEED), many)
    for count in (1, 2, 3, 64, 999):
        np.testing.assert_allclose(prior.draw(noise[:count], SEED), many[:count], rtol=1e-5, atol=1e-5)
    other = prior.draw(noise, tf.constant([4, 1], tf.int64)).numpy()
    assert (np.abs(other - many).max(axis=1) > 1e-3).mean() > 0.2, "other components"


@pytest.mark.parametrize("prior", priors(), ids=lambda prior: type(prior).__name__)
def test_without_noise_draws_are_components_means(prior: VampPrior | Mixture) -> None:
    means = (prior.components()[0] if isinstance(prior, VampPrior) else prior.means).numpy()
    draws = prior.draw(tf.zeros([200, 2]), SEED).numpy()
    apart = np.abs(draws[:, None] - means[None]).max(axis=2)
    assert apart.min(axis=1).max() < 1e-5 and len(set(apart.argmin(axis=1))) == len(means)


def label_units(labels: int, dim: int) -> LabelUnits:
    units = LabelUnits(labels, dim)
    units.set_weights([np.random.default_rng(0).normal(0, 1.5, weight.shape) for weight in units.get_weights()])
    return units


def test_in_a_labels_units_its_prior_is_the_standard_normal() -> None:
    units, shares = label_units(3, 4), tf.one_hot([0, 2, 2, -1], 3)
    mean, log_variance = normal(4, 4), normal(4, 4, seed=1)
    shift, log_scale = (part.numpy().astype(float) for part in units._of(shares))
    own = stats.norm(shift, np.exp(log_scale))
    z = normal(4, 4, seed=2)
    np.testing.assert_allclose(units.from_units(z, shares), own.ppf(stats.norm.cdf(z.numpy().astype(float))), rtol=1e-3, atol=1e-3)
    in_units = units.to_units(mean, log_variance, shares)
    variance = np.exp(log_variance.numpy().astype(float))
    by_hand = np.log(own.std()) - 0.5 * log_variance + (variance + (mean - shift) ** 2) / (2 * own.var()) - 0.5
    np.testing.assert_allclose(kl_to_standard_normal(*in_units), by_hand, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(units.from_units(in_units[0], shares), mean, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(units.from_units(z, shares)[3], z[3], "without a label: N(0, 1)")


def test_label_units_learn_where_a_labels_codes_are() -> None:
    """The KL divergence alone draws each label's prior to its codes: their mean, and their spread."""
    units = LabelUnits(2, 1)
    labels = tf.repeat(tf.one_hot([0, 1], 2), 500, axis=0)
    mean = tf.constant(np.concatenate([np.full(500, -3.0), np.full(500, 2.0)])[:, np.newaxis], tf.float32)
    codes = mean + tf.repeat(tf.constant([[0.5], [2.0]]), 500, axis=0) * normal(1000, 1)
    optimizer = keras.optimizers.Adam(0.1)
    for _ in range(300):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(kl_to_standard_normal(*units.to_units(codes, tf.fill([1000, 1], -6.0), labels)))
        variables = units.trainable_variables
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
    drawn = units.from_units(normal(1000, 1, seed=4), labels).numpy().reshape(2, 500)
    np.testing.assert_allclose(drawn.mean(axis=1), [-3, 2], atol=0.3)
    np.testing.assert_allclose(drawn.std(axis=1), [0.5, 2], rtol=0.15)


def test_a_vampprior_has_weights_by_label() -> None:
    pictures = np.random.default_rng(4).random((4, 1, 2, 1)).astype(np.float32)
    prior = VampPrior(pictures, encode, 3, np.array([0, 1, 1, -1]))
    weights = prior.weights_of(tf.one_hot([0, 1, 2, -1], 3)).numpy()
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    assert weights[0, 0] > 0.9 and weights[1, 1:3].sum() > 0.9 and weights[1, 1] == pytest.approx(weights[1, 2])
    np.testing.assert_allclose(weights[2:], 0.25, rtol=1e-5)
    z = 3.0 * normal(50, 2)
    shares = tf.one_hot(np.arange(50) % 3, 3)
    means, log_variances = prior.components()
    each = tf.stack([log_normal(z, means[k], log_variances[k]) for k in range(4)], axis=1)
    expected = tf.reduce_logsumexp(each + tf.math.log(prior.weights_of(shares)), axis=1)
    np.testing.assert_allclose(prior.log_prob(z, shares), expected, rtol=1e-4, atol=1e-4)
    shares = tf.one_hot(tf.fill([DRAWS], 1), 3)
    draws = prior.draw(tf.zeros([DRAWS, 2]), SEED, shares).numpy()
    for k, weight in enumerate(weights[1]):
        assert np.mean(np.all(np.abs(draws - means[k].numpy()) < 1e-4, axis=1)) == pytest.approx(weight, abs=0.01)
    np.testing.assert_allclose(
        prior.draw(normal(7, 2), SEED, shares[:7]), prior.draw(normal(9, 2), SEED, shares[:9])[:7], atol=1e-5
    )


def test_a_mixture_is_drawn_from_where_a_labels_codes_were() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, -1], [500, 500, 100])
    codes = rng.normal(0, 0.3, (1100, 2)) + np.repeat([[-4.0, 0], [4.0, 0], [0, 0]], [500, 500, 100], axis=0)
    mixture = Mixture.fit(codes, components=6, seed=0, labels=labels, known=3)
    noise = normal(400, 2)
    for label, centre in ((0, -4.0), (1, 4.0)):
        draws = mixture.draw(noise, SEED, tf.one_hot(tf.fill([400], label), 3)).numpy()
        assert np.mean(np.abs(draws[:, 0] - centre) < 1.5) > 0.98
    never_seen = mixture.draw(noise, SEED, tf.one_hot(tf.fill([400], 2), 3)).numpy()
    assert np.mean(never_seen[:, 0] < -2) > 0.3 and np.mean(never_seen[:, 0] > 2) > 0.3, "as all codes"
    assert Mixture.fit(codes[:1], components=3, seed=0).draw(noise, SEED).shape == (400, 2)
