"""What the margins are for: another seed of a model is accepted every time, a crippled model is refused every time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import gaussian_filter

from components.feature_extractor import classifier
from components.model_gate.pictures import judge_pictures
from components.sample_quality.figures import Distances, Quality, Spread
from pipeline.config.eval_config import FIGURES, picture_limits
from pipeline.config.inference import TERM_MARGIN, max_drop
from pipeline.config.schema import EvaluationConfig
from tests.components.digits import read_digits
from tests.components.judged import Bench
from tests.trainer import tiny
from trainer.data import Pictures, pixel_graph
from trainer.export import Servable
from trainer.metrics.distances import frechet_distance, frechet_spread, precision_recall_density_coverage
from trainer.metrics.spectrum import high_frequency_power

pytestmark = pytest.mark.slow

SEEDS = range(1, 21)
GOOD = {"epochs": 30, "batch_size": 64, "learning_rate": 3e-3, "patience": 30}
CRIPPLED = {
    "prior only": {"beta": 100.0},
    "untrained": {"learning_rate": 1e-9},
    "one epoch": {"epochs": 1},
    "one latent dimension": {"latent_dim": 1},
}
JUDGED = 193  # as many as `darkroom run` has of the digits


Generate = Callable[..., dict[str, tf.Tensor]]


class Judged(NamedTuple):
    """What a model is judged by: figures of held-out digits, how it makes new ones, and what it makes of held-out ones."""

    figures: dict[str, np.ndarray]
    generate: Generate
    rebuilt: np.ndarray


@pytest.fixture(scope="module")
def digits():
    """Held-out digits to judge by, those that decide when to stop, those to train on; and the labels of the last."""
    levels, labels = read_digits()
    order = np.random.default_rng(0).permutation(len(levels))
    judged, eval_, train = np.split(levels[order], [JUDGED, 2 * JUDGED])
    return judged, eval_, train, np.array(labels)[order][2 * JUDGED :].astype(np.int32)


@pytest.fixture(scope="module")
def fitted(digits, tmp_path_factory):
    """A model, 20 more of other seeds, and crippled ones."""
    judged, eval_, train, _ = digits
    graph = pixel_graph(tiny.transform_graph(tmp_path_factory.mktemp("transform")))
    examples = tf.constant([tiny.example(tiny.encode(picture)) for picture in judged])

    def fit(seed, latent_dim=2, **training):
        fitted = tiny.fit(
            tmp_path_factory.mktemp("history"),
            Pictures(train),
            Pictures(eval_),
            model={"hidden": (128,), "latent_dim": latent_dim},
            **{**GOOD, **training, "seed": seed},
        )
        servable = Servable(fitted.vae, graph, importance_samples=20)
        figures = {name: values.numpy() for name, values in servable.evaluate(examples).items()}
        rebuilt = servable.reconstruct(tf.constant([tiny.encode(picture) for picture in judged]))["images"].numpy()
        return Judged(figures, servable.generate, rebuilt)

    made = {"last": fit(0), **{f"seed {seed}": fit(seed) for seed in SEEDS}}
    return made | {f"{name}, seed {seed}": fit(seed, **changes) for name, changes in CRIPPLED.items() for seed in (0, 1)}


@pytest.fixture(scope="module")
def models(fitted):
    """Their figures alone."""
    return {name: model.figures for name, model in fitted.items()}


@pytest.fixture(scope="module")
def equal(models):
    """Those of other seeds that are refused first, whatever the limits are: bounds of means, and of their changes."""
    names = [f"seed {seed}" for seed in SEEDS]
    means = {name: {figure: values.mean() for figure, values in models[name].items()} for name in ("last", *names)}
    worse = [name for name in names if means[name]["elbo"] < means["last"]["elbo"]]  # a rise counts against these alone
    lowest = {min(names, key=lambda name: means[name][figure]) for figure in FIGURES}
    terms = ("reconstruction", "kl")
    return sorted(lowest | {max(some, key=lambda name: means[name][term]) for some in (names, worse) if some for term in terms})


@pytest.fixture(scope="module")
def crippled(models):
    """Of each kind the one with the higher ELBO: that of the other has dropped further."""
    return [max((f"{name}, seed {seed}" for seed in (0, 1)), key=lambda name: models[name]["elbo"].mean()) for name in CRIPPLED]


@pytest.fixture(scope="module")
def bench(models, equal, crippled, tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("bench"), {name: models[name] for name in ("last", *equal, *crippled)})


@pytest.fixture(scope="module")
def config():
    drop = max_drop(64, JUDGED)  # as for any pictures of this size
    return EvaluationConfig(min_gain=None, max_drop=drop, max_reconstruction_rise=TERM_MARGIN * drop)


def test_an_equal_model_is_accepted_twenty_times_out_of_twenty(bench, config, equal):
    refused = {}
    for name in equal:
        judged = bench.judge(config, name, "last")
        if not judged.blessed:
            refused[name] = judged.read().failures
    assert refused == {}


def test_a_crippled_model_is_refused_every_time(bench, config, crippled):
    assert len(crippled) == len(CRIPPLED)
    for name in crippled:
        judged = bench.judge(config, name, "last")
        assert not judged.blessed, name
        assert judged.read().failures[0].startswith("ELBO is "), name
        assert "worse than the last blessed model's; " in judged.read().failures[0], name


BLUR = 1.5  # pixels
BASIS = {"features": "classifier", "features_hash": "a", "held_out_hash": "b", "pictures": JUDGED}
LIMITS = picture_limits(EvaluationConfig())


@pytest.fixture(scope="module")
def measure(digits):
    """Measures new pictures of a model as SampleQuality does, on features of a classifier of the digits."""
    judged, _, train, labels = digits
    network = classifier.train(train, labels, seed=0)
    real, sharpness = network.features(judged), high_frequency_power(judged).mean()

    def distances(pictures: np.ndarray) -> Distances:
        found = network.features(pictures)
        near = precision_recall_density_coverage(real, found)._asdict()
        sharp = float(high_frequency_power(pictures).mean() / sharpness)
        return Distances(frechet_distance(real, found), 0.0, 0.0, **near, **BASIS, high_frequencies=sharp)

    def measured(
        model: Judged, baseline: Judged | None = None, seed: int = 0, temperature: float = 1.0, blur: float = 0.0
    ) -> Quality:
        new = blurred(draw(model, seed, temperature), blur)
        return Quality(
            generated=distances(new),
            baseline=distances(draw(baseline, seed)) if baseline else None,
            rebuilt=distances(blurred(model.rebuilt, blur)),
            spread=Spread(frechet_spread(real, network.features(new)), 0.0, 20),
        )

    return measured


def draw(model: Judged, seed: int, temperature: float = 1.0) -> np.ndarray:
    """New pictures, uint8 [n, h, w, c], from codes whose spread is multiplied by a temperature."""
    arguments = tf.constant(JUDGED, tf.int64), tf.constant(seed, tf.int64), tf.constant(temperature)
    return model.generate(*arguments)["images"].numpy()


def blurred(pictures: np.ndarray, pixels: float) -> np.ndarray:
    """Pictures as a decoder with a blur behind it would give them."""
    return gaussian_filter(pictures, (0, pixels, pixels, 0)) if pixels else pictures


def test_the_pictures_of_an_equal_model_are_accepted_twenty_times_out_of_twenty(fitted, measure):
    refused = {}
    for seed in SEEDS:
        judged = judge_pictures(measure(fitted[f"seed {seed}"], fitted["last"]), LIMITS)
        if judged.failures:
            refused[seed] = judged.failures
    assert refused == {}


def test_another_seed_of_generation_is_accepted_twenty_times_out_of_twenty(fitted, measure):
    before = measure(fitted["last"]).generated
    refused = {}
    for seed in SEEDS:
        judged = judge_pictures(dataclasses.replace(measure(fitted["last"], seed=seed), baseline=before), LIMITS)
        if judged.failures:
            refused[seed] = judged.failures
    assert refused == {}


@pytest.mark.parametrize(("how", "alone"), [({"temperature": 0.2}, "min_coverage"), ({"blur": BLUR}, "min_high_frequencies")])
def test_fog_is_refused_in_a_first_run_and_beside_the_last_model_for_all_its_elbo(how, alone, fitted, measure):
    for name in ("last", "seed 1", "seed 2", "seed 3"):
        first = judge_pictures(measure(fitted[name], **how), LIMITS).failures
        assert any(alone in failure for failure in first), (name, first)
        later = judge_pictures(measure(fitted[name], fitted["last"], **how), LIMITS).failures
        assert any("above the last blessed model's" in failure for failure in later), (name, later)
