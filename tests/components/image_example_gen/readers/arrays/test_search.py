"""Arrays of pictures: every kind of file gives the same, names say what belongs together, damage is refused by itself."""

from __future__ import annotations

import gzip
import pickle
import struct
import tracemalloc
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from common.errors import InputError
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Block, Rejected
from components.image_example_gen.readers.arrays.names import is_array, says_its_split
from components.image_example_gen.readers.arrays.search import find_arrays
from tests.components.image_example_gen.ingestion import ingest
from tests.components.image_example_gen.readers.arrays.files import (
    KINDS,
    LABELS,
    PIXELS,
    find,
    find_one,
    found_files,
    idx_bytes,
    items_of,
    joined,
    read,
    refused,
    write_kind,
)


@pytest.mark.parametrize("size", [1000, 7])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pixels", [PIXELS, PIXELS[..., 0]], ids=["color", "grey"])
def test_every_kind_of_file_gives_the_same(tmp_path, kind, pixels, size):
    write_kind(tmp_path, kind, pixels)
    found, labels = read(tmp_path, size=size)
    np.testing.assert_array_equal(found, pixels if pixels.ndim == 4 else pixels[..., np.newaxis])
    assert found.dtype == np.uint8
    assert labels == LABELS.astype(str).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_members_of_archives(tmp_path, kind):
    write_kind(tmp_path / "in", kind)
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in (tmp_path / "in").iterdir():
            archive.write(path, f"deep/{path.name}")
    files = [replace(file, path=f"all.zip/deep/{file.path}") for file in found_files(tmp_path / "in")]
    (pictures,) = find_arrays(str(tmp_path), files, DataConfig())
    pixels, labels = joined(items_of(tmp_path, pictures, size=9))
    np.testing.assert_array_equal(pixels, PIXELS)
    assert labels == LABELS.astype(str).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_labels_by_name_and_too_few_names(tmp_path, kind):
    write_kind(tmp_path, kind)
    config = DataConfig(label_names=tuple("abcd"))
    assert read(tmp_path, config)[1] == ["abcd"[label] for label in LABELS]
    with pytest.raises(InputError, match=r"label 3, but data.label_names names only 3"):
        read(tmp_path, DataConfig(label_names=tuple("abc")))


def test_the_npz_that_keras_data_sets_come_in(tmp_path):
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=PIXELS[:30], y_train=LABELS[:30], x_test=PIXELS[30:], y_test=LABELS[30:, None])
    result = ingest(path, tmp_path / "out", DataConfig(label_names=tuple("abcd")))
    assert result.summary["pictures"]["test"] == 10
    examples = result.examples()
    assert len(examples) == 40
    example = examples["mnist.npz/x_test#3"]
    assert example["image/label"] == b"b"
    np.testing.assert_array_equal(tf.io.decode_image(example["image/encoded"], channels=0), PIXELS[33])


@pytest.mark.parametrize(
    "path, expected",
    [
        ("a.npy", True),
        ("b/A.NPZ", True),
        ("a.mat", True),
        ("a.h5", True),
        ("a.hdf5", True),
        ("a.hdf", True),
        ("train-images-idx3-ubyte", True),
        ("train-images.idx3-ubyte", True),
        ("emnist-letters-train-images-idx3-ubyte.gz", True),
        ("qmnist-train-labels-idx2-int.gz", True),
        ("a.png", False),
        ("images", False),
        ("npy", False),
    ],
)
def test_files_by_name(path, expected):
    assert is_array(path) is expected


@pytest.mark.parametrize(
    "path, expected",
    [("train.npz", True), ("t10k-images-idx3-ubyte", True), ("t10k-labels-idx1-ubyte", True), ("x.npy", False)],
)
def test_names_that_say_their_split(path, expected):
    assert says_its_split(path) is expected


@pytest.mark.parametrize(
    "name",
    ["train-images-idx4-ubyte", "train-images.idx4-ubyte", "train-images-idx4-ubyte.gz", "emnist-letters-train-images-idx4-ubyte"],
)
@pytest.mark.parametrize("packed", [False, True])
def test_idx_is_unpacked_by_its_first_bytes(tmp_path, name, packed):
    (tmp_path / name).write_bytes(gzip.compress(idx_bytes(PIXELS)) if packed else idx_bytes(PIXELS))
    labels = name.replace("images", "labels").replace("idx4", "idx1").removesuffix(".gz")
    (tmp_path / labels).write_bytes(idx_bytes(LABELS.astype(np.uint8)))
    assert find_one(tmp_path).split == "train"
    pixels, labels = read(tmp_path)
    np.testing.assert_array_equal(pixels, PIXELS)
    assert labels[:5] == ["0", "1", "2", "3", "0"]


def test_qmnist(tmp_path):
    """Its labels are rows of eight numbers, of which the first is the class."""
    (tmp_path / "qmnist-train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(PIXELS[..., 0])))
    rows = np.column_stack([LABELS, *(LABELS + 100 * n for n in range(1, 8))]).astype(np.int32)
    (tmp_path / "qmnist-train-labels-idx2-int.gz").write_bytes(gzip.compress(idx_bytes(rows)))
    assert read(tmp_path)[1] == LABELS.astype(str).tolist()
    assert read(tmp_path, DataConfig(label_column=2))[1][1] == "201"


def test_idx_labels_in_a_folder_of_their_own(tmp_path):
    """As Kaggle unpacks MNIST."""
    for kind, array in (("images-idx4", PIXELS), ("labels-idx1", LABELS.astype(np.uint8))):
        (tmp_path / f"train-{kind}-ubyte").mkdir()
        (tmp_path / f"train-{kind}-ubyte" / f"train-{kind}-ubyte").write_bytes(idx_bytes(array))
    assert read(tmp_path)[1] == LABELS.astype(str).tolist()


def test_what_has_no_counterpart_is_said(tmp_path):
    (tmp_path / "train-images-idx4-ubyte").write_bytes(idx_bytes(PIXELS))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(LABELS.astype(np.uint8)))
    labels, pictures = find(tmp_path)
    assert "no file of pictures has a matching name" in labels.reason and labels.pictures == 0
    assert pictures.notes == ("train-images-idx4-ubyte: no labels are read",)
    assert read_labels(tmp_path, pictures) == [""] * 40


def read_labels(folder, pictures) -> list[str]:
    return [label for item in items_of(folder, pictures) for label in item.labels]


def test_a_packed_copy_beside_an_idx_file_is_said(tmp_path):
    (tmp_path / "train-images-idx4-ubyte").write_bytes(idx_bytes(PIXELS))
    (tmp_path / "train-images-idx4-ubyte.gz").write_bytes(gzip.compress(idx_bytes(PIXELS)))
    assert any("train-images-idx4-ubyte.gz is not read" in note for note in find_one(tmp_path).notes)


def test_one_damaged_file_leaves_the_others_alone(tmp_path):
    write_kind(tmp_path, "npz")
    bad = {
        "bad.npz": b"PK\x03\x04",
        "bad.npy": b"\x93NUMPY\x01\x00\x02\x00((",
        "bad.mat": b"MATLAB",
        "bad.h5": b"\x89HDF\r\n\x1a\n",
        "page.h5": b"<html>",
        "empty.npy": b"",
        "bad-images-idx3-ubyte": b"\0\0\x08\x03\xff",
        "bad-images-idx4-ubyte.gz": b"\x1f\x8b\x08",
    }
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
    found = {item.path: item for item in find(tmp_path)}
    assert {path for path, item in found.items() if isinstance(item, Rejected)} == set(bad)
    assert len(items_of(tmp_path, found["a.npz"])) == 1


def test_pictures_with_damaged_labels_are_refused(tmp_path):
    (tmp_path / "train-images-idx4-ubyte").write_bytes(idx_bytes(PIXELS))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"\0\0")
    reasons = {item.path: item for item in find(tmp_path)}
    assert "its labels in train-labels-idx1-ubyte" in reasons["train-images-idx4-ubyte"].reason
    assert reasons["train-images-idx4-ubyte"].pictures == 40


def test_pickles_are_never_loaded(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    path = tmp_path / "in" / "a.npy"
    path.parent.mkdir()
    np.save(path, np.array([Evil()], object), allow_pickle=True)
    assert "never loaded" in refused(path.parent)
    path.write_bytes(pickle.dumps(Evil()))
    assert "no array of NumPy's" in refused(path.parent)
    path.unlink()
    np.savez(path.with_suffix(".npz"), x=PIXELS, y=np.array([Evil()] * 40, object))
    pictures = find_one(path.parent)
    assert any("y is not read: it holds Python objects" in note for note in pictures.notes)
    assert items_of(path.parent, pictures)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "header, reason",
    [
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (18446744073709551616, 6, 5), }", "1.8e+19 x 6 x 5, which no file"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (830000000000000000000000, 28, 28), }", "8.3e+23 x 28 x 28"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 6, 5), }", "-1 x 6 x 5"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (4000, 6, 5), }", "download it again"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (4, 6, 5), }", "never loaded"),
        ("{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (4, 6, 5), }", "records of several fields"),
        ("{'descr': '|V9', 'fortran_order': False, 'shape': (4, 6, 5), }", "save plain numbers"),
        ("{'descr': '<M8', 'fortran_order': False, 'shape': (4, 6, 5), }", "save plain numbers"),
        ("{'descr': '<q7', 'fortran_order': False, 'shape': (4, 6, 5), }", "cannot be understood"),
        ("{'descr': '|u1', 'fortran_order': 1, 'shape': (4, 6, 5), }", "cannot be understood"),
        ("(" * 5000, "cannot be understood"),
        ("{'shape': ", "cannot be understood"),
        ("\0\n\t\x00'", "cannot be understood"),
        ("import os", "cannot be understood"),
    ],
)
@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_headers_that_lie(tmp_path, header, reason, kind):
    data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(120)
    if kind == "npy":
        (tmp_path / "a.npy").write_bytes(data)
    else:
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("x.npy", data)
    assert reason in refused(tmp_path)


@pytest.mark.parametrize(
    "array, reason",
    [
        (PIXELS[0, 0], "data.shape=[height,width,channels]" if PIXELS.shape[2] > 4 else "has the shape"),
        (PIXELS[0], "has the shape"),
        (np.zeros((3, 2, 6, 5, 3), np.uint8), "has the shape 3 x 2 x 6 x 5 x 3"),
        (np.zeros((9, 7, 6, 5), np.uint8), "5 channels: only 1 to 4 are read"),
        (PIXELS[:0], "holds no pictures"),
        (np.zeros((64, 48, 3), np.uint8), "is one picture"),
        (np.zeros((50, 784), np.uint8), "data.shape=[28,28,1]"),
        (PIXELS * 1j, "save plain numbers"),
        (LABELS.astype(str), "one number for each picture"),
    ],
    ids=range(9),
)
def test_arrays_that_are_no_pictures(tmp_path, array, reason):
    np.save(tmp_path / "pixels.npy", array)
    if array.shape == (6, 5, 3):  # small enough for a pile of strips
        assert find_one(tmp_path).count == 6
        return
    assert reason in refused(tmp_path) or "has the shape" in refused(tmp_path)


def test_pictures_that_are_too_large(tmp_path):
    np.save(tmp_path / "large.npy", np.full((5, 40, 30), 200, np.uint8))
    config = DataConfig(max_megapixels=0.001)
    items = items_of(tmp_path, find_one(tmp_path, config), config)
    assert [item.path for item in items] == [f"large.npy#{number}" for number in range(5)]
    assert all("more than 0.001 million pixels by its header" in item.reason for item in items)


def test_pictures_that_are_too_large_are_not_read(tmp_path):
    """A header may say a gigabyte for a picture; the file has holes in place of its pixels."""
    header = str({"descr": "|u1", "fortran_order": False, "shape": (2, 60_000, 60_000)}).ljust(118).encode()
    with open(tmp_path / "x.npy", "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + header)
        file.truncate(128 + 2 * 60_000**2)
    tracemalloc.start()
    items = items_of(tmp_path, find_one(tmp_path))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(items) == 2 and most < 50e6


@pytest.mark.parametrize("kind", KINDS)
def test_containers_can_be_sent_to_workers(tmp_path, kind):
    write_kind(tmp_path, kind)
    pictures = find_one(tmp_path)
    assert pickle.loads(pickle.dumps(pictures)) == pictures


def cut(path, by: int) -> None:
    path.write_bytes(path.read_bytes()[:-by])


@pytest.mark.parametrize("kind", ["npz", "npz packed", "npy", "idx", "idx packed", "mat", "h5"])
def test_a_file_that_is_cut_short_is_refused(tmp_path, kind):
    write_kind(tmp_path, kind)
    path = max(tmp_path.iterdir(), key=lambda path: path.stat().st_size)
    cut(path, path.stat().st_size // 2)
    (refusal,) = (item for item in find(tmp_path) if item.path == path.name)
    assert isinstance(refusal, Rejected)


@pytest.mark.parametrize("kind", ["idx packed", "mat packed"])
def test_pictures_before_damage_count(tmp_path, kind):
    pixels = np.random.default_rng(3).integers(0, 8, (9000, 16, 16), np.uint8) * np.uint8(30)
    write_kind(tmp_path, kind, pixels, np.arange(9000) % 4)
    path = max(tmp_path.iterdir(), key=lambda path: path.stat().st_size)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + (data[-8:] if kind == "idx packed" else b""))
    (pictures,) = [item for item in find(tmp_path) if not isinstance(item, Rejected)]
    *blocks, last = items_of(tmp_path, replace(pictures, labels=None))
    assert all(isinstance(block, Block) for block in blocks)
    assert isinstance(last, Rejected) and "damaged" in last.reason
    assert 4000 < last.pictures < 5000
    good = 9000 - last.pictures - 5  # the very last may be garbled already
    np.testing.assert_array_equal(np.concatenate([block.pixels for block in blocks])[:good, ..., 0], pixels[:good])


@pytest.mark.parametrize("kind", ["idx packed", "npz packed"])
def test_a_wrong_checksum_is_said(tmp_path, kind):
    write_kind(tmp_path, kind, np.random.default_rng(3).integers(0, 256, (9000, 16, 16), np.uint8), np.arange(9000) % 4)
    path = max(tmp_path.iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255  # of noise, which deflate keeps as it is
    path.write_bytes(data)
    last = items_of(tmp_path, find_one(tmp_path))[-1]
    assert isinstance(last, Rejected) and ("checksum" in last.reason or "damaged" in last.reason)
    assert last.pictures < 100


def test_a_file_that_is_gone(tmp_path):
    write_kind(tmp_path, "npy")
    pictures = find_one(tmp_path)
    (tmp_path / "x.npy").unlink()
    (refusal,) = items_of(tmp_path, pictures)
    assert "can no longer be read" in refusal.reason and refusal.pictures == 40
