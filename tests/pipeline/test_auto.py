"""What the configuration leaves open is filled in from a look at the pictures."""

import numpy as np
import pytest
from PIL import Image

from pipeline.auto import complete, epochs_for
from trainer.errors import InputError


def folder_of(path, modes_and_sizes):
    for i, (mode, size) in enumerate(modes_and_sizes):
        Image.new(mode, size).save(path / f"{i}.png")
    return str(path)


@pytest.mark.parametrize(
    ("pictures", "shape", "network"),
    [
        ([("L", (28, 20))] * 3, (20, 28, 1), "dense"),
        ([("RGB", (16, 16))] * 3, (16, 16, 3), "dense"),
        ([("RGB", (48, 48))] * 3, (48, 48, 3), "convolutional"),
        ([("RGBA", (72, 72))] * 3, (32, 32, 3), "convolutional"),
        ([("L", (20, 20)), ("L", (21, 20))], (32, 32, 1), "dense"),
        ([("L", (20, 20)), ("RGB", (20, 20))], (20, 20, 3), "convolutional"),
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
