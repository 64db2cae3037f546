"""What the margin is for: another seed of a model is accepted every time, a crippled model is refused every time."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

from pipeline.auto import TERM_MARGIN, max_drop
from pipeline.config import EvaluationConfig
from tests.components.judged import Bench
from tests.trainer import tiny
from trainer.data import Pictures, pixel_graph
from trainer.export import Servable

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


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Figures on the same held-out digits of a model, of 20 more of other seeds, and of crippled ones."""
    digits = load_digits().images
    levels = np.round(digits * (255 / 16)).astype(np.uint8)[np.random.default_rng(0).permutation(len(digits))][..., np.newaxis]
    judged, eval_, train = np.split(levels, [JUDGED, 2 * JUDGED])
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
        answer = Servable(fitted.vae, graph, importance_samples=20).evaluate(examples)
        return {name: values.numpy() for name, values in answer.items()}

    made = {"last": fit(0), **{f"seed {seed}": fit(seed) for seed in SEEDS}}
    return made | {f"{name}, seed {seed}": fit(seed, **changes) for name, changes in CRIPPLED.items() for seed in (0, 1)}


@pytest.fixture(scope="module")
def bench(models, tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("bench"), models)


@pytest.fixture(scope="module")
def config():
    drop = max_drop(64, JUDGED)  # as for any pictures of this size
    return EvaluationConfig(min_gain=None, max_drop=drop, max_reconstruction_rise=TERM_MARGIN * drop)


def test_an_equal_model_is_accepted_twenty_times_out_of_twenty(bench, config):
    refused = {}
    for seed in SEEDS:
        judged = bench.judge(config, f"seed {seed}", "last")
        if not judged.blessed:
            refused[seed] = judged.read().failures
    assert refused == {}


def test_a_crippled_model_is_refused_every_time(bench, config):
    names = [name for name in bench.models if "," in name]
    assert len(names) == 2 * len(CRIPPLED)
    for name in names:
        judged = bench.judge(config, name, "last")
        assert not judged.blessed, name
        assert judged.read().failures[0].startswith("ELBO is "), name
        assert "worse than the last blessed model's, allowed are" in judged.read().failures[0], name
