"""What is measured of models of which it is known how good they are."""

from __future__ import annotations

import dataclasses
import logging
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from common.progress import LOGGER
from components.feature_extractor.description import Description, Features, read_features, write_features
from components.feature_extractor.executor import extract
from components.sample_quality.copies import SHOWN
from components.sample_quality.figures import Quality, comparable
from components.sample_quality.measure import measure
from components.sample_quality.model import Model
from tests.components.digits import read_digits, write_digits
from tests.components.sample_quality.models import Handed
from tests.trainer import tiny
from trainer.config import PreprocessingConfig
from trainer.metrics.pictures import PSNR_LIMIT

REST = read_digits()[0][1100:]  # digits that are in neither split


@pytest.fixture(scope="module")
def features(digits_uri: str, graph_uri: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The features of labelled digits."""
    folder = tmp_path_factory.mktemp("features")
    write_features(str(folder), extract(digits_uri, graph_uri, "test", 0))
    return str(folder)


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Features that are to be those of the model's encoder, as earlier versions wrote them."""
    folder = tmp_path_factory.mktemp("encoder")
    write_features(str(folder), Features(Description("encoder", reason="there are no labels")))
    return str(folder)


@pytest.fixture(scope="module")
def ask(digits_uri: str, graph_uri: str, features: str, tmp_path_factory: pytest.TempPathFactory):
    """Measures a model on labelled digits; arguments replace those of `measure`."""

    def measured(model: Handed, **changes: object) -> Quality:
        folder = model.save(tmp_path_factory.mktemp("model"))
        arguments = {"examples": digits_uri, "transform_graph": graph_uri, "features": features, **changes}
        return measure(model=folder, **{"split": "test", "seed": 0, "max_pictures": 10_000, **arguments})

    return measured


@pytest.fixture(scope="module")
def unlabelled(features: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Features of the same digits as if they had no labels."""
    found = read_features(features)
    description = dataclasses.replace(found.description, kind="self_supervised", hash=found.description.self_supervised_hash)
    folder = tmp_path_factory.mktemp("unlabelled")
    write_features(str(folder), Features(description, None, found.self_supervised))
    return str(folder)


def noise(n: int, shape: tuple[int, ...] = (8, 8, 1)) -> np.ndarray:
    """Pictures of noise, uint8 [n, *shape]."""
    return tiny.noise(0, n, *shape)


@pytest.fixture(scope="module")
def good(ask, tmp_path_factory: pytest.TempPathFactory) -> Quality:
    """A model that gives real pictures, and noise from its prior; the last blessed one gave noise."""
    before = Handed(noise(300)).save(tmp_path_factory.mktemp("before"))
    return ask(Handed(REST, prior=noise(300)), baseline=before)


def test_real_pictures_are_as_good_as_the_floor(good: Quality) -> None:
    assert good.reason is None
    assert good.generated.frechet_distance < 2 * good.floor.frechet_distance
    assert good.to_floor == good.generated.frechet_distance / good.floor.frechet_distance
    assert good.generated.precision > 0.8 and good.generated.recall > 0.8
    assert abs(good.floor.kernel_distance) < good.prior.kernel_distance / 5
    assert 0.9 < good.generated.high_frequencies < 1.1
    assert good.generated.label_divergence < 0.03
    assert good.copies.count == 0 and good.copies.pictures == 200
    assert 0.8 < good.copies.nearest_ratio < 1.2


def test_the_prior_alone_is_measured_where_it_can_be_asked(good: Quality, ask) -> None:
    assert good.prior.frechet_distance > 5 * good.floor.frechet_distance
    assert good.to_prior == good.generated.frechet_distance / good.prior.frechet_distance < 0.5
    assert good.prior.precision < good.generated.precision
    assert good.prior.two_sample > 0.95 > good.generated.two_sample + 0.1 and good.prior.high_frequencies > 1.1
    alone = ask(Handed(noise(300)))
    assert alone.prior is None and alone.to_prior is None
    assert alone.to_floor > 5
    assert comparable(alone.generated, good.generated)  # another model, the same classifier


def test_pictures_that_come_back_as_they_were(good: Quality) -> None:
    rebuilt = good.reconstruction
    assert rebuilt.mse == 0 and rebuilt.psnr == PSNR_LIMIT and rebuilt.pictures == 200
    assert rebuilt.ssim == pytest.approx(1, abs=1e-5)
    assert good.rebuilt.frechet_distance == pytest.approx(0, abs=1e-6) and good.rebuilt.high_frequencies == 1
    assert good.rebuilt.two_sample == 0.5


def test_each_figure_says_what_it_rests_on(good: Quality, features: str) -> None:
    for found in (good.generated, good.prior, good.floor, good.rebuilt):
        assert (found.features, found.pictures) == ("classifier", 200)
        assert len(found.features_hash) == len(found.held_out_hash) == 64
        assert comparable(found, good.generated)
    assert good.classifier_accuracy > 0.8


def test_a_conditional_model_is_asked_for_any_label_and_one_kind_only_is_noticed(ask) -> None:
    pictures, labels = read_digits()
    zeros = pictures[np.array(labels) == "0"]
    found = ask(Handed(zeros, conditional=True)).generated
    assert found.precision > 0.7
    assert found.recall < 0.3 and found.coverage < 0.3
    assert found.label_divergence > 0.5


def test_the_same_seed_gives_the_same_figures(good: Quality, ask) -> None:
    again, other = (ask(Handed(REST, prior=noise(300)), seed=seed) for seed in (0, 1))
    assert again == dataclasses.replace(good, baseline=None)
    assert other.floor == good.floor
    assert other.generated != good.generated and comparable(other.generated, good.generated)


def test_copies_are_named_and_written_beside_their_originals(ask, digits_uri: str, tmp_path: Path) -> None:
    pictures = read_digits()[0]
    found = ask(Handed(np.concatenate([pictures[:200], REST[:200]])), folder=str(tmp_path)).copies
    assert 0.35 < found.share < 0.65 and found.floor < 0.02
    assert found.count == round(found.share * found.pictures) and found.nearest_ratio < 0.8
    assert len(found.examples) == SHOWN
    for copy in found.examples:
        assert copy.distance == 0
        new, original = (np.asarray(Image.open(tmp_path / name)) for name in (copy.generated_png, copy.training_png))
        np.testing.assert_array_equal(new, original)
        assert (new == pictures[:200, ..., 0]).all(axis=(1, 2)).any()


def test_the_last_blessed_model_is_measured_by_the_same(good: Quality) -> None:
    assert comparable(good.baseline, good.generated)
    assert good.baseline.frechet_distance > 5 * good.generated.frechet_distance


@pytest.mark.parametrize("fault", ["shape", *(pytest.param(one, marks=pytest.mark.slow) for one in ("raises", "missing"))])
def test_a_last_model_that_does_not_answer_costs_no_other_figure(fault: str, ask, good: Quality, tmp_path: Path) -> None:
    before = Handed(noise(60, (9, 8, 1)) if fault == "shape" else REST, fault=fault).save(tmp_path / "model")
    found = ask(Handed(REST, prior=noise(300)), baseline=str(tmp_path / "none") if fault == "missing" else before)
    assert found == dataclasses.replace(good, baseline=None)


@pytest.mark.slow
def test_the_spread_is_that_of_seeds(ask, good: Quality) -> None:
    others = [ask(Handed(REST), seed=seed).generated for seed in range(1, 6)]
    measured = np.std([one.frechet_distance for one in others], ddof=1)
    assert 0.3 * measured < good.spread.frechet_distance < 3 * measured
    assert 0.005 < good.spread.two_sample < 0.05


def test_without_labels_blurred_pictures_are_seen(ask, unlabelled: str) -> None:
    blurred = gaussian_filter(REST.astype(np.float32), (0, 1, 1, 0)).round().astype(np.uint8)
    found = ask(Handed(blurred), features=unlabelled)
    assert found.generated.features == "self_supervised" and found.generated.label_divergence is None
    assert found.to_floor > 3 and found.generated.two_sample > 0.9 and found.generated.high_frequencies < 0.1


def test_features_of_earlier_versions_are_the_models_own_encoder(ask, good: Quality, encoders: str) -> None:
    found = ask(Handed(REST, prior=noise(300)), features=encoders)
    assert found.generated.features == "encoder" and found.classifier_accuracy is None
    assert found.to_prior < 0.5 and found.generated.precision > 0.8
    assert not comparable(found.generated, good.generated) and comparable(found.generated, found.floor)


def test_an_encoders_hash_is_that_of_its_weights(tmp_path: Path) -> None:
    folders = [Handed(REST, seed=seed).save(tmp_path / str(i)) for i, seed in enumerate((0, 0, 1))]
    hashes = [Model(folder).hash() for folder in folders]
    assert hashes[0] == hashes[1] != hashes[2]


def test_colour_pictures_of_another_size(tmp_path: Path) -> None:
    shape = (9, 12, 3)
    pictures = np.repeat(noise(160, (3, 4, 3)).repeat(3, axis=1), 3, axis=2)
    tiny.transform_graph(tmp_path, PreprocessingConfig(9, 12, 3))
    encoded = [tiny.encode(picture) for picture in pictures]
    tiny.write_examples(tmp_path / "examples", {"train": encoded[:80], "eval": encoded[80:140]})
    write_features(str(tmp_path / "features"), Features(Description("encoder")))
    model = Handed(pictures[140:]).save(tmp_path / "model")
    graph, examples, features = (str(tmp_path / name) for name in ("graph", "examples", "features"))
    found = measure(examples, graph, model, features, split="eval", seed=0, max_pictures=100)
    assert found.generated.pictures == 60 and found.reconstruction.mse == 0
    assert pictures.shape[1:] == shape


def test_too_few_pictures_leave_a_reason(graph_uri: str, features: str, tmp_path: Path) -> None:
    model = Handed(REST).save(tmp_path / "model")
    for name, splits in {"a": {"train": 100, "test": 49}, "b": {"train": 30, "test": 60}, "c": {"train": 100}}.items():
        examples = str(write_digits(tmp_path / name, splits))
        found = measure(examples, graph_uri, model, features, split="test", seed=0, max_pictures=100)
        assert found == Quality(reason=found.reason, split="test")
        expected = {"a": "only 49 test pictures", "b": "only 30 training pictures", "c": "only 0 test pictures"}[name]
        assert expected in found.reason


@pytest.mark.parametrize(("fault", "words"), [("raises", "out of paper"), ("nan", "finite")])
def test_a_model_that_does_not_answer_costs_its_figures_only(fault: str, words: str, ask, encoders: str) -> None:
    found = ask(Handed(REST, fault=fault), features=encoders)
    assert found.generated is None and words in found.reason


def test_a_model_that_is_none(ask, tmp_path: Path, digits_uri: str, graph_uri: str, features: str) -> None:
    found = measure(digits_uri, graph_uri, str(tmp_path), features, split="test", seed=0, max_pictures=100)
    assert found.generated is None and "could not be measured" in found.reason


def test_fewer_pictures_make_other_figures_and_progress_comes_to_its_end(
    ask, good: Quality, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, LOGGER):
        found = ask(Handed(REST, prior=noise(100)), max_pictures=120)
    assert found.generated.pictures == found.reconstruction.pictures == 120
    assert not comparable(found.generated, good.generated)
    last = {record.progress.step: record.progress for record in caplog.records if hasattr(record, "progress")}
    assert set(last) == {"sample quality", "comparing pictures", "looking for copies"}
    assert all(one.done == one.total for one in last.values())
    assert last["sample quality"].total == 4 * 120 + 900  # held-out, training, generated and prior ones, then all training pictures


def test_every_figure_is_a_number(good: Quality) -> None:
    for part in (good.generated, good.prior, good.floor, good.reconstruction):
        values = [value for value in dataclasses.astuple(part) if isinstance(value, float)]
        assert values and all(map(math.isfinite, values))
