"""TFRecords of tf.Example."""

from __future__ import annotations

import struct

import google_crc32c
import pytest
import tensorflow as tf

from components.image_example_gen.config import DataConfig
from components.image_example_gen.readers.records import DAMAGED, is_records
from tests.components.image_example_gen.ingestion import encode, ingest, picture


def example(**features) -> bytes:
    made = tf.train.Example()
    for name, value in features.items():
        feature = made.features.feature[name.replace("_", "/")]
        (feature.int64_list if isinstance(value, int) else feature.bytes_list).value.append(value)
    return made.SerializeToString()


def write(path, records):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), "GZIP" if path.suffix == ".gz" else "") as writer:
        for record in records:
            writer.write(record)
    return path


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_pictures_with_labels_by_name_and_by_number(tmp_path, suffix):
    write(tmp_path / f"in/train.tfrecord-00000-of-00002{suffix}", [example(jpg=encode(picture(i)), cls=i % 2) for i in range(30)])
    write(
        tmp_path / f"in/train.tfrecord-00001-of-00002{suffix}",
        [example(jpg=encode(picture(i)), cls=b"bird") for i in range(30, 50)],
    )
    write(tmp_path / f"in/test.tfrecords{suffix}", [example(jpg=encode(picture(i))) for i in range(50, 55)])
    config = DataConfig(record_image="jpg", record_label="cls", label_names=("cat", "dog"))
    result = ingest(tmp_path / "in", tmp_path / "out", config)
    assert result.summary["pictures"]["test"] == 5 and len(result.examples()) == 55
    labels = {path: found["image/label"] for path, found in result.examples().items()}
    assert labels[f"train.tfrecord-00000-of-00002{suffix}#3"] == b"dog"
    assert labels[f"train.tfrecord-00001-of-00002{suffix}#3"] == b"bird"
    assert labels[f"test.tfrecords{suffix}#3"] == b""


def test_packed_whatever_the_name_says(tmp_path):
    (tmp_path / "in").mkdir()
    with tf.io.TFRecordWriter(str(tmp_path / "in/a.tfrecord"), "GZIP") as writer:
        for seed in range(60):
            writer.write(example(image_encoded=encode(picture(seed))))
    result = ingest(tmp_path / "in", tmp_path / "out")
    assert len(result.examples()) == 60 and not result.rejects


def test_its_own_examples_are_read_back(tmp_path):
    (tmp_path / "in").mkdir()
    for seed in range(40):
        (tmp_path / f"in/{seed}.png").write_bytes(encode(picture(seed)))
    first = ingest(tmp_path / "in", tmp_path / "first")
    again = ingest(first.uri, tmp_path / "again")
    assert again.examples().keys() == {
        f"{name}#{i}" for name in first.files() for i in range(first.summary["pictures"][split(name)])
    }


def split(name: str) -> str:
    return name.split("/")[0].removeprefix("Split-")


def test_what_is_refused(tmp_path):
    records = [example(image_encoded=encode(picture(i))) for i in range(30)]
    records[3:6] = [b"\xff no message", example(other=b"x"), example(image_encoded=b"no picture")]
    result = ingest(write(tmp_path / "in/a.tfrecord", records), tmp_path / "out")
    assert result.rejects == {
        "a.tfrecord#3": "a record that is no tf.Example",
        "a.tfrecord#4": "a record without the feature image/encoded: data.record_image names another",
        "a.tfrecord#5": "not a PNG, JPEG, GIF, WebP, BMP or TIFF picture, whatever the name says",
    }


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_record_that_is_too_large_is_passed_over(tmp_path, suffix):
    records = [example(image_encoded=encode(picture(i))) for i in range(30)]
    records[4] = bytes(3_000_000)
    config = DataConfig(max_file_megabytes=2)
    result = ingest(write(tmp_path / f"in/a.tfrecord{suffix}", records), tmp_path / "out", config)
    assert result.rejects == {f"a.tfrecord{suffix}#4": "larger than 2 megabytes: not read"}
    assert len(result.examples()) == 29


@pytest.mark.parametrize("length", [1 << 40, (1 << 64) - 1])
def test_a_header_that_promises_more_than_there_is(tmp_path, length):
    path = write(tmp_path / "in/a.tfrecord", [example(image_encoded=encode(picture(i))) for i in range(30)])
    crc = google_crc32c.value(header := struct.pack("<Q", length))
    masked = (((crc >> 15 | crc << 17) & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF
    path.write_bytes(path.read_bytes() + header + struct.pack("<I", masked) + b"no end")
    result = ingest(path, tmp_path / "out")
    assert result.rejects == {"a.tfrecord": DAMAGED} and len(result.examples()) == 30


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_file_that_is_cut_short_or_damaged(tmp_path, suffix):
    path = write(tmp_path / f"in/a.tfrecord{suffix}", [example(image_encoded=encode(picture(i))) for i in range(60)])
    data = bytearray(path.read_bytes())
    data[len(data) * 3 // 4] ^= 0xFF
    path.write_bytes(data)
    result = ingest(tmp_path / "in", tmp_path / "out")
    assert result.rejects == {f"a.tfrecord{suffix}": DAMAGED} and 20 < len(result.examples()) < 60


@pytest.mark.parametrize(
    "name, expected",
    [
        ("a.tfrecord", True),
        ("x/train.tfrecords.gz", True),
        ("train.tfrecord-00000-of-00010", True),
        ("cifar10-train.tfrecord-00000-of-00001.gz", True),
        ("data_tfrecord-00000-of-00001", True),
        ("notes.txt", False),
        ("tfrecord.png", False),
    ],
)
def test_names(name, expected):
    assert is_records(name) is expected
