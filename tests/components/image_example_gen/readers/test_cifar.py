"""The binary files of CIFAR-10, CIFAR-100 and STL-10."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Block, Rejected
from components.image_example_gen.readers import cifar
from components.image_example_gen.readers.cifar import CifarPictures, find, is_beside, is_mine
from components.image_example_gen.storage.files import stat_file

NAMES_10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
COUNT = 700


def pictures(count: int = COUNT, side: int = 32) -> np.ndarray:
    return np.random.default_rng(side).integers(0, 256, (count, side, side, 3), np.uint8)


def cifar_10(pixels: np.ndarray) -> bytes:
    return b"".join(bytes([i * 7 % 10]) + one.transpose(2, 0, 1).tobytes() for i, one in enumerate(pixels))


def cifar_100(pixels: np.ndarray) -> bytes:
    return b"".join(bytes([i % 20, i * 7 % 100]) + one.transpose(2, 0, 1).tobytes() for i, one in enumerate(pixels))


def stl_10(pixels: np.ndarray) -> bytes:
    return b"".join(one.transpose(2, 1, 0).tobytes() for one in pixels)


def saved(tmp_path, name: str, data: bytes, config: DataConfig | None = None):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(data)
    assert is_mine(name)
    return find(str(tmp_path), stat_file(str(tmp_path), name), config or DataConfig())


def items_of(tmp_path, found, config: DataConfig | None = None, size: int = 300) -> list:
    assert isinstance(found, CifarPictures), found
    return [item for at in found.units(size) for item in found.read(str(tmp_path), *at, config or DataConfig())]


def read(tmp_path, found, config: DataConfig | None = None, size: int = 300) -> tuple[np.ndarray, list[str], set[str | None]]:
    blocks = items_of(tmp_path, found, config, size)
    at = 0
    for block in blocks:
        assert isinstance(block, Block) and block.first == at and block.pixels.nbytes <= 2 << 20
        at += len(block.pixels)
    assert at == found.count
    labels = [label for block in blocks for label in block.labels]
    return np.concatenate([block.pixels for block in blocks]), labels, {block.split for block in blocks}


@pytest.mark.parametrize("name, split", [("data_batch_1.bin", "train"), ("a/test_batch.bin", "test")])
@pytest.mark.parametrize("size", [1, 299, 10_000])
def test_cifar_10(tmp_path, name, split, size):
    pixels = pictures()
    found = saved(tmp_path, name, cifar_10(pixels))
    got = read(tmp_path, found, size=size)
    np.testing.assert_array_equal(got[0], pixels)
    assert got[1] == [str(i * 7 % 10) for i in range(COUNT)] and got[2] == {split} and not found.notes
    (tmp_path / name).with_name("batches.meta.txt").write_bytes("\n".join((*NAMES_10, "", "")).encode())
    found = saved(tmp_path, name, cifar_10(pixels))
    assert read(tmp_path, found)[1] == [NAMES_10[i * 7 % 10] for i in range(COUNT)]
    config = DataConfig(label_names=tuple("abcdefghij"))
    assert read(tmp_path, found, config)[1] == ["abcdefghij"[i * 7 % 10] for i in range(COUNT)]
    with pytest.raises(InputError, match="holds the label 9, but data.label_names names only 3"):
        items_of(tmp_path, found, DataConfig(label_names=("a", "b", "c")))


def test_cifar_100_has_two_labels(tmp_path):
    pixels = pictures()
    for kind, count in (("fine", 100), ("coarse", 20)):
        (tmp_path / f"{kind}_label_names.txt").write_text("\n".join(f"{kind} {i}" for i in range(count)))
    found = saved(tmp_path, "train.bin", cifar_100(pixels))
    np.testing.assert_array_equal(read(tmp_path, found)[0], pixels)
    assert read(tmp_path, found)[1:] == ([f"fine {i * 7 % 100}" for i in range(COUNT)], {"train"})
    assert found.notes == ("train.bin: the coarse labels are not used: data.label_column=0 takes them",)
    for column, kind in enumerate(("coarse", "fine")):
        found = saved(tmp_path, "test.bin", cifar_100(pixels), DataConfig(label_column=column))
        assert read(tmp_path, found)[1][1] == f"{kind} {7 if column else 1}"
    with pytest.raises(InputError, match="data.label_column is 2"):
        saved(tmp_path, "test.bin", cifar_100(pixels), DataConfig(label_column=2))


def test_stl_10(tmp_path):
    pixels, labels = pictures(90, 96), [i % 10 + 1 for i in range(90)]
    found = saved(tmp_path, "unlabeled_X.bin", stl_10(pixels))
    np.testing.assert_array_equal(read(tmp_path, found)[0], pixels)
    assert read(tmp_path, found)[1] == [""] * 90 and not found.notes
    found = saved(tmp_path, "train_X.bin", stl_10(pixels))
    assert found.notes == ("train_X.bin: no train_y.bin beside it: its pictures have no labels",)
    assert read(tmp_path, found)[1] == [""] * 90
    (tmp_path / "train_y.bin").write_bytes(bytes(labels))
    assert read(tmp_path, saved(tmp_path, "train_X.bin", stl_10(pixels)), size=40)[1] == [str(label) for label in labels]
    (tmp_path / "class_names.txt").write_text("\n".join(NAMES_10))
    got = read(tmp_path, saved(tmp_path, "train_X.bin", stl_10(pixels)), size=40)
    np.testing.assert_array_equal(got[0], pixels)
    assert got[1:] == ([NAMES_10[label - 1] for label in labels], {"train"})
    (tmp_path / "train_y.bin").write_bytes(bytes([0, 11, *labels[2:]]))
    items = items_of(tmp_path, saved(tmp_path, "train_X.bin", stl_10(pixels)))
    assert items[:2] == [Rejected("train_X.bin#0", reasons.CIFAR_LABEL), Rejected("train_X.bin#1", reasons.CIFAR_LABEL)]
    (tmp_path / "train_y.bin").write_bytes(bytes(89))
    refused = saved(tmp_path, "train_X.bin", stl_10(pixels))
    assert refused == Rejected("train_X.bin", "90 pictures, but 89 labels in train_y.bin beside it", 90)


@pytest.mark.parametrize("name, size", [("data_batch_2.bin", 3073), ("train.bin", 3074), ("test_X.bin", 27648)])
def test_sizes_that_are_no_number_of_records(tmp_path, name, size):
    refused = saved(tmp_path, name, bytes(size * 3 + 5))
    assert refused == Rejected(name, f"truncated: {size * 3 + 5:,} bytes are no whole number of {size:,}-byte records")
    assert saved(tmp_path, name, b"") == Rejected(name, "the file is empty")


def test_what_is_of_another_kind_and_labels_that_are_wrong(tmp_path):
    noise = random.Random(1).randbytes(3074 * 50)
    refused = saved(tmp_path, "train.bin", noise)
    assert refused.reason == "not the binary format of CIFAR-100: most of its labels are higher than that has"
    pixels = pictures(400)
    data = bytearray(cifar_10(pixels))
    for place in (0, 5, 6, 399):
        data[place * 3073] = 10
    found = saved(tmp_path, "data_batch_1.bin", bytes(data))
    for size in (10_000, 7):
        items = items_of(tmp_path, found, size=size)
        refused = [item for item in items if isinstance(item, Rejected)]
        assert refused == [Rejected(f"data_batch_1.bin#{place}", reasons.CIFAR_LABEL) for place in (0, 5, 6, 399)]
        kept = [(item.first + i, one) for item in items if isinstance(item, Block) for i, one in enumerate(item.pixels)]
        assert [place for place, _ in kept] == [place for place in range(400) if place not in (0, 5, 6, 399)]
        assert all((one == pixels[place]).all() for place, one in kept)


def test_a_file_of_names_that_is_none(tmp_path):
    (tmp_path / "batches.meta.txt").write_text("<html>\n<body>\n")
    found = saved(tmp_path, "data_batch_1.bin", cifar_10(pictures(50)))
    assert found.notes == ("data_batch_1.bin: batches.meta.txt beside it has not 10 names: labels are numbers",)
    assert read(tmp_path, found)[1][1] == "7"


@pytest.mark.parametrize("left", [0, 3073 * 350 + 9, 3073 * 699])
def test_a_file_that_shrinks_after_it_was_looked_at(tmp_path, left):
    pixels = pictures()
    found = saved(tmp_path, "data_batch_1.bin", cifar_10(pixels))
    (tmp_path / "data_batch_1.bin").write_bytes(cifar_10(pixels)[:left])
    items = items_of(tmp_path, found)
    kept = sum(len(item.pixels) for item in items if isinstance(item, Block))
    assert kept == left // 3073 and {item.reason for item in items if isinstance(item, Rejected)} == {reasons.CIFAR_CUT_SHORT}
    assert sum(item.pictures for item in items if isinstance(item, Rejected)) == COUNT - kept
    (tmp_path / "data_batch_1.bin").unlink()
    assert {item.pictures for item in items_of(tmp_path, found, size=COUNT)} == {COUNT}


class Trickle(io.RawIOBase):
    """A stream as a member of an archive may be: a few bytes at a time, and only forward."""

    def __init__(self, data: bytes):
        self._inner = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        return self._inner.readinto(memoryview(buffer)[:5000])


def test_streams_that_only_go_forward(tmp_path, monkeypatch):
    pixels = pictures()
    found = saved(tmp_path, "data_batch_1.bin", cifar_10(pixels))
    monkeypatch.setattr(cifar, "open_file", lambda path: Trickle(Path(path).read_bytes()))
    np.testing.assert_array_equal(read(tmp_path, found)[0], pixels)


def test_a_picture_that_is_too_large_is_refused_unread(tmp_path):
    items = items_of(tmp_path, saved(tmp_path, "train.bin", cifar_100(pictures(9))), DataConfig(max_megapixels=0.0001))
    assert len(items) == 9 and all(isinstance(item, Rejected) for item in items)


def test_whatever_is_damaged_nothing_is_raised(tmp_path):
    rng = random.Random(5)
    for name, data in (("data_batch_1.bin", cifar_10(pictures(9))), ("test.bin", cifar_100(pictures(9)))):
        for _ in range(150):
            changed = bytearray(data)
            for _ in range(rng.randint(1, 40)):
                changed[rng.randrange(len(changed))] = rng.randrange(256)
                if rng.random() < 0.5:
                    changed[rng.randrange(9) * (len(data) // 9)] = rng.randrange(256)
            if rng.random() < 0.2:
                del changed[rng.randrange(len(changed)) :]
            found = saved(tmp_path, name, bytes(changed))
            if isinstance(found, CifarPictures):
                items = items_of(tmp_path, found)
                assert sum(len(item.pixels) if isinstance(item, Block) else item.pictures for item in items) == 9


@pytest.mark.parametrize(
    "name, mine, beside",
    [
        ("cifar-10-batches-bin/data_batch_5.bin", True, False),
        ("test_batch.bin", True, False),
        ("train.bin", True, False),
        ("stl10_binary/unlabeled_X.bin", True, False),
        ("train_y.bin", False, True),
        ("x/batches.meta.txt", False, True),
        ("class_names.txt", False, True),
        ("model.bin", False, False),
        ("data_batch_1", False, False),
        ("my_train.bin", False, False),
    ],
)
def test_names(name, mine, beside):
    assert is_mine(name) is mine and is_beside(name) is beside
