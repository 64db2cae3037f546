"""Which arrays of a file are pictures, and which are their labels."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.io

from common.errors import InputError
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Rejected
from tests.components.image_example_gen.readers.arrays.files import (
    LABELS,
    PIXELS,
    find,
    find_one,
    items_of,
    joined,
    read,
    refused,
    write_matlab_73,
)

TEXT = LABELS.astype(str).tolist()
ONE_HOT = np.eye(4)[LABELS]
MANY = np.column_stack([LABELS, LABELS + 10, LABELS + 20])


@pytest.mark.parametrize(
    "pictures, labels",
    [
        ("x_train", "y_train"),
        ("train_images", "train_labels"),
        ("X", "y"),
        ("images", "labels"),
        ("imgs", "labels"),
        ("data", "label"),
        ("image", "label"),
        ("images", "ans"),
        ("train_set_x", "train_set_y"),
        ("trainX", "trainY"),
        ("faces", "who"),
    ],
)
def test_labels_that_are_called_alike(tmp_path, pictures, labels):
    others = {"other": LABELS[::-1]} if labels != "who" else {}
    np.savez(tmp_path / "a.npz", **{pictures: PIXELS, labels: LABELS}, **others)
    pixels, found = read(tmp_path)
    np.testing.assert_array_equal(pixels, PIXELS)
    assert found == TEXT
    if others:
        assert find_one(tmp_path).notes == ("a.npz: other is not used: data.array_labels=other takes labels from it",)


@pytest.mark.parametrize(
    "labels, expected",
    [
        (LABELS[:, None], TEXT),
        (LABELS.reshape(-1, 1, 1, 1), TEXT),
        (LABELS.astype(np.float32), TEXT),
        (LABELS / 2, ["0", "0.5", "1", "1.5"] * 10),
        (LABELS.astype(np.float32) / np.float32(10), ["0", "0.1", "0.2", "0.3"] * 10),
        (ONE_HOT, TEXT),
        (ONE_HOT.astype(bool), TEXT),
        (LABELS % 2 == 1, ["0", "1"] * 20),
        (np.array(["cat", "Ünï"])[LABELS % 2], ["cat", "Ünï"] * 20),
        (np.array([b"cat", "Ünï".encode()])[LABELS % 2], ["cat", "Ünï"] * 20),
        (-LABELS.astype(">i2"), ["0", "-1", "-2", "-3"] * 10),
    ],
    ids=range(11),
)
@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_labels_of_every_type(tmp_path, labels, expected, kind):
    if kind == "npz":
        np.savez(tmp_path / "a.npz", x=PIXELS, y=labels)
    else:
        np.save(tmp_path / "x.npy", PIXELS)
        np.save(tmp_path / "y.npy", labels)
    assert read(tmp_path)[1] == expected
    assert read(tmp_path, size=7)[1] == expected


def test_several_labels_of_each_picture(tmp_path):
    np.savez(tmp_path / "a.npz", x=PIXELS, y=MANY)
    assert refused(tmp_path) == "its labels y have 3 columns: data.label_column=0 takes the first"
    assert read(tmp_path, DataConfig(label_column=2))[1][:2] == ["20", "21"]
    with pytest.raises(InputError, match=r"label_column=3: .* has 3 columns, 0 to 2"):
        find(tmp_path, DataConfig(label_column=3))


def test_a_row_that_is_not_one_of_several_is_refused_by_itself(tmp_path):
    rows = np.eye(2)[np.arange(6000) % 2]
    rows[5000] = 1
    np.savez(tmp_path / "a.npz", x=np.tile(PIXELS[:, :2, :2, 0], (150, 1, 1)), y=rows)
    items = items_of(tmp_path, find_one(tmp_path))
    (refusal,) = (item for item in items if isinstance(item, Rejected))
    assert refusal.path == "a.npz/x#5000" and "label_column" in refusal.reason


def test_dsprites(tmp_path):
    """Its latents are as many as its pictures, and a pickle of metadata lies beside them."""
    latents = np.random.default_rng(0).random((40, 6))
    classes = np.random.default_rng(1).integers(0, 3, (40, 6))
    imgs = np.random.default_rng(2).integers(0, 2, (40, 8, 8), np.uint8)
    meta = np.array({"author": "nobody"}, dtype=object)
    np.savez(tmp_path / "sprites.npz", imgs=imgs, latents_values=latents, latents_classes=classes, metadata=meta)
    pixels, labels = read(tmp_path)
    np.testing.assert_array_equal(pixels[..., 0], imgs * 255)
    assert set(labels) == {""}
    notes = " ".join(find_one(tmp_path).notes)
    assert "latents_classes is not used: data.array_labels=latents_classes takes labels from it" in notes
    assert "levels are 0 and 1, taken as black and white" in notes
    config = DataConfig(array_labels="latents_classes", label_column=1)
    assert read(tmp_path, config)[1] == classes[:, 1].astype(str).tolist()


def test_two_candidates(tmp_path):
    np.savez(tmp_path / "a.npz", a=PIXELS, b=PIXELS[::-1], y=LABELS)
    assert refused(tmp_path) == "holds several arrays that may be pictures (a, b): data.array names one"
    pixels, labels = read(tmp_path, DataConfig(array="b"))
    np.testing.assert_array_equal(pixels, PIXELS[::-1])
    assert labels == TEXT
    with pytest.raises(InputError, match="data.array=c: no file has an array of that name; there are a, b, y"):
        find(tmp_path, DataConfig(array="c"))
    with pytest.raises(InputError, match="data.array_labels=c"):
        find(tmp_path, DataConfig(array="a", array_labels="c"))
    assert read(tmp_path, DataConfig(array="b", array_labels="y"))[1] == TEXT


def test_the_array_that_is_called_like_pictures_is_taken(tmp_path):
    np.savez(tmp_path / "a.npz", images=PIXELS, masks=PIXELS[..., 0], depth=PIXELS[..., 0] / 9.0)
    pictures = find_one(tmp_path)
    assert pictures.name == "a.npz/images"
    assert "a.npz: masks is not read: data.array=masks takes pictures from it" in pictures.notes


def test_a_name_applies_to_each_file_that_has_it(tmp_path):
    np.savez(tmp_path / "a.npz", a=PIXELS, b=PIXELS)
    np.savez(tmp_path / "c.npz", c=PIXELS)
    assert [item.name for item in find(tmp_path, DataConfig(array="b"))] == ["a.npz/b", "c.npz/c"]


def test_medmnist(tmp_path):
    parts = {"train": slice(20), "val": slice(20, 30), "test": slice(30, 40)}
    arrays = {f"{name}_images": PIXELS[part] for name, part in parts.items()}
    arrays |= {f"{name}_labels": LABELS[part, None] for name, part in parts.items()}
    np.savez(tmp_path / "bloodmnist.npz", **arrays)
    found = find(tmp_path)
    assert [(item.split, item.count, item.notes) for item in found] == [("test", 10, ()), ("train", 20, ()), ("eval", 10, ())]
    for item, part in zip(found, ("test", "train", "val"), strict=True):
        pixels, labels = joined(items_of(tmp_path, item))
        np.testing.assert_array_equal(pixels, PIXELS[parts[part]])
        assert labels == TEXT[parts[part]]


@pytest.mark.parametrize(
    "pictures, labels", [("k-train-imgs.npz", "k-train-labels.npz"), ("x.npy", "y.npy"), ("train_images.npy", "train_labels.npz")]
)
def test_labels_in_a_file_of_the_other_half_of_the_name(tmp_path, pictures, labels):
    for name, array in ((pictures, PIXELS), (labels, LABELS)):
        (np.savez if name.endswith("npz") else np.save)(tmp_path / name, array)
    np.save(tmp_path / "other_labels.npy", LABELS[::-1])
    alone, found = sorted(find(tmp_path), key=lambda item: isinstance(item, Rejected), reverse=True)
    assert alone.path == "other_labels.npy" and alone.pictures == 0
    assert joined(items_of(tmp_path, found))[1] == TEXT


def test_labels_of_another_folder_are_not_taken(tmp_path):
    for part, labels in (("a", LABELS), ("b", LABELS[::-1])):
        (tmp_path / part).mkdir()
        np.save(tmp_path / part / "x.npy", PIXELS)
        np.save(tmp_path / part / "y.npy", labels)
    first, second = find(tmp_path)
    assert joined(items_of(tmp_path, first))[1] == joined(items_of(tmp_path, second))[1][::-1] == TEXT


@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_another_number_of_labels(tmp_path, kind):
    if kind == "npz":
        np.savez(tmp_path / "a.npz", x_train=PIXELS, y_train=LABELS[:7])
    else:
        np.save(tmp_path / "x_train.npy", PIXELS)
        np.save(tmp_path / "y_train.npy", LABELS[:7])
    reasons = [item.reason for item in find(tmp_path) if isinstance(item, Rejected) and item.pictures]
    assert len(reasons) == 1 and "holds 40 pictures, but" in reasons[0] and "7 labels" in reasons[0]


def test_pcam(tmp_path):
    for name, array in (("x", PIXELS), ("y", LABELS.reshape(-1, 1, 1, 1))):
        with h5py.File(tmp_path / f"camelyonpatch_level_2_split_train_{name}.h5", "w") as file:
            file[name] = array
    assert find_one(tmp_path).split == "train"
    assert read(tmp_path)[1] == TEXT


def test_3dshapes(tmp_path):
    with h5py.File(tmp_path / "3dshapes.h5", "w") as file:
        file["images"], file["labels"] = PIXELS, MANY / 10
    assert "label_column=0" in refused(tmp_path)
    assert read(tmp_path, DataConfig(label_column=0))[1] == ["0", "0.1", "0.2", "0.3"] * 10


def test_signs_are_named_by_the_file(tmp_path):
    with h5py.File(tmp_path / "train_signs.h5", "w") as file:
        file["train_set_x"], file["train_set_y"] = PIXELS, LABELS
        file["list_classes"] = np.array([b"stop", b"go", b"turn", b"yield"])
    assert read(tmp_path)[1] == ["stop", "go", "turn", "yield"] * 10
    assert read(tmp_path, DataConfig(label_names=tuple("abcd")))[1] == list("abcd") * 10


def test_svhn(tmp_path):
    digits = (LABELS * 3 + 1).astype(np.uint8)  # 10 stands for the digit 0
    scipy.io.savemat(tmp_path / "extra_32x32.mat", {"X": PIXELS.transpose(1, 2, 3, 0), "y": digits[:, None]})
    pixels, labels = read(tmp_path)
    np.testing.assert_array_equal(pixels, PIXELS)
    assert labels == ["1", "4", "7", "10"] * 10


@pytest.mark.parametrize("save", ["5", "7.3"])
@pytest.mark.parametrize("axes", [(1, 2, 0), (0, 1, 2)])
def test_grey_pictures_of_matlab_by_their_labels(tmp_path, save, axes):
    square = PIXELS[:, :5, :5, 0]
    values = {"data": square.transpose(axes), "labels": (LABELS[:, None] + 0).astype(np.float64)}
    if save == "5":
        scipy.io.savemat(tmp_path / "a.mat", values)
    else:
        write_matlab_73(tmp_path / "a.mat", **values)
    pixels, labels = read(tmp_path)
    np.testing.assert_array_equal(pixels[..., 0], square)
    assert labels == TEXT


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_first(tmp_path, channels):
    pixels = PIXELS[..., :channels]
    np.savez(tmp_path / "a.npz", x=np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)), y=LABELS)
    np.testing.assert_array_equal(read(tmp_path, size=7)[0], pixels)
    assert find_one(tmp_path).notes == ("a.npz/x: its axes are taken as [n, c, h, w]",)


def smooth(count: int, size: int) -> np.ndarray:
    """Pictures with slopes, as those of cameras have."""
    y, x = np.mgrid[:size, :size] * (200 / size)
    noise = np.random.default_rng(0).integers(0, 20, (count, size, size, 3))
    return (np.stack([y, x, (x + y) / 2], axis=-1) + noise).astype(np.uint8)


@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize("grey", [False, True])
def test_rows_of_numbers(tmp_path, planes, grey):
    pixels = smooth(30, 16)
    if grey:
        pixels = np.repeat(pixels[..., 2:], 3, axis=3)
    rows = (pixels.transpose(0, 3, 1, 2) if planes else pixels).reshape(30, -1)
    np.savez(tmp_path / "a.npz", data=rows, labels=LABELS[:30])
    assert refused(tmp_path) == "data is rows of 768 numbers: data.shape=[16,16,3] makes pictures of them"
    config = DataConfig(shape=(16, 16, 3))
    np.testing.assert_array_equal(read(tmp_path, config)[0], pixels)
    assert any("one channel after the other" in note for note in find_one(tmp_path, config).notes) is planes


def test_rows_of_matlab_are_read_by_column(tmp_path):
    """As those of courses on machine learning: X is [n, h * w], each row the columns of a picture."""
    pixels = smooth(30, 16)[..., 0]
    scipy.io.savemat(tmp_path / "a.mat", {"X": pixels.transpose(0, 2, 1).reshape(30, -1), "y": LABELS[:30, None]})
    found, labels = read(tmp_path, DataConfig(shape=(16, 16, 1)))
    np.testing.assert_array_equal(found[..., 0], pixels)
    assert labels == TEXT[:30]
