"""Pickles are refused in words, and never loaded."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import random
import zipfile
import zlib

import numpy as np
import pytest

from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Rejected
from components.image_example_gen.readers.pickles import find, is_mine, is_pickle
from components.image_example_gen.storage.files import stat_file

BATCH = {b"data": np.zeros((3, 3072), np.uint8), b"labels": [1, 2, 3]}


def found_in(tmp_path, name: str, data: bytes) -> Rejected | None:
    (tmp_path / name).write_bytes(data)
    return find(str(tmp_path), stat_file(str(tmp_path), name), DataConfig())


@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 5])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zlib.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("name", ["mnist.pkl", "mnist.pkl.gz", "a.Pickle", "a.p", "model.joblib", "w.pth"])
def test_by_suffix(tmp_path, protocol, pack, name):
    for saved in (BATCH, [1, 2], np.zeros((4, 4)), (np.ones(3), np.ones(3))):
        assert found_in(tmp_path, name, pack(pickle.dumps(saved, protocol))) == Rejected(name, reasons.PICKLE)


@pytest.mark.parametrize("name", ["data_batch_1", "data_batch_5", "test_batch", "batches.meta", "train", "test", "meta"])
def test_cifar_names(tmp_path, name):
    assert found_in(tmp_path, name, pickle.dumps(BATCH, 2)) == Rejected(name, reasons.PICKLE_OF_CIFAR)
    assert len(reasons.PICKLE_OF_CIFAR) < 120 and "binary version" in reasons.PICKLE_OF_CIFAR


def test_as_torch_saves_them(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps([1], 2))
    assert found_in(tmp_path, "model.pt", buffer.getvalue()) == Rejected("model.pt", reasons.PICKLE)


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"\x80\x01", b"hello\n", b"\x1f\x8b", gzip.compress(b"text", mtime=0), b"PK\x03\x04", bytes(99)]
)
@pytest.mark.parametrize("name", ["a.pkl", "train", "notes.p"])
def test_what_only_has_the_name_is_passed_over(tmp_path, name, data):
    assert found_in(tmp_path, name, data) is None


@pytest.mark.parametrize("name", ["a.png", "train.bin", "data_batch_6", "x/traint", "pkl", "trainer"])
def test_other_names(name):
    assert not is_mine(name) and not is_pickle(name, pickle.dumps(BATCH))


def test_it_is_never_loaded(tmp_path):
    class Program:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "was-run"),)

    assert found_in(tmp_path, "a.pkl", pickle.dumps(Program())) == Rejected("a.pkl", reasons.PICKLE)
    assert not (tmp_path / "was-run").exists()


def test_a_file_that_cannot_be_opened(tmp_path):
    (tmp_path / "a.pkl").write_bytes(b"")
    file = stat_file(str(tmp_path), "a.pkl")
    (tmp_path / "a.pkl").unlink()
    assert find(str(tmp_path), file, DataConfig()) is None


def test_whatever_it_begins_with_nothing_is_raised():
    rng = random.Random(2)
    for pack in (gzip.compress, bz2.compress, lzma.compress, zlib.compress):
        data = pack(pickle.dumps(BATCH))
        for _ in range(100):
            changed = bytearray(data[: rng.randrange(len(data))])
            if changed:
                changed[rng.randrange(len(changed))] = rng.randrange(256)
            is_pickle("a.pkl", bytes(changed))
