"""Exported models whose ELBO holds and whose new pictures are fog, measured by SampleQuality itself and refused."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from components.feature_extractor.description import write_features
from components.feature_extractor.executor import extract
from components.model_gate.pictures import judge_pictures
from components.sample_quality.measure import measure
from pipeline.config.eval_config import picture_limits
from pipeline.config.schema import EvaluationConfig
from tests.components.digits import read_digits
from tests.components.sample_quality.models import Handed
from tests.trainer import tiny
from trainer.data import Pictures, pixel_graph
from trainer.export import Servable

pytestmark = pytest.mark.slow

LIMITS = picture_limits(EvaluationConfig())
TEMPERATURE = 0.2
BLUR = 1.5  # pixels


class Narrow(Servable):
    """Draws codes with a fifth of their spread."""

    def generate(self, count, seed, temperature, label=None):
        """See `Servable`."""
        return super().generate(count, seed, TEMPERATURE * temperature, label)


class Blurred(Servable):
    """Has a Gaussian blur behind its decoder wherever pictures come out."""

    def generate(self, count, seed, temperature, label=None):
        """See `Servable`."""
        return blurred(super().generate(count, seed, temperature, label))

    def reconstruct(self, image_bytes):
        """See `Servable`."""
        return blurred(super().reconstruct(image_bytes))


def blurred(answer: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """An answer whose pictures, grey, are blurred."""
    line = np.exp(-0.5 * np.square(np.arange(-5, 6) / BLUR))
    kernel = np.outer(line, line)[:, :, np.newaxis, np.newaxis] / line.sum() ** 2
    padded = tf.pad(tf.cast(answer["images"], tf.float32), [[0, 0], [5, 5], [5, 5], [0, 0]], "SYMMETRIC")
    return {"images": tf.cast(tf.round(tf.nn.conv2d(padded, kernel.astype(np.float32), 1, "VALID")), tf.uint8)}


@pytest.fixture(scope="module")
def trained(graph_uri: str, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """A model of the digits, and its pixel graph."""
    import tensorflow_transform as tft

    digits = read_digits()[0]
    settings = {"epochs": 30, "batch_size": 64, "learning_rate": 3e-3, "patience": 30}
    folder = tmp_path_factory.mktemp("history")
    fitted = tiny.fit(folder, Pictures(digits[:900]), Pictures(digits[1100:1300]), model={"hidden": (128,)}, **settings)
    return fitted.vae, pixel_graph(tft.TFTransformOutput(graph_uri))


@pytest.fixture(scope="module")
def features(digits_uri: str, graph_uri: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the digits are compared by."""
    folder = str(tmp_path_factory.mktemp("features"))
    write_features(folder, extract(digits_uri, graph_uri, "test", 0))
    return folder


@pytest.fixture(scope="module")
def judge(trained: tuple, features: str, digits_uri: str, graph_uri: str, tmp_path_factory: pytest.TempPathFactory):
    """Exports a model of a class, has it measured beside an honest one or alone, and gives why the gate refuses it."""

    def export(kind: type[Servable]) -> str:
        folder = tmp_path_factory.mktemp("model")
        kind(*trained, importance_samples=5).save(folder)
        return str(folder)

    honest = export(Servable)

    def judged(kind: type[Servable], seed: int = 0, beside: bool = False) -> list[str]:
        model = honest if kind is Servable else export(kind)
        baseline = honest if beside else None
        found = measure(digits_uri, graph_uri, model, features, split="test", seed=seed, max_pictures=200, baseline=baseline)
        assert found.reason is None
        judgement = judge_pictures(found, LIMITS)
        assert judgement.unjudged == []
        return judgement.failures

    return judged


def test_the_honest_model_passes_alone_and_beside_itself(judge) -> None:
    assert judge(Servable) == judge(Servable, seed=1, beside=True) == []


@pytest.mark.parametrize(("kind", "alone"), [(Narrow, "min_coverage"), (Blurred, "min_high_frequencies")])
def test_fog_is_refused_in_a_first_run_and_beside_the_last_model_though_the_elbo_holds(kind, alone, judge, trained) -> None:
    picture = tf.constant([tiny.example(tiny.encode(read_digits()[0][1400]))])
    elbos = [model(*trained, importance_samples=5).evaluate(picture)["elbo"].numpy() for model in (Servable, kind)]
    np.testing.assert_array_equal(*elbos)
    assert any(alone in failure for failure in judge(kind))
    later = judge(kind, beside=True)
    assert any(alone in failure for failure in later) and any("max_frechet_rise" in failure for failure in later)


def test_a_model_that_gives_training_pictures_is_refused_and_one_that_gives_others_is_not(
    features, digits_uri, graph_uri, tmp_path
) -> None:
    digits = read_digits()[0]
    shown = {"copies": np.concatenate([digits[:300], digits[1100:1400]]), "others": digits[1100:1700]}
    failures = {}
    for name, pictures in shown.items():
        model = Handed(pictures).save(tmp_path / name)
        found = measure(digits_uri, graph_uri, model, features, split="test", seed=0, max_pictures=200)
        failures[name] = judge_pictures(found, LIMITS).failures
    assert failures["others"] == []
    (failure,) = failures["copies"]
    assert "max_copies" in failure
