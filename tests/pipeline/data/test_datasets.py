"""Data sets by name: found, downloaded, verified, converted."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import http.server
import os
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.find import find_sources
from components.image_example_gen.readers.arrays.idx import inspect_idx, write_idx
from components.image_example_gen.storage.files import FoundFile
from pipeline.data import datasets
from pipeline.data.datasets import CIFAR10_BATCHES, CIFAR10_FOLDER, prepare_dataset

LINKED = DataConfig(follow_links=True)
IDX_FILES = list(datasets.MNIST.files)
DATA_ROOT = os.environ.get(datasets.ENVIRONMENT_VARIABLE)  # before the fixture below hides it


@pytest.fixture(autouse=True)
def no_data_root(monkeypatch):
    monkeypatch.delenv(datasets.ENVIRONMENT_VARIABLE, raising=False)


@pytest.fixture
def served(tmp_path):
    """A folder and the URL that a server on this machine serves it by."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    handler.log_message = lambda *arguments: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def write_mnist_like(folder: Path, seed: int = 0) -> dict[str, str]:
    """Writes the four files of a tiny MNIST and returns their checksums."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 4, 4), dtype=np.uint8)
    for name in IDX_FILES:
        values = pixels if "images" in name else np.arange(6, dtype=np.uint8)
        write_idx(folder / name, values.shape, [values.tobytes()])
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in IDX_FILES}


def write_batches(folder: Path) -> np.ndarray:
    """Writes CIFAR-10's six batches with two pictures each; returns the records, uint8 of shape [6, 2, 3073]."""
    folder.mkdir(parents=True)
    records = np.random.default_rng(0).integers(0, 256, (6, 2, 3073), dtype=np.uint8)
    records[:, :, 0] %= 10
    for name, batch in zip([*CIFAR10_BATCHES["train"], *CIFAR10_BATCHES["test"]], records):
        (folder / name).write_bytes(batch.tobytes())
    return records


def mistake(*arguments) -> str:
    with pytest.raises(InputError) as caught:
        prepare_dataset(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def read(folder: str, name: str) -> np.ndarray:
    (array,) = inspect_idx(folder, FoundFile(name, os.path.getsize(os.path.join(folder, name)), -1)).arrays
    assert len(array.shape) in (1, 3, 4) and array.dtype == np.uint8
    return np.concatenate(list(array.rows(folder, 0, array.shape[0], array.shape[0])))


def test_digits_are_written_once_and_the_same_everywhere(tmp_path):
    prepared = prepare_dataset("digits", None, str(tmp_path / "one"))
    assert prepared.label_names == tuple("0123456789")
    images, labels = (read(prepared.folder, f"digits-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1"))
    assert images.shape == (1797, 8, 8) and (images.min(), images.max()) == (0, 255) and 128 in images  # 8 of 16
    assert labels[:10].tolist() == list(range(10))

    fingerprint = find_sources(prepared.folder).fingerprint
    assert find_sources(prepare_dataset("digits", None, str(tmp_path / "one")).folder).fingerprint == fingerprint
    again = Path(prepare_dataset("digits", None, str(tmp_path / "two")).folder)
    for path in Path(prepared.folder).iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes()


def test_found_in_the_folder_of_its_name(tmp_path, monkeypatch):
    write_mnist_like(tmp_path / "root/fashion-mnist")
    by_option = prepare_dataset("fashion-mnist", str(tmp_path / "root"), str(tmp_path / "work"))
    assert by_option.folder == str(tmp_path / "root/fashion-mnist")
    assert by_option.label_names[0] == "t_shirt" and len(by_option.label_names) == 10
    monkeypatch.setenv(datasets.ENVIRONMENT_VARIABLE, str(tmp_path / "root"))
    assert prepare_dataset("fashion-mnist", None, str(tmp_path / "work")) == by_option


def test_found_beside_other_things_only_its_own_files_are_read(tmp_path):
    write_mnist_like(tmp_path / "root")
    (tmp_path / "root/holiday.png").write_bytes(b"x")
    first = prepare_dataset("mnist", str(tmp_path / "root"), str(tmp_path / "work"))
    sources = find_sources(first.folder, LINKED)
    assert not sources.files and len(sources.containers) == 2
    second = prepare_dataset("mnist", str(tmp_path / "root"), str(tmp_path / "work"))
    assert find_sources(second.folder, LINKED).fingerprint == sources.fingerprint


def test_files_of_another_data_set_are_not_mistaken_for_it(tmp_path, monkeypatch, served):
    checksums = write_mnist_like(tmp_path / "root")
    monkeypatch.setattr(datasets, "FASHION_MNIST", dataclasses.replace(datasets.FASHION_MNIST, files=checksums))
    monkeypatch.setattr(datasets, "MNIST", dataclasses.replace(datasets.MNIST, url=served[1]))
    assert "cannot be downloaded" in mistake("mnist", str(tmp_path / "root"), str(tmp_path / "work"))


def test_download_is_verified_and_done_once(tmp_path, monkeypatch, served):
    folder, url = served
    checksums = write_mnist_like(folder)
    monkeypatch.setattr(datasets, "MNIST", dataclasses.replace(datasets.MNIST, url=url, files=checksums))
    prepared = prepare_dataset("mnist", None, str(tmp_path / "work"))
    assert prepared.folder == str(tmp_path / "work/datasets/mnist")
    assert sorted(path.name for path in Path(prepared.folder).iterdir()) == sorted(IDX_FILES)
    for name in IDX_FILES:
        (folder / name).unlink()
    assert prepare_dataset("mnist", None, str(tmp_path / "work")) == prepared


def test_a_wrong_checksum_is_refused(tmp_path, monkeypatch, served):
    folder, url = served
    write_mnist_like(folder)
    monkeypatch.setattr(datasets, "MNIST", dataclasses.replace(datasets.MNIST, url=url))
    message = mistake("mnist", None, str(tmp_path / "work"))
    assert "checksum" in message and "by hand" in message
    assert not list((tmp_path / "work/datasets/mnist").iterdir())


def test_a_failed_download_says_what_to_do(tmp_path, monkeypatch, served):
    monkeypatch.setattr(datasets, "MNIST", dataclasses.replace(datasets.MNIST, url=served[1]))
    message = mistake("mnist", None, str(tmp_path / "work"))
    assert "File not found" in message
    assert f"put {', '.join(IDX_FILES)} into {tmp_path}/work/datasets/mnist by hand" in message
    assert not list((tmp_path / "work/datasets/mnist").iterdir())


@pytest.mark.parametrize("place", ["root/cifar10", "root", "work/datasets/cifar10"])
@pytest.mark.parametrize("packed", [False, True])
def test_cifar10_is_converted_once(tmp_path, monkeypatch, place, packed):
    monkeypatch.setattr(datasets, "CIFAR10_PICTURES", 2)
    place = tmp_path / place
    records = write_batches(place / CIFAR10_FOLDER)
    if packed:
        with tarfile.open(place / "cifar-10-binary.tar.gz", "w:gz") as tar:
            tar.add(place / CIFAR10_FOLDER, CIFAR10_FOLDER)
        (place / CIFAR10_FOLDER).rename(tmp_path / "away")
    (tmp_path / "root").mkdir(exist_ok=True)
    prepared = prepare_dataset("cifar10", str(tmp_path / "root"), str(tmp_path / "work"))

    assert prepared.label_names[:2] == ("airplane", "automobile")
    images, labels = read(prepared.folder, "train-images-idx4-ubyte"), read(prepared.folder, "train-labels-idx1-ubyte")
    assert images.shape == (10, 32, 32, 3)
    np.testing.assert_array_equal(images[3, :, :, 2], records[1, 1, 1 + 2 * 1024 :].reshape(32, 32))
    np.testing.assert_array_equal(labels, records[:5, :, 0].reshape(-1))
    assert read(prepared.folder, "test-images-idx4-ubyte").shape == (2, 32, 32, 3)
    sources = find_sources(prepared.folder)
    assert [idx.split for idx in sources.containers] == ["test", "train"] and not sources.files
    again = prepare_dataset("cifar10", None, str(tmp_path / "work"))
    assert find_sources(again.folder).fingerprint == sources.fingerprint


def test_cifar10_downloaded(tmp_path, monkeypatch, served):
    folder, url = served
    monkeypatch.setattr(datasets, "CIFAR10_PICTURES", 2)
    write_batches(tmp_path / CIFAR10_FOLDER)
    archive = folder / "cifar-10-binary.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / CIFAR10_FOLDER, CIFAR10_FOLDER)
    files = {archive.name: hashlib.sha256(archive.read_bytes()).hexdigest()}
    monkeypatch.setattr(datasets, "CIFAR10", dataclasses.replace(datasets.CIFAR10, url=url, files=files))
    assert find_sources(prepare_dataset("cifar10", None, str(tmp_path / "work")).folder).count == 12


def test_cifar10_damaged(tmp_path):
    root = tmp_path / "cifar10"
    root.mkdir()
    (root / "cifar-10-binary.tar.gz").write_bytes(b"<html>")
    assert "cannot be unpacked" in mistake("cifar10", str(tmp_path), str(tmp_path / "work"))
    write_batches(root / CIFAR10_FOLDER)  # of two pictures, not 10,000
    assert "is not a batch of CIFAR-10" in mistake("cifar10", str(tmp_path), str(tmp_path / "work"))


def test_unknown_name(tmp_path):
    assert "digits, mnist, fashion-mnist, cifar10" in mistake("imagenet", None, str(tmp_path))


def test_a_data_root_that_is_not_there(tmp_path, monkeypatch):
    assert "does not exist" in mistake("mnist", str(tmp_path / "nowhere"), str(tmp_path))
    monkeypatch.setenv(datasets.ENVIRONMENT_VARIABLE, str(tmp_path / "nowhere"))
    assert f"which {datasets.ENVIRONMENT_VARIABLE} names" in mistake("mnist", None, str(tmp_path))


@pytest.mark.skipif(not DATA_ROOT, reason=f"needs {datasets.ENVIRONMENT_VARIABLE}, the folder of real data sets")
def test_the_real_fashion_mnist(tmp_path):
    prepared = prepare_dataset("fashion-mnist", DATA_ROOT, str(tmp_path))
    images = read(prepared.folder, "train-images-idx3-ubyte.gz")
    assert images.shape == (60_000, 28, 28)
    assert (round(images.mean(), 2), round(images.std(), 2)) == (72.94, 90.02)
    assert read(prepared.folder, "train-labels-idx1-ubyte.gz")[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
