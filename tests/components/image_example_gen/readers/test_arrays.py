"""Arrays of pictures: IDX files are in test_sources and test_executor; here are NumPy's."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import tensorflow as tf

from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.sources import find_sources
from tests.components.image_example_gen.ingestion import ingest, picture, write_idx_pair
from trainer.errors import InputError

PIXELS, LABELS = picture(0, 40, 6, 5, 3), np.arange(40) % 4


def decoded(example) -> np.ndarray:
    return tf.io.decode_image(example["image/encoded"], channels=0).numpy()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_the_npz_that_keras_data_sets_come_in(tmp_path, save):
    save(tmp_path / "mnist.npz", x_train=PIXELS[:30], y_train=LABELS[:30], x_test=PIXELS[30:], y_test=LABELS[30:, None])
    result = ingest(tmp_path / "mnist.npz", tmp_path / "out", DataConfig(label_names=tuple("abcd")))
    assert result.summary["pictures"]["test"] == 10
    examples = result.examples()
    assert len(examples) == 40
    example = examples["mnist.npz/x_test#3"]
    assert example["image/label"] == b"b"
    np.testing.assert_array_equal(decoded(example), PIXELS[33])


def test_npy_files_with_labels_beside_them(tmp_path):
    np.save(tmp_path / "train_images.npy", PIXELS[:30, ..., 0])
    np.save(tmp_path / "train_labels.npy", np.array(["cat", "dog"])[LABELS[:30] % 2])
    np.save(tmp_path / "val_images.npy", PIXELS[30:, ..., 0])
    result = ingest(tmp_path, tmp_path / "out", DataConfig(test_share=0, pictures_per_shard=7))
    assert result.summary["pictures"] == {"train": 30, "eval": 10}
    example = result.examples()["train_images.npy#29"]
    assert example["image/label"] == b"dog"
    np.testing.assert_array_equal(decoded(example)[..., 0], PIXELS[29, ..., 0])


def test_one_array_and_its_labels_by_any_names(tmp_path):
    np.savez(tmp_path / "a.npz", faces=PIXELS, who=LABELS)
    assert ingest(tmp_path / "a.npz", tmp_path / "out").examples()["a.npz/faces#5"]["image/label"] == b"1"


def mistake(path, config=DataConfig()) -> str:
    with pytest.raises(InputError) as caught:
        find_sources(str(path), config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_pickles_are_never_loaded(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    np.save(tmp_path / "a.npy", np.array([Evil()], object), allow_pickle=True)
    assert "never loaded" in mistake(tmp_path)
    (tmp_path / "a.npy").write_bytes(pickle.dumps(Evil()))
    assert "no array of NumPy's" in mistake(tmp_path)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "array, reason",
    [
        (PIXELS / np.float32(255), "holds float32, not uint8"),
        (PIXELS[0, 0], "has the shape"),
        (np.asfortranarray(PIXELS), "Fortran's order"),
        (PIXELS.transpose(0, 3, 1, 2), "5 channels: only 1 (grey), 3 and 4 (colour) are read; put the channels last"),
        (PIXELS[:0], "holds no pictures"),
    ],
)
def test_arrays_that_are_no_pictures(tmp_path, array, reason):
    array = np.ascontiguousarray(array) if "Fortran" not in reason else array
    np.save(tmp_path / "images.npy", array)
    assert reason in mistake(tmp_path)


def test_another_number_of_labels(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=PIXELS, y_train=LABELS[:7])
    assert "40 pictures" in mistake(tmp_path) and "7 labels" in mistake(tmp_path)


@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_a_file_that_is_cut_short(tmp_path, kind):
    path = tmp_path / f"images.{kind}"
    (np.save if kind == "npy" else np.savez)(path, PIXELS)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(InputError, match="fetch it again"):
        ingest(path, tmp_path / "out")


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_in_many_units_is_read_as_in_one(tmp_path, suffix):
    write_idx_pair(tmp_path / "in", "train", PIXELS, LABELS, suffix)
    one, many = (
        ingest(tmp_path / "in", tmp_path / f"{size}", DataConfig(pictures_per_shard=size)).examples() for size in (1000, 7)
    )
    assert one == many and len(one) == 40


def test_pictures_of_an_array_that_are_too_large(tmp_path):
    np.save(tmp_path / "large.npy", np.zeros((5, 40, 30), np.uint8))
    np.save(tmp_path / "small.npy", PIXELS)
    result = ingest(tmp_path, tmp_path / "out", DataConfig(max_megapixels=0.001, keep_duplicates=True))
    assert len(result.examples()) == len(PIXELS)
    assert list(result.rejects) == [f"large.npy#{number}" for number in range(5)]
    assert all("more than 0.001 million pixels by its header" in reason for reason in result.rejects.values())
