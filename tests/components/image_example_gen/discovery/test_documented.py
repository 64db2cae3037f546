"""Every source of docs/data.md, made by the library that its users have, and read by the very command that stands there."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import tarfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.io
import tensorflow as tf

from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.find import find_sources
from pipeline.config.loading import apply_overrides
from tests.components.image_example_gen.ingestion import encode, ingest, picture, write_idx_pair, write_pictures

COUNT = 60
PIXELS = np.stack([picture(seed, 16, 16) for seed in range(COUNT)])
COLOR = np.stack([picture(seed, 32, 32, 3) for seed in range(COUNT)])
NUMBERS = np.arange(COUNT) % 2
DOCUMENT = (Path(__file__).parents[4] / "docs/data.md").read_text(encoding="utf-8")
# What needs a server is tested beside its store: test_stores.py, test_hub.py, test_manifests.py; spans in test_spans.py.
ELSEWHERE = ("s3://", "hf://", "https://", "{SPAN}")


def animals(folder):
    for number, name in enumerate(("cat", "dog")):
        write_pictures(folder / name, COUNT // 2, number * 100)


def cats(work):
    animals(work / "cats")


def cats_zip(work):
    with zipfile.ZipFile(work / "cats.zip", "w") as archive:
        for seed in range(COUNT):
            archive.writestr(f"{'cat' if seed % 2 else 'dog'}/{seed}.png", encode(picture(seed)))


def shards(work):
    (work / "shards").mkdir()
    with tarfile.open(work / "shards/train-000000.tar", "w") as archive:
        for seed in range(COUNT):
            for name, data in ((f"{seed:06d}.jpg", encode(picture(seed), "JPEG")), (f"{seed:06d}.cls", str(seed % 2).encode())):
                header = tarfile.TarInfo(name)
                header.size = len(data)
                archive.addfile(header, io.BytesIO(data))


def gzip_zip(work):
    write_idx_pair(work / "inside", "letters-train", PIXELS, NUMBERS)
    with zipfile.ZipFile(work / "gzip.zip", "w") as archive:
        for path in sorted((work / "inside").iterdir()):
            archive.write(path, f"gzip/{path.name}")


def train_images_idx3_ubyte_gz(work):
    write_idx_pair(work, "train", PIXELS, NUMBERS)


def mnist_npz(work):
    np.savez(work / "mnist.npz", x_train=PIXELS[:40], y_train=NUMBERS[:40], x_test=PIXELS[40:], y_test=NUMBERS[40:])


def sprites_npz(work):
    np.savez(work / "sprites.npz", imgs=PIXELS, masks=PIXELS, labels=NUMBERS)


def floats_npz(work):
    np.savez(work / "floats.npz", images=(PIXELS / 255).astype(np.float32), labels=NUMBERS)


def train_32x32_mat(work):
    values = {"X": COLOR.transpose(1, 2, 3, 0), "y": NUMBERS[:, None].astype(np.uint8) + 1}
    scipy.io.savemat(work / "train_32x32.mat", values, do_compression=True)


def galaxies_h5(work):
    with h5py.File(work / "galaxies.h5", "w") as file:
        file["images"], file["ans"] = COLOR, NUMBERS


def cifar_10_batches_bin(work):
    folder = work / "cifar-10-batches-bin"
    folder.mkdir()
    rows = [bytes([label]) + pixels.transpose(2, 0, 1).tobytes() for label, pixels in zip(NUMBERS, COLOR)]
    (folder / "data_batch_1.bin").write_bytes(b"".join(rows))
    (folder / "batches.meta.txt").write_text("\n".join(["cat", "dog", *"cdefghij"]))


def digits_csv(work):
    with (work / "digits.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["label", *(f"pixel{place}" for place in range(256))])
        writer.writerows([label, *pixels.reshape(-1)] for label, pixels in zip(NUMBERS, PIXELS))


def data(work):
    (work / "data").mkdir()
    features = {
        "image": {"_type": "Image"},
        "label": {"_type": "ClassLabel", "names": ["cat", "dog"]},
    }
    table = pa.table(
        {
            "image": pa.array([{"bytes": encode(pixels), "path": None} for pixels in PIXELS]),
            "label": pa.array(NUMBERS, pa.int64()),
        }
    ).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, work / "data/train-00000-of-00001.parquet")


def animals_with_metadata(work):
    write_pictures(work / "animals", COUNT)
    rows = "".join(f"{seed:04d}.png,{'cat' if seed % 2 else 'dog'}\n" for seed in range(COUNT))
    (work / "animals/metadata.csv").write_text(f"file_name,label\n{rows}")


def cats_tfrecord(work):
    with tf.io.TFRecordWriter(str(work / "cats.tfrecord")) as writer:
        for pixels, label in zip(PIXELS, NUMBERS):
            features = {
                "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[encode(pixels)])),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


def list_csv(work):
    animals(work / "pictures")
    rows = [
        f"pictures/{name}/{number:04d}.png,{name}"
        for name, first in (("cat", 0), ("dog", 100))
        for number in range(first, first + COUNT // 2)
    ]
    (work / "list.csv").write_text("\n".join(["path,label", *rows]))


MADE = {
    "cats/": cats,
    "cats.zip": cats_zip,
    "shards/": shards,
    "gzip.zip": gzip_zip,
    "train-images-idx3-ubyte.gz": train_images_idx3_ubyte_gz,
    "mnist.npz": mnist_npz,
    "sprites.npz": sprites_npz,
    "floats.npz": floats_npz,
    "train_32x32.mat": train_32x32_mat,
    "galaxies.h5": galaxies_h5,
    "cifar-10-batches-bin/": cifar_10_batches_bin,
    "digits.csv": digits_csv,
    "data/": data,
    "animals/": animals_with_metadata,
    "cats.tfrecord": cats_tfrecord,
    "list.csv": list_csv,
}


def commands() -> list[list[str]]:
    """The arguments of every command in the table of sources."""
    found = [shlex.split(line) for line in re.findall(r"^\| `darkroom run --images ([^`]+)`", DOCUMENT, re.MULTILINE)]
    return [words for words in found if not any(mark in words[0] for mark in ELSEWHERE)]


def test_every_command_of_the_document_is_tried():
    assert {words[0] for words in commands()} == set(MADE)


@pytest.mark.parametrize("words", commands(), ids=lambda words: words[0])
def test_a_documented_command_reads_all_pictures_with_their_labels(words, tmp_path, monkeypatch):
    MADE[words[0]](tmp_path)
    monkeypatch.chdir(tmp_path)
    values = apply_overrides({}, [word for word in words[1:] if word != "--set"]).get("data", {})
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    config = DataConfig(**values)
    result = ingest(words[0].rstrip("/"), tmp_path / "out", config)
    examples = result.examples()
    assert len(examples) == COUNT == find_sources(words[0].rstrip("/"), config).count
    assert len({example["image/label"] for example in examples.values()}) == 2
    assert result.summary["rejected"] == 0 and result.summary["notes"][0].startswith("splits: train")
