"""The bounds against numerical integration over the latent space, and all that a model is asked."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

import trainer.vae
from tests.trainer.tiny import CONDITIONAL, HIERARCHICAL, MODEL, VAMPPRIOR, make_vae
from trainer.losses import ElboTerms, log_normal
from trainer.networks import NETWORKS
from trainer.sampling import example_keys, keyed_normal
from trainer.vae import UNLABELLED, VAE, TrainingData

DRAWS = 2000
TWO_LEVELS = {**HIERARCHICAL, "latent_dim": 2, "top_latent_dim": 1}
VARIANTS = {
    "one level": {"latent_dim": 1},
    "vampprior": {"latent_dim": 1, **VAMPPRIOR},
    "conditional": {"latent_dim": 1, **CONDITIONAL},
    "two levels": TWO_LEVELS,
    "all together": {**TWO_LEVELS, **VAMPPRIOR, **CONDITIONAL},
}


@dataclass(frozen=True)
class Case:
    """A model of 3x3 pictures whose posterior is a poor guess, and the codes over which its evidence is summed.

    Attributes:
        vae: The model.
        codes: A grid over the latent space, float64 [grid, d].
        log_weights: log p(z) dz at each of them, by SciPy; of a conditional model log p(z|y) dz.
        label: The label of its pictures, if it is conditional.
    """

    vae: VAE
    codes: np.ndarray
    log_weights: np.ndarray
    label: int | None

    def labels(self, count: int) -> tf.Tensor | None:
        return None if self.label is None else tf.fill([count], self.label)

    def log_prob_on_grid(self, pictures: tf.Tensor) -> np.ndarray:
        """log p(x|z) for every picture and every z of the grid, by SciPy: float64 [n, grid]."""
        z = tf.constant(self.codes, tf.float32)
        logits = self.vae.decode(z, self.labels(len(z))).numpy().astype(float).reshape(len(z), -1)
        x = pictures.numpy().reshape(len(pictures), -1)
        return x @ special.log_expit(logits).T + (1 - x) @ special.log_expit(-logits).T

    def log_evidence(self, pictures: tf.Tensor) -> np.ndarray:
        """log p(x) by the sum over the grid: float64 [n]."""
        return special.logsumexp(self.log_prob_on_grid(pictures) + self.log_weights, axis=1)

    def elbo_terms(self, picture: tf.Tensor) -> ElboTerms:
        return self.vae.elbo_terms(many(picture), normal(DRAWS, self.vae.latent_dim), self.labels(DRAWS))

    def bound(self, picture: tf.Tensor, samples: int, draws: int = DRAWS) -> np.ndarray:
        """Independent estimates of the importance-weighted bound of one picture, [draws]."""
        noise = normal(draws, samples, self.vae.latent_dim, seed=samples)
        return self.compiled_bound(many(picture, draws), noise, tf.fill([draws], self.label or 0)).numpy()

    @functools.cached_property
    def compiled_bound(self) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]:
        pictures, noise = tf.TensorSpec([None, 3, 3, 1]), tf.TensorSpec([None, None, self.vae.latent_dim])
        specs = [pictures, noise, tf.TensorSpec([None], tf.int32)]
        return tf.function(self.vae.importance_weighted, input_signature=specs)


def make_case(model: dict[str, object], shape: tuple[int, int, int] = (3, 3, 1)) -> Case:
    vae = make_vae(shape, spread=0.4, seed=1, **model)
    top, low = vae.top_dim, vae.latent_dim - vae.top_dim
    axis = np.linspace(*((-9, 9) if low else (-12, 12)), 121 if low else 4801)
    codes = np.stack([part.ravel() for part in np.meshgrid(*[axis] * (top + low), indexing="ij")], axis=1)
    upper = stats.norm.logpdf(codes[:, 0])
    if "prior" in model:
        pseudo = special.expit(vae.prior.pseudo_inputs.numpy())
        means, log_variances = (part.numpy()[:, :top] for part in vae.encode(tf.constant(pseudo)))
        parts = stats.norm.logpdf(codes[:, :1], means[:, 0], np.exp(log_variances[:, 0] / 2))
        weights = special.softmax(vae.prior.label_logits.numpy()[1]) if vae.labels else np.full(len(means), 1 / len(means))
        upper = special.logsumexp(parts, axis=1, b=weights)
    lower = stats.norm.logpdf(codes[:, 1:]).sum(axis=1)
    log_weights = upper + lower + (top + low) * np.log(axis[1] - axis[0])
    return Case(vae, codes, log_weights, 1 if vae.labels else None)


@pytest.fixture(scope="module", params=VARIANTS, name="case")
def _case(request: pytest.FixtureRequest) -> Case:
    return make_case(VARIANTS[request.param])


@pytest.fixture(scope="module")
def vae() -> VAE:
    """A model of one latent dimension."""
    return make_vae((3, 3, 1), spread=0.4, seed=1, latent_dim=1)


def binary(count: int) -> tf.Tensor:
    return tf.constant(np.random.default_rng(5).integers(0, 2, (count, 3, 3, 1)), tf.float32)


def every_binary(*shape: int) -> tf.Tensor:
    return tf.reshape(tf.constant(list(itertools.product([0.0, 1.0], repeat=int(np.prod(shape))))), [-1, *shape])


def normal(*shape: int, seed: int = 0) -> tf.Tensor:
    return tf.random.stateless_normal(shape, seed=[seed, 1])


def many(picture: tf.Tensor, count: int = DRAWS) -> tf.Tensor:
    return tf.repeat(picture[None], count, axis=0)


def test_elbo_terms_are_what_integration_gives(vae: VAE) -> None:
    case = make_case(VARIANTS["one level"])
    grid, step = case.codes[:, 0], case.codes[1, 0] - case.codes[0, 0]
    for picture in binary(3):
        mean, log_variance = (float(value[0, 0]) for value in vae.encode(picture[None]))
        posterior = stats.norm(mean, np.exp(log_variance / 2))
        weights = posterior.pdf(grid) * step
        reconstruction = -(case.log_prob_on_grid(picture[None])[0] * weights).sum()
        kl = ((posterior.logpdf(grid) - stats.norm.logpdf(grid)) * weights).sum()
        terms = vae.elbo_terms(many(picture), normal(DRAWS, 1))
        error = terms.reconstruction.numpy().std() / DRAWS**0.5
        assert terms.reconstruction.numpy().mean() == pytest.approx(reconstruction, abs=4 * error + 1e-4)
        np.testing.assert_allclose(terms.kl, kl, rtol=1e-4)
        np.testing.assert_allclose(terms.kl_per_dimension, np.full((DRAWS, 1), kl), rtol=1e-4)


def test_bounds_rise_with_samples_towards_the_evidence(case: Case) -> None:
    pictures = binary(2)
    for picture, evidence in zip(pictures, case.log_evidence(pictures)):
        estimates = [case.elbo_terms(picture).elbo.numpy(), *(case.bound(picture, samples) for samples in (1, 5, 50))]
        elbo, one, five, fifty = (estimate.mean() for estimate in estimates)
        errors = [estimate.std() / DRAWS**0.5 for estimate in estimates]
        assert one == pytest.approx(elbo, abs=4 * np.hypot(errors[0], errors[1])), "with one sample it is the ELBO"
        assert elbo < five < fifty
        assert fifty <= evidence + 4 * errors[3]
        assert evidence - elbo > 0.02, "a posterior that is no guess would show nothing"
        assert evidence - fifty < 0.25 * (evidence - elbo)
        assert case.bound(picture, 3000, draws=5).mean() == pytest.approx(evidence, abs=0.05)


def test_the_model_is_a_distribution_over_binary_pictures(case: Case) -> None:
    assert special.logsumexp(case.log_evidence(every_binary(3, 3, 1))) == pytest.approx(0, abs=1e-3)


def test_log_prior_is_the_prior_of_both_levels(case: Case) -> None:
    at = np.random.default_rng(0).choice(len(case.codes), 50)
    volume = case.vae.latent_dim * np.log(case.codes[1, -1] - case.codes[0, -1])
    near = at[np.abs(case.codes[at]).max(axis=1) < 6]
    expected = case.log_weights[near] - volume
    found = case.vae.log_prior(tf.constant(case.codes[near], tf.float32), case.labels(len(near)))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_new_codes_are_the_priors(case: Case) -> None:
    """Distributions of the draws, of either level, against sums over the grid; and levels do not depend on one another."""
    codes = case.vae.draw_codes(normal(20_000, case.vae.latent_dim), tf.constant([1, 2]), case.labels(20_000)).numpy()
    for dimension in range(case.vae.latent_dim):
        values, cells = np.unique(case.codes[:, dimension], return_inverse=True)
        total = np.cumsum(np.bincount(cells, np.exp(case.log_weights)))  # up to half a cell above the value
        ends = values + 0.5 * (values[1] - values[0])
        assert stats.kstest(codes[:, dimension], lambda z, x=ends, y=total: np.interp(z, x, y)).statistic < 0.015
    if case.vae.latent_dim == 2:
        assert abs(np.corrcoef(codes.T)[0, 1]) < 0.03


def test_the_elbo_is_the_evidence_where_the_posterior_is_exact() -> None:
    """A decoder that pays no heed to its code: the prior is the posterior, and every bound is log p(x)."""
    for model in (VARIANTS["one level"], TWO_LEVELS):
        vae = make_vae((3, 3, 1), **model)
        vae.set_weights([np.zeros_like(weight) for weight in vae.get_weights()])
        x, evidence = binary(4), np.full(4, 9 * np.log(0.5))
        np.testing.assert_allclose(vae.elbo_terms(x, normal(4, vae.latent_dim)).elbo, evidence, rtol=1e-6)
        np.testing.assert_allclose(vae.importance_weighted(x, normal(4, 3, vae.latent_dim)), evidence, rtol=1e-6)


def test_a_bound_of_many_samples_encodes_the_priors_components_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer.vae, "ROWS", 4)
    vae, calls = make_vae(spread=0.2, **VAMPPRIOR), []
    components = vae.prior.components
    monkeypatch.setattr(vae.prior, "components", lambda: calls.append(1) or components())
    bound = vae.importance_weighted(tf.round(tf.random.stateless_uniform([4, 8, 8, 1], seed=[0, 1])), normal(4, 20, vae.latent_dim))
    assert len(calls) == 1 and np.isfinite(bound).all()


@pytest.mark.parametrize("binarisation", ["none", "dynamic"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_bound_is_the_mean_of_the_samples_weights(variant: str, binarisation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sample by sample, each from its own decoding; blocks of two, the last of one."""
    monkeypatch.setattr(trainer.vae, "ROWS", 8)
    vae = make_vae((3, 3, 1), spread=0.4, seed=1, **VARIANTS[variant], binarisation=binarisation)
    x, noise, labels = binary(3), normal(3, 7, vae.latent_dim), tf.constant([1, 0, UNLABELLED]) if vae.labels else None
    log_weights = []
    for k in range(7):
        q = vae.sample_posterior(x, noise[:, k], labels)
        log_prob = vae.likelihood.log_prob(x, vae.decode(q.z, labels))
        log_weights.append(log_prob + vae.log_prior(q.z, labels) - log_normal(q.z, q.mean, q.log_variance))
    expected = special.logsumexp(np.asarray(log_weights, float), axis=0) - np.log(7)
    np.testing.assert_allclose(vae.importance_weighted(x, noise, labels), expected, rtol=1e-5)


def test_figures_of_a_picture_do_not_depend_on_its_batch(case: Case) -> None:
    pictures, noise, labels = binary(6), normal(6, 4, case.vae.latent_dim), case.labels(1)
    together = case.vae.importance_weighted(pictures, noise, case.labels(6)).numpy()
    alone = [case.vae.importance_weighted(pictures[i : i + 1], noise[i : i + 1], labels).numpy()[0] for i in range(6)]
    np.testing.assert_allclose(together, alone, rtol=1e-4)


def test_gradients_reach_every_weight(case: Case) -> None:
    x, vae = binary(8), case.vae
    with tf.GradientTape() as tape:
        loss = -tf.reduce_sum(vae.elbo_terms(x, normal(8, vae.latent_dim), tf.constant([0, 1] * 4)).elbo)
    gradients = tape.gradient(loss, [variable.value for variable in vae.trainable_variables])
    for variable, gradient in zip(vae.trainable_variables, gradients):
        assert gradient is not None and np.abs(gradient).max() > 0, variable.path
    assert ("pseudo_inputs" in [v.path.split("/")[-1] for v in vae.trainable_variables]) == (vae.config.prior == "vampprior")


def test_codes_are_samples_of_what_encode_gives(case: Case) -> None:
    vae, top = case.vae, case.vae.top_dim
    mean, log_variance = (part.numpy()[0].astype(float) for part in vae.encode(binary(1), case.labels(1)))
    # A lower level's mean is given that of the upper: its noise alone is free.
    noise = normal(DRAWS, vae.latent_dim).numpy()
    for free, dimensions in ((noise, slice(top)), (np.where(np.arange(vae.latent_dim) < top, 0, noise), slice(top, None))):
        z = vae.sample_posterior(many(binary(1)[0]), tf.constant(free, tf.float32), case.labels(DRAWS)).z.numpy()[:, dimensions]
        deviation = np.exp(log_variance[dimensions] / 2)
        np.testing.assert_array_less(np.abs(z.mean(axis=0) - mean[dimensions]), 4 * deviation / DRAWS**0.5 + 1e-5)
        np.testing.assert_allclose(z.std(axis=0), deviation, rtol=0.06)


def test_a_lower_level_depends_on_the_upper_one() -> None:
    vae = make_vae((3, 3, 1), spread=0.4, **TWO_LEVELS)
    noise = tf.constant([[upper, 0.0] for upper in (-1.0, 0.0, 1.0)])
    q = vae.sample_posterior(many(binary(1)[0], 3), noise)
    assert len(set(q.mean[:, 0].numpy())) == 1 and len(set(q.mean[:, 1].numpy())) == 3
    np.testing.assert_allclose(q.mean[1], vae.encode(binary(1))[0][0], rtol=1e-5)


def test_decode_mean_is_the_expectation_of_the_likelihood() -> None:
    vae = make_vae((2, 2, 1), spread=0.4, labels=3, **CONDITIONAL)
    z, labels, pictures = normal(5, 2), tf.constant([0, 1, 2, UNLABELLED, 0]), every_binary(2, 2, 1)
    mean = vae.decode_mean(z, labels).numpy()
    assert mean.shape == (5, 2, 2, 1) and mean.min() >= 0 and mean.max() <= 1
    parameters = vae.decode(z, labels)
    for one, expected in zip(parameters, mean):
        weights = np.exp(vae.likelihood.log_prob(pictures, many(one, len(pictures))))
        np.testing.assert_allclose(np.tensordot(weights, pictures, 1), expected, rtol=1e-4)


LABELLED = {"labels": 3, **CONDITIONAL}


@pytest.mark.parametrize("network", NETWORKS)
def test_labels_change_codes_pictures_and_bounds(network: str) -> None:
    vae = make_vae((3, 3, 1), spread=0.2, network=network, latent_dim=2, top_latent_dim=1, latent_channels=2, **LABELLED)
    x, z, labels = many(binary(1)[0], 4), many(normal(2), 4), tf.constant([0, 1, 2, UNLABELLED])
    noise = many(normal(5, 2), 4)
    for answer in (
        vae.encode(x, labels)[0],
        tf.reshape(vae.decode_mean(z, labels), [4, -1]),
        vae.elbo_terms(x, noise[:, 0], labels).elbo[:, None],
        vae.importance_weighted(x, noise, labels)[:, None],
    ):
        assert len(np.unique(np.round(answer.numpy(), 6), axis=0)) == 4


def test_no_label_is_no_label_however_it_is_said() -> None:
    vae = make_vae((3, 3, 1), spread=0.3, **LABELLED)
    x, z, unlabelled = binary(4), normal(4, 2), tf.fill([4], UNLABELLED)
    for ask in (
        lambda *labels: vae.encode(x, *labels)[0],
        lambda *labels: vae.decode(z, *labels),
        lambda *labels: vae.elbo_terms(x, z, *labels).elbo,
        lambda *labels: vae.importance_weighted(x, z[:, None], *labels),
    ):
        np.testing.assert_allclose(ask(), ask(unlabelled), rtol=1e-5)
        np.testing.assert_allclose(ask(None), ask(unlabelled), rtol=1e-5)
    np.testing.assert_allclose(vae.decode(z), vae.decoder([z, tf.zeros([4, 3])]), rtol=1e-5)


def test_the_likeliest_label_is_that_of_the_highest_elbo() -> None:
    vae, x = make_vae((3, 3, 1), spread=0.5, **LABELLED), binary(40)
    elbos = [vae.elbo_terms(x, tf.zeros([40, 2]), tf.fill([40], label)).elbo for label in range(3)]
    found = vae.infer_labels(x)
    assert found.dtype == tf.int32 and len(set(found.numpy())) > 1
    np.testing.assert_array_equal(found, np.argmax(elbos, axis=0))
    np.testing.assert_array_equal(tf.concat([vae.infer_labels(x[:1]), vae.infer_labels(x[1:])], axis=0), found)
    assert vae.infer_labels(x[:0]).shape == (0,)


def test_shares_of_labels_lead_from_one_to_another() -> None:
    vae, z = make_vae((3, 3, 1), spread=0.3, **LABELLED), many(normal(2), 5)
    way = tf.linspace(tf.one_hot(0, 3), tf.one_hot(2, 3), 5)
    pictures = vae.decode_mean(z, way).numpy()
    np.testing.assert_allclose(pictures[[0, -1]], vae.decode_mean(z[:2], tf.constant([0, 2])), rtol=1e-5)
    steps = np.abs(np.diff(pictures, axis=0)).max(axis=(1, 2, 3))
    assert (steps > 1e-4).all() and steps.max() < 0.8 * np.abs(pictures[-1] - pictures[0]).max()


def test_a_model_without_labels_does_not_look_at_them() -> None:
    vae = make_vae((3, 3, 1), spread=0.3, labels=3)
    assert vae.labels == 0
    x, z, labels = binary(4), normal(4, 2), tf.constant([0, 1, 2, 0])
    np.testing.assert_array_equal(vae.elbo_terms(x, z, labels).elbo, vae.elbo_terms(x, z).elbo)
    np.testing.assert_array_equal(vae.decode(z, labels), vae.decode(z))


def test_the_encoder_sees_the_spoilt_picture_and_the_decoder_is_judged_by_the_clean_one(case: Case) -> None:
    clean, spoilt, vae = binary(5), 1 - binary(5), case.vae
    noise, labels = normal(5, vae.latent_dim), case.labels(5)
    terms = vae.elbo_terms(clean, noise, labels, corrupted=spoilt)
    np.testing.assert_allclose(terms.kl_per_dimension, vae.elbo_terms(spoilt, noise, labels).kl_per_dimension, rtol=1e-4, atol=1e-5)
    z = vae.sample_posterior(spoilt, noise, labels).z
    expected = -vae.likelihood.log_prob(clean, vae.decode(z, labels))
    np.testing.assert_allclose(terms.reconstruction, expected, rtol=1e-4)
    assert np.abs(terms.reconstruction - vae.elbo_terms(clean, noise, labels).reconstruction).max() > 1e-3


GREYS = [0, 1, 51, 128, 200, 254, 255]


def numbered_greys(grey: int, count: int = 4000) -> np.ndarray:
    """Pictures all of one grey, uint8 [count, 4, 4, 1], but for two pixels by which no two are the same."""
    levels = np.full((count, 4, 4, 1), grey, np.uint8)
    levels[:, 0, 0, 0], levels[:, 0, 1, 0] = np.arange(count) % 250, np.arange(count) // 250
    return levels


@pytest.mark.parametrize("grey", GREYS)
def test_binarised_pictures_are_black_and_white_and_as_grey_in_the_mean(grey: int) -> None:
    vae = make_vae((4, 4, 1), binarisation="dynamic")
    seen = vae.observe(tf.constant(numbered_greys(grey))).numpy()
    assert set(np.unique(seen)) <= {0.0, 1.0}
    values = seen[:, 1:].ravel()
    if grey in (0, 255):
        assert set(values) == {grey / 255}
    else:
        assert stats.binomtest(int(values.sum()), len(values), grey / 255).pvalue > 1e-4


def test_a_picture_is_always_binarised_in_the_same_way() -> None:
    vae = make_vae((4, 4, 1), binarisation="dynamic")
    levels = numbered_greys(128, 50)
    seen = vae.observe(tf.constant(levels)).numpy()
    np.testing.assert_array_equal(vae.observe(tf.constant(levels)), seen)
    np.testing.assert_array_equal(vae.observe(tf.constant(levels[::-1]))[::-1], seen)
    np.testing.assert_array_equal(vae.observe(tf.constant(levels[7:8]))[0], seen[7])
    np.testing.assert_array_equal(make_vae((4, 4, 1), seed=9, binarisation="dynamic").observe(levels), seen)
    assert len(np.unique(seen[:, 1:].reshape(50, -1), axis=0)) > 45, "other pictures differ in other pixels as well"


def test_binarisation_knows_nothing_of_the_noise_of_codes() -> None:
    levels = tf.constant(numbered_greys(128))
    seen = make_vae((4, 4, 1), binarisation="dynamic").observe(levels).numpy()[:, 1:].reshape(4000, -1)
    noise = keyed_normal(example_keys(levels), (16,)).numpy()
    between = np.corrcoef(seen.T, noise.T)[: seen.shape[1], seen.shape[1] :]
    assert np.abs(between).max() < 5 * 4000**-0.5


def test_other_models_see_grey() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 4, 4, 1)
    np.testing.assert_allclose(make_vae((4, 4, 1)).observe(tf.constant(levels)), levels / 255.0, rtol=1e-6)


LIKELIHOODS = ["bernoulli", "continuous_bernoulli", "gaussian", "discretized_logistic_mixture"]


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("shape", [(4, 5, 1), (4, 5, 3)], ids=str)
def test_every_likelihood_has_bounds_pictures_and_gradients(likelihood: str, shape: tuple[int, int, int]) -> None:
    vae = make_vae(shape, spread=0.1, likelihood=likelihood)
    x = vae.observe(tf.constant(np.random.default_rng(0).integers(0, 256, (6, *shape), np.uint8)))
    with tf.GradientTape() as tape:
        elbo = vae.elbo_terms(x, normal(6, 2), training=True).elbo
    gradients = tape.gradient(elbo, [variable.value for variable in vae.trainable_variables])
    assert all(gradient is not None and np.isfinite(gradient).all() for gradient in gradients)
    assert np.isfinite(elbo).all() and np.isfinite(vae.importance_weighted(x, normal(6, 3, 2))).all()
    mean = vae.decode_mean(normal(6, 2)).numpy()
    assert mean.shape == (6, *shape) and mean.min() >= 0 and mean.max() <= 1


@pytest.mark.parametrize("network", NETWORKS)
def test_an_untrained_decoder_gives_nearly_the_mean_picture_and_gains_nothing(network: str) -> None:
    keras.utils.set_random_seed(0)
    mean_picture = np.random.default_rng(0).random((6, 5, 3)).astype(np.float32)
    mean_picture[0] = 0.0
    config = dataclasses.replace(MODEL, network=network, top_latent_dim=1)
    vae = VAE(config, (6, 5, 3), TrainingData(mean_picture, mean_picture, mean_picture[None]))
    images = vae.decode_mean(normal(200, vae.latent_dim)).numpy()
    off = np.abs(images - np.clip(mean_picture, 0.01, 0.99))
    assert off.max() < 0.3 and off.mean() < 0.03
    x = np.random.default_rng(1).random((50, 6, 5, 3)).astype(np.float32)
    gain = vae.gain(x, vae.elbo_terms(x, normal(50, vae.latent_dim)).elbo).numpy()
    assert gain.shape == (50,) and abs(gain.mean()) < 0.01 * 6 * 5 * 3


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_mean_pictures_own_elbo_gains_exactly_nothing(likelihood: str) -> None:
    """Also once training has changed the likelihood's own weights."""
    mean_picture = np.random.default_rng(0).uniform(0.05, 0.95, (3, 3, 1)).astype(np.float32)
    data = TrainingData(mean_picture, np.full((3, 3, 1), 0.1, np.float32), mean_picture[None])
    vae = VAE(dataclasses.replace(MODEL, likelihood=likelihood), (3, 3, 1), data)
    for network in (vae.encoder, vae.decoder):  # the bias alone
        network.set_weights([weight if weight.ndim == 3 else 0 * weight for weight in network.get_weights()])
    x = binary(10)
    elbo = vae.elbo_terms(x, normal(10, vae.latent_dim)).elbo
    if likelihood == "bernoulli":
        np.testing.assert_allclose(elbo, stats.bernoulli.logpmf(x, mean_picture).sum(axis=(1, 2, 3)), rtol=1e-5)
    gain = vae.gain(x, elbo).numpy()
    np.testing.assert_allclose(gain, 0, atol=1e-4)
    np.testing.assert_allclose(vae.gain(x, elbo + 2.5), 2.5, atol=1e-4)
    for weight in vae.likelihood.weights:
        weight.assign(weight + 0.1)
    np.testing.assert_allclose(vae.gain(x, elbo), gain, atol=1e-4)
