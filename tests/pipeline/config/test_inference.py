"""What the configuration leaves open is filled in from a look at the pictures."""

import numpy as np
import pytest
from PIL import Image

from common.errors import InputError
from pipeline.config import inference
from pipeline.config.inference import PicturesUnseen, complete, epochs_for, max_drop
from pipeline.config.loading import build_config, load_values, preset_path


def folder_of(path, modes_and_sizes):
    for i, (mode, size) in enumerate(modes_and_sizes):
        Image.new(mode, size).save(path / f"{i}.png")
    return str(path)


@pytest.mark.parametrize(
    ("pictures", "shape", "network"),
    [
        ([("L", (28, 20))] * 3, (20, 28, 1), "dense"),
        ([("RGB", (16, 16))] * 3, (16, 16, 3), "dense"),
        ([("RGB", (32, 32))] * 3, (32, 32, 3), "spatial"),
        ([("RGB", (48, 48))] * 3, (48, 48, 3), "spatial"),
        ([("RGBA", (72, 72))] * 3, (32, 32, 3), "spatial"),
        ([("L", (20, 20)), ("L", (21, 20))], (32, 32, 1), "dense"),
        ([("L", (20, 20)), ("RGB", (20, 20))], (20, 20, 3), "spatial"),
        ([("L", (40, 40))], (40, 40, 1), "spatial"),
        ([("1", (20, 20))], (20, 20, 1), "dense"),
    ],
)
def test_size_channels_and_network(tmp_path, pictures, shape, network):
    values = complete({}, folder_of(tmp_path, pictures))
    found = values["preprocessing"]
    assert (found["height"], found["width"], found["channels"]) == shape
    assert values["model"]["network"] == network


def test_what_is_given_is_kept(tmp_path):
    images = folder_of(tmp_path, [("RGB", (16, 16))])
    given = {
        "preprocessing": {"height": 8, "channels": 1, "fit": "pad"},
        "model": {"network": "convolutional"},
        "training": {"epochs": 3, "seed": 5},
    }
    values = complete(given, images)
    assert values["preprocessing"] == {"height": 8, "width": 16, "channels": 1, "fit": "pad"}
    assert values["model"] == {"network": "convolutional"}
    assert values["training"] == {"epochs": 3, "seed": 5, "batch_size": 32}
    assert "width" not in given["preprocessing"]


def test_color_pictures_are_mirrored_where_that_cannot_hurt(tmp_path):
    for mode, kinds in (("RGB", ["auto"]), ("L", None)):
        folder = tmp_path / mode
        folder.mkdir()
        images = folder_of(folder, [(mode, (40, 40))] * 3)
        values = complete({}, images)
        assert values["training"].get("augmentation") == kinds
        assert build_config(values).training.augmentation == tuple(kinds or ())
        assert complete({"training": {"augmentation": []}}, images)["training"]["augmentation"] == []


def test_many_gray_pictures_are_drawn_from_a_mixture(tmp_path, monkeypatch):
    images = folder_of(tmp_path, [("L", (28, 28))] * 5)
    assert "density" not in complete({}, images)["generation"]
    monkeypatch.setattr(inference, "MIXTURE_PICTURES", 5)
    assert complete({}, images)["generation"] == {"density": "mixture"}
    assert complete({"generation": {"density": "prior"}}, images)["generation"] == {"density": "prior"}


def test_what_the_spatial_network_is_trained_by_is_filled_in(tmp_path):
    images = folder_of(tmp_path, [("RGB", (32, 32))] * 5)
    values = complete({}, images)
    assert values["model"]["likelihood"] == "discretized_logistic_mixture" and values["model"]["patch"] == 4
    assert values["generation"] == {"density": "flow", "updates": 300, "pixels": "mode"}
    assert values["training"]["batch_size"] == 16 and values["training"]["epochs"] == 100
    assert values["training"]["beta"] == 0.2
    given = {"model": {"likelihood": "gaussian"}, "training": {"batch_size": 8}, "generation": {"density": "prior"}}
    kept = complete(given, images)
    assert kept["model"]["likelihood"] == "gaussian" and kept["training"]["batch_size"] == 8
    assert kept["generation"] == {"density": "prior", "pixels": "mode"}
    assert complete({"preprocessing": {"height": 64, "width": 40}}, images)["model"]["patch"] == 8
    deep = complete({"data": {"depth": 16}}, images)
    assert (deep["model"]["likelihood"], deep["model"]["sigma"]) == ("gaussian", "optimal")
    build_config(values, "by a look"), build_config(deep, "by a look")


def test_features_are_learned_from_enough_pictures_and_unless_sharpness_is_set(tmp_path, monkeypatch):
    images = folder_of(tmp_path, [("RGB", (32, 32))] * 5)
    sharpness = lambda values: {key: values["training"].get(key) for key in ("beta", "feature_weight")}
    assert sharpness(complete({}, images)) == {"beta": 0.2, "feature_weight": None}
    monkeypatch.setattr(inference, "FEATURE_PICTURES", 5)
    assert sharpness(complete({}, images)) == {"beta": None, "feature_weight": 1.0}
    for given in ({"beta": 0.5}, {"feature_weight": 0.1}):
        assert sharpness(complete({"training": given}, images)) == {"beta": None, "feature_weight": None, **given}
    assert sharpness(complete({"model": {"filters": [8]}}, images)) == {"beta": None, "feature_weight": None}


@pytest.mark.parametrize(
    "model", [{"latent_dim": 2}, {"filters": [8]}, {"likelihood": "bernoulli", "binarisation": "dynamic"}], ids=str
)
def test_a_model_whose_code_was_said_has_no_places(tmp_path, model):
    values = complete({"model": model}, folder_of(tmp_path, [("RGB", (32, 32))]))
    assert values["model"] == {**model, "network": "convolutional"}
    assert values["generation"] == {} and values["training"]["batch_size"] == 32


def test_the_spatial_network_sees_as_many_pictures_of_any_number():
    assert [epochs_for(n, 16, "spatial") for n in (10, 3000, 24_000, 10**7)] == [100, 100, 12, 1]


def test_a_broken_picture_does_not_matter(tmp_path):
    images = folder_of(tmp_path, [("L", (9, 9))])
    (tmp_path / "x.png").write_bytes(b"no picture")
    assert complete({}, images)["preprocessing"]["height"] == 9


def test_no_pictures(tmp_path):
    with pytest.raises(InputError, match="no pictures"):
        complete({}, str(tmp_path))


def test_few_pictures_are_seen_more_often():
    epochs = [epochs_for(n, 128) for n in (100, 10_000, 100_000, 10_000_000)]
    assert epochs == sorted(epochs, reverse=True)
    assert np.ptp(epochs) > 100


def test_the_margin_grows_with_the_values_and_falls_with_the_pictures_that_it_is_judged_by():
    assert max_drop(64, 193) == 0.65
    assert max_drop(784, 10_000) == 1.1
    assert max_drop(640, 193) == pytest.approx(10 * max_drop(64, 193), rel=0.05)
    assert max_drop(64, 193, "gaussian") == pytest.approx(5 * max_drop(64, 193), rel=0.05)
    assert max_drop(64, 4 * 193) == pytest.approx(max_drop(64, 193) / 2, rel=0.05)


def test_the_margins_are_for_the_pictures_that_are_judged_by(tmp_path):
    images = folder_of(tmp_path, [("L", (20, 20))] * 100)
    assert complete({}, images)["evaluation"] == {"max_drop": max_drop(400, 10), "max_reconstruction_rise": 3 * max_drop(400, 10)}
    gaussian = complete({"model": {"likelihood": "gaussian"}}, images)
    assert gaussian["evaluation"]["max_drop"] == max_drop(400, 10, "gaussian")
    shares = {"test_share": 0.0, "eval_share": "0.25"}
    assert complete({"data": shares}, images)["evaluation"]["max_drop"] == max_drop(400, 25)


def test_own_test_pictures_are_counted(tmp_path):
    for name, count in (("train", 30), ("test", 9)):
        (tmp_path / name).mkdir()
        folder_of(tmp_path / name, [("L", (20, 20))] * count)
    assert complete({}, str(tmp_path))["evaluation"]["max_drop"] == max_drop(400, 9)
    images = np.zeros((25, 10, 10), np.uint8)
    (tmp_path / "idx").mkdir()
    for name in ("train", "t10k"):
        header = np.array([0x803, *images.shape], ">i4").tobytes()
        (tmp_path / "idx" / f"{name}-images-idx3-ubyte").write_bytes(header + images.tobytes())
    assert complete({}, str(tmp_path / "idx"))["evaluation"]["max_drop"] == max_drop(100, 25)


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({"max_drop": 2}, {"max_drop": 2, "max_reconstruction_rise": 6}),
        ({"max_drop": "2e0"}, {"max_drop": "2e0", "max_reconstruction_rise": 6}),
        ({"max_drop": None}, {"max_drop": None, "max_reconstruction_rise": None}),
        ({"max_drop": 2, "max_reconstruction_rise": None}, {"max_drop": 2, "max_reconstruction_rise": None}),
    ],
)
def test_margins_that_are_given_are_kept(tmp_path, given, made):
    assert complete({"evaluation": given}, folder_of(tmp_path, [("L", (9, 9))]))["evaluation"] == made


def test_where_all_is_given_no_picture_is_looked_for():
    values = load_values(preset_path("digits"))
    assert complete(values, "no such folder", judged_by=100)["preprocessing"] == values["preprocessing"]
    assert complete({**values, "evaluation": {"max_drop": 1}}, "no such folder")["evaluation"]["max_drop"] == 1
    with pytest.raises(PicturesUnseen):
        complete(values, "no such folder")
