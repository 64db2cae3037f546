"""From what a person types to what a run is asked for."""

import math
from pathlib import Path

import pytest
from PIL import Image

from common.errors import InputError
from components.image_example_gen.discovery.find import find_sources
from pipeline.config.inference import max_drop
from pipeline.config.loading import preset_names, preset_path
from pipeline.running.request import make_config, make_request


def request(**values):
    arguments = {"images": None, "dataset": None, "data_root": None, "config": None, "overrides": (), "work": None}
    return make_request(**{**arguments, **values})


@pytest.fixture
def cats(tmp_path):
    (tmp_path / "my cats!").mkdir()
    Image.new("RGB", (16, 16)).save(tmp_path / "my cats!" / "a.png")
    return tmp_path / "my cats!"


def test_nothing_said_means_the_digits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = request()
    assert made.config.title == "digits"
    assert made.work == Path("work/digits")
    assert made.config.data.label_names == tuple("0123456789")
    assert made.config.preprocessing.image_shape == (8, 8, 1)


def test_a_folder_names_its_work_folder_and_title(cats, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    made = request(images="my cats!")
    assert made.images == str(cats)
    assert made.work == Path("work/my-cats")
    assert made.config.title == "my-cats"


def test_planning_lists_the_images_once_and_the_run_lists_them_again(cats):
    from components.image_example_gen.component import ImageExampleGen
    from components.image_example_gen.driver import ImageExampleGenDriver

    made = request(images=str(cats))
    look = made.find(made.images, made.config.data)
    assert made.find.cache_info().misses == 1  # the one that the configuration was inferred from
    (cats / "b.png").write_bytes((cats / "a.png").read_bytes())
    assert made.find(made.images, made.config.data) is look and look.count == 1
    component = ImageExampleGen(images=made.images, config=made.config.data, code="")
    resolved = ImageExampleGenDriver(None).resolve_exec_properties(dict(component.exec_properties), None, None)
    assert look.fingerprint != resolved["input_fingerprint"] == find_sources(made.images).fingerprint


def test_configurations_by_name_and_by_file_and_overrides_on_top(cats, tmp_path):
    assert request(images=str(cats), config="digits").config.preprocessing.height == 8
    file = tmp_path / "mine.yaml"
    file.write_text("title: mine\ntraining: {epochs: 3}\n")
    made = request(images=str(cats), config=str(file), overrides=["training.epochs=4"])
    assert (made.config.title, made.config.training.epochs) == ("mine", 4)


def test_a_data_set_with_a_configuration_of_ones_own(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("title: mine\n")
    made = request(dataset="digits", config=str(file), work=str(tmp_path / "w"))
    assert made.config.title == "mine"
    assert made.config.data.label_names == tuple("0123456789")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"images": "x", "dataset": "digits"}, "not both"),
        ({"images": "does-not-exist"}, "does-not-exist"),
        ({"dataset": "digit"}, "digits"),
        ({"images": ".", "config": "nope"}, "fashion-mnist"),
    ],
)
def test_mistakes(values, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=words):
        request(**values)


def test_a_reason_to_bless_is_one_line(cats):
    assert request(images=str(cats)).bless == ""
    assert request(images=str(cats), bless=" new camera,\n  see #12 ").bless == "new camera, see #12"


@pytest.mark.parametrize("why", ["", "  ", "...", "--set"])
def test_a_blessing_needs_a_reason(cats, why):
    with pytest.raises(InputError, match="--bless needs a reason"):
        request(images=str(cats), bless=why)


def test_margins_follow_from_the_pictures_whatever_the_preset(tmp_path, cats):
    def margin(*overrides, **values):
        values = {"dataset": "digits", **values} if "images" not in values else values
        return request(work=str(tmp_path / "w"), overrides=overrides, **values).config.evaluation.max_drop

    assert margin() == margin("training.seed=3") == pytest.approx(0.67, abs=0.02)
    assert margin("model.likelihood=gaussian") == pytest.approx(5 * 0.65, rel=0.1)
    assert margin("preprocessing.height=16") == pytest.approx(2 * 0.65, rel=0.1)
    assert margin("model.likelihood=gaussian", "evaluation.max_drop=7") == 7
    for preset in ("fashion-mnist", str(preset_path("fashion-mnist"))):
        assert margin(images=str(cats), config=preset) > 20, "a few pictures are not judged as 10,000 are"
        assert margin("model.likelihood=gaussian", images=str(cats), config=preset) > 100
    (tmp_path / "own.yaml").write_text("evaluation: {max_drop: 5}\n")
    assert margin("model.likelihood=gaussian", config=str(tmp_path / "own.yaml")) == 5


@pytest.mark.parametrize("preset", preset_names())
def test_presets_compile_for_pictures_that_this_machine_does_not_reach(preset):
    config = make_config("s3://nowhere/cats", preset, [])
    assert config.evaluation.max_drop == max_drop(math.prod(config.preprocessing.image_shape), 1000, config.model.likelihood)
    with pytest.raises(InputError, match="set preprocessing.height"):
        make_config("/nowhere/cats", None, [])
