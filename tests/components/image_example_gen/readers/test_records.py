"""TFRecords of tf.Example."""

from __future__ import annotations

import gzip
import random
import struct

import google_crc32c
import numpy as np
import pytest
import tensorflow as tf

from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.find import find_sources
from components.image_example_gen.items import Block, Encoded, Rejected
from components.image_example_gen.readers.records import find, is_mine
from components.image_example_gen.storage.files import FoundFile
from tests.components.image_example_gen.fuzz.damage import at_random
from tests.components.image_example_gen.ingestion import encode, ingest, picture


def example(**features) -> bytes:
    made = tf.train.Example()
    for name, value in features.items():
        feature = made.features.feature[name.replace("_", "/")]
        (feature.int64_list if isinstance(value, int) else feature.bytes_list).value.append(value)
    return made.SerializeToString()


def made(**features) -> bytes:
    """An example with features of any kind; two underscores stand for a slash."""
    example = tf.train.Example()
    for name, values in features.items():
        feature = example.features.feature[name.replace("__", "/")]
        values = values if isinstance(values, list) else [values]
        kinds = {bytes: feature.bytes_list, int: feature.int64_list, float: feature.float_list}
        kinds[type(values[0])].value.extend(values)
    return example.SerializeToString()


def found_in(path, config=DataConfig()):
    return find(str(path.parent), FoundFile(path.name, path.stat().st_size, 0), config)


def read(path, config=DataConfig()):
    """All that is read of a file of which something is."""
    found = found_in(path, config)
    assert not isinstance(found, Rejected), found
    ((start, stop),) = found.units(10)
    return list(found.read(str(path.parent), start, stop, config))


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
        "a.tfrecord#4": "a record without a feature of pictures: data.record_image names it",
        "a.tfrecord#5": "not a picture in a supported format, despite its name",
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
    assert result.rejects == {"a.tfrecord": reasons.RECORDS_DAMAGED} and len(result.examples()) == 30


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_file_that_is_cut_short_or_damaged(tmp_path, suffix):
    path = write(tmp_path / f"in/a.tfrecord{suffix}", [example(image_encoded=encode(picture(i))) for i in range(60)])
    data = bytearray(path.read_bytes())
    data[len(data) * 3 // 4] ^= 0xFF
    path.write_bytes(data)
    result = ingest(tmp_path / "in", tmp_path / "out")
    assert result.rejects == {f"a.tfrecord{suffix}": reasons.RECORDS_DAMAGED} and 20 < len(result.examples()) < 60


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
    assert is_mine(name) is expected


@pytest.mark.parametrize(
    "features, label",
    [
        ({"image": b"x", "label": 3, "file_name": b"a.png"}, "3"),
        ({"image__encoded": b"x", "image__class__label": 3, "image__class__text": b"cat"}, "cat"),
        ({"image__encoded": b"x", "image__label": b"mine", "image__class__text": b"cat"}, "mine"),
        ({"image_raw": b"x", "label": 3, "class__text": b"cat"}, "cat"),
        ({"jpg": b"x", "other": b"y", "cls": b"dog"}, "dog"),
        ({"image": 7, "img": b"x", "target": 1}, "1"),
        ({"image": b"y", "image__encoded": b"x", "label": 0.5}, ""),
        ({"png": b"x", "labels": [4]}, "4"),
        ({"encoded": b"x"}, ""),
    ],
)
def test_usual_names_text_before_numbers(tmp_path, features, label):
    path = write(tmp_path / "train.tfrecord", [made(**features)] * 2)
    assert read(path) == [Encoded(f"train.tfrecord#{number}", label, "train", b"x") for number in range(2)]


def test_what_the_configuration_names_goes_before_usual_names(tmp_path):
    path = write(tmp_path / "a.tfrecord", [made(image=b"no", mine=b"x", label=b"no", kind=1)])
    config = DataConfig(record_image="mine", record_label="kind", label_names=("cat", "dog"))
    assert read(path, config) == [Encoded("a.tfrecord#0", "dog", None, b"x")]


def test_names_of_labels_that_tfds_writes_beside_its_records(tmp_path):
    path = write(tmp_path / "x/digits-train.tfrecord-00000-of-00001", [made(image=b"x", label=number) for number in (1, 0, 5)])
    (path.parent / "label.labels.txt").write_text("zero\none\n")
    assert [item.label for item in read(path)] == ["one", "zero", "5"]
    assert [item.label for item in read(path, DataConfig(label_names=("a", "b")))] == ["b", "a", "5"]


def test_those_names_are_not_passed_over_and_a_change_of_them_is_seen(tmp_path):
    write(tmp_path / "digits-train.tfrecord-00000-of-00001", [made(image=b"x", label=0)] * 9)
    prints = set()
    for names in ("zero\none\n", "none\none\n"):
        (tmp_path / "label.labels.txt").write_text(names + "more\n" * len(prints))
        sources = find_sources(str(tmp_path))
        assert not sources.others and sources.count == 9
        prints.add(sources.fingerprint)
    assert len(prints) == 2


def test_of_several_labels_the_one_that_is_picked(tmp_path):
    path = write(tmp_path / "a.tfrecord", [made(image=b"x", label=[5, 6, 7]), made(image=b"x", label=[8])])
    assert [item.label for item in read(path)] == ["", "8"]
    assert found_in(path).notes == ("a.tfrecord: the feature label has 3 values: data.label_column picks one",)
    config = DataConfig(label_column=1)
    assert [item.label for item in read(path, config)] == ["6", "8"] and not found_in(path, config).notes


@pytest.mark.parametrize(
    "features, config, shape",
    [
        ({"image_raw": bytes(12 * 8), "height": 12, "width": 8}, {}, (12, 8, 1)),
        ({"image_raw": bytes(12 * 8 * 3), "height": 12, "width": 8, "depth": 3}, {}, (12, 8, 3)),
        ({"image__encoded": bytes(96), "image__height": 12, "image__width": 4, "image__channels": 2}, {}, (12, 4, 2)),
        ({"image_raw": bytes(784)}, {}, (28, 28, 1)),
        ({"image_raw": bytes(32 * 32 * 3), "label": 1}, {}, (32, 32, 3)),
        ({"image": bytes(60)}, {"shape": (4, 5, 3)}, (4, 5, 3)),
        ({"pixels": bytes(25)}, {"record_image": "pixels"}, (5, 5, 1)),
        ({"image": bytes(25)}, {}, None),
        ({"image_raw": bytes(26)}, {}, None),
        ({"image_raw": bytes(9)}, {}, None),
        ({"image_raw": bytes(97), "height": 12, "width": 8}, {}, None),
        ({"image_raw": bytes(60), "height": 0, "width": -8}, {}, None),
        ({"image_raw": bytes(96), "height": -12, "width": -8}, {}, None),
        ({"image_raw": bytes(60), "height": 4, "width": 3}, {}, None),
    ],
)
def test_bare_pixels_of_as_many_bytes_as_their_shape(tmp_path, features, config, shape):
    (item,) = read(write(tmp_path / "a.tfrecord", [made(**features)]), DataConfig(**config))
    assert (item.pixels.shape[1:] if isinstance(item, Block) else None) == shape


def test_bare_pixels_come_in_blocks_of_one_shape_in_order(tmp_path):
    pixels = np.arange(700 * 16, dtype=np.uint32).astype(np.uint8).reshape(700, 4, 4)
    records = [made(image_raw=one.tobytes(), label=number % 3) for number, one in enumerate(pixels)]
    records[300] = made(image_raw=b"not square", label=0)
    records[400] = made(image_raw=bytes(25), label=0)
    path = write(tmp_path / "train.tfrecord", records)
    items = read(path)
    assert [(type(item), len(getattr(item, "pixels", " "))) for item in items] == [
        *((Block, 256), (Block, 44), (Encoded, 1), (Block, 99), (Block, 1), (Block, 256), (Block, 43)),
    ]
    for block in (item for item in items if isinstance(item, Block) and item.pixels.shape[1] == 4):
        stop = block.first + len(block.pixels)
        assert np.array_equal(block.pixels[..., 0], pixels[block.first : stop]) and block.split == "train"
        assert block.labels == [str(number % 3) for number in range(block.first, stop)]
    assert sum(len(getattr(item, "pixels", " ")) for item in items) == 700


def test_pixels_in_front_of_damage_are_kept(tmp_path):
    path = write(tmp_path / "a.tfrecord", [made(image_raw=bytes(16))] * 10)
    path.write_bytes(path.read_bytes()[:-5])
    block, lost = read(path)
    assert len(block.pixels) == 9 and block.first == 0 and lost == Rejected("a.tfrecord", reasons.RECORDS_DAMAGED)


def test_a_picture_file_is_no_bare_pixels_whatever_its_size(tmp_path):
    data = encode(picture(1))
    data += bytes((-len(data)) % 10)
    (item,) = read(write(tmp_path / "a.tfrecord", [made(image_raw=data, height=10, width=len(data) // 10)]))
    assert item.data == data


def sequence() -> bytes:
    example = tf.train.SequenceExample()
    example.context.feature["length"].int64_list.value.append(1)
    example.feature_lists.feature_list["image"].feature.add().bytes_list.value.append(b"x")
    return example.SerializeToString()


@pytest.mark.parametrize(
    "record, reason",
    [
        (
            made(b=1, a=b"x", c=0.5),
            "its records have the features a, b, c: data.record_image names the one with pictures",
        ),
        (sequence(), "a tf.SequenceExample, which is not read"),
        (b"\xff no message", "its records are no tf.Example"),
        (b"", "its records are no tf.Example"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",  # maps are serialised in any order
)
def test_a_file_without_pictures_is_refused_with_what_it_has(tmp_path, record, reason):
    assert found_in(write(tmp_path / "a.tfrecord", [record] * 3)) == Rejected("a.tfrecord", reason)


@pytest.mark.parametrize("names", [[f"feature_{number}" for number in range(500)], ["x" * 5000], ["a\nb\x1b[31m"]])
def test_a_refusal_is_one_short_line_whatever_features_are_called(tmp_path, names):
    reason = found_in(write(tmp_path / "a.tfrecord", [made(**dict.fromkeys(names, 1))])).reason
    assert len(reason) < 120 and reason.isprintable() and reason.endswith("names the one with pictures")


@pytest.mark.parametrize(
    "content, reason",
    [
        (lambda data: b"", "the file is empty"),
        (lambda data: b"<html><body>404</body></html>", "no TFRecord file: it begins with '<html>'"),
        (lambda data: b"PK\x03\x04" + bytes(100), "no TFRecord file: it begins with the bytes 50 4b 03 04"),
        (lambda data: data[:50], "truncated at byte 50, in its first record"),
        (lambda data: data[:5], "truncated at byte 5, in its first record"),
        (lambda data: data[:60] + b"!" + data[61:], "damaged in its first record"),
    ],
)
@pytest.mark.parametrize("name", ["a.tfrecord", "train.tfrecord-00000-of-00001"])
def test_a_file_that_cannot_be_read_at_all(tmp_path, name, content, reason):
    path = write(tmp_path / name, [made(image=encode(picture(1)))] * 3)
    path.write_bytes(content(path.read_bytes()))
    assert found_in(path) == Rejected(name, reason)


def test_a_packed_file_that_is_empty_or_cut(tmp_path):
    path = write(tmp_path / "a.tfrecord.gz", [])
    assert found_in(path).reason == "a TFRecord file without records"
    path = write(tmp_path / "b.tfrecord.gz", [made(image=random.Random(1).randbytes(5000))])
    path.write_bytes(path.read_bytes()[:1000])
    assert found_in(path).reason == "truncated at byte 1,000, in its first record"
    path.write_bytes(b"no gzip at all")
    assert found_in(path).reason == "no TFRecord file: it begins with 'no gzip at all'"


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_hundreds_of_damaged_files(tmp_path, suffix):
    rng = random.Random(suffix)
    records = [made(image_raw=rng.randbytes(rng.choice([16, 17])), label=number, height=4, width=4) for number in range(20)]
    sound = write(tmp_path / f"sound.tfrecord{suffix}", records).read_bytes()
    path, pictures = tmp_path / f"a.tfrecord{suffix}", 0
    for _ in range(300):
        path.write_bytes(at_random(sound, rng))
        found = found_in(path)
        if isinstance(found, Rejected):
            assert 0 < len(found.reason) < 120 and found.reason.isprintable()
            continue
        items = read(path)
        pictures += sum(len(getattr(item, "pixels", " ")) for item in items if not isinstance(item, Rejected))
        assert sum(getattr(item, "pictures", len(getattr(item, "pixels", " "))) for item in items) >= found.count
    assert pictures > 300


def test_damaged_messages_within_sound_records(tmp_path):
    rng = random.Random(9)
    sound = made(image_raw=bytes(16), label=[1, 2], height=4, width=4, class__text=b"cat")
    records = [sound, *(at_random(sound, rng) for _ in range(500))]
    path = write(tmp_path / "a.tfrecord", records)
    items = read(path)
    assert sum(len(getattr(item, "pixels", " ")) for item in items) == 501
    assert len({item.reason for item in items if isinstance(item, Rejected)}) < 6


@pytest.mark.parametrize(
    "name",
    [
        *("train-00000-of-00001", "train-00000-of-00001.gz", "train-00003-of-01024.tfrecord", "cats.tfrec", "cats00-230.TFREC.gz"),
        *("cats.tfrecords", "cats.tfrec-00000-of-00002", "pet_faces_train.record-00000-of-00010", "pets.record", "0-of-4"),
    ],
)
def test_names_under_which_people_have_them(tmp_path, name):
    path = write(tmp_path / name, [example(jpg=encode(picture(i))) for i in range(4)])
    assert is_mine(name)
    assert len(read(path)) == 4
    assert [each.path for each in find_sources(str(tmp_path)).containers] == [name]
    assert find_sources(str(path)).count == 4


@pytest.mark.parametrize(
    "data", [b"a", b"some text or other\n" * 9, bytes(100), gzip.compress(b"text" * 9, mtime=0), b"\x1f\x8b\x08cut"]
)
@pytest.mark.parametrize("name", ["log-00000-of-00001", "log-00000-of-00001.gz", "world.record"])
def test_others_of_such_names_are_no_records(tmp_path, data, name):
    (tmp_path / name).write_bytes(data)
    assert found_in(tmp_path / name) is None
    write(tmp_path / "cats.tfrec", [example(jpg=encode(picture(1)))])
    sources = find_sources(str(tmp_path))
    assert sources.others.total() == 1 and not sources.left_out


def test_damage_behind_the_first_length_is_a_damaged_record(tmp_path):
    path = write(tmp_path / "train-00000-of-00001", [example(jpg=encode(picture(1)))])
    path.write_bytes(path.read_bytes()[:40])
    assert found_in(path).reason.startswith("truncated")
    path.write_bytes(b"")
    assert found_in(path).reason == "the file is empty"


def test_called_packed_and_unpacked_by_a_browser(tmp_path):
    path = write(tmp_path / "cats.tfrecord", [example(jpg=encode(picture(1)))])
    assert len(read(path.rename(tmp_path / "cats.tfrecord.gz"))) == 1


@pytest.mark.parametrize("names", [("Image", "Label"), ("IMAGE/ENCODED", "Class/Text"), ("Image_Raw", "CLASS")])
def test_names_in_capital_letters(tmp_path, names):
    path = write(tmp_path / "a.tfrecord", [made(**{names[0]: encode(picture(1)), names[1]: b"cat"})])
    (found,) = read(path)
    assert (found.label, found.data) == ("cat", encode(picture(1)))


def test_in_small_letters_first(tmp_path):
    path = write(tmp_path / "a.tfrecord", [made(image=encode(picture(1)), Image=b"?", LABEL=b"dog", label=b"cat")])
    (found,) = read(path)
    assert (found.label, found.data) == ("cat", encode(picture(1)))


@pytest.mark.parametrize(
    "features, config, words",
    [
        ({"label": 1.0}, {}, "the feature label is not used for labels: it holds no single text or whole number"),
        ({"label": 1.0, "Class": 2}, {}, ""),
        ({"score": 1.0}, {"record_label": "score"}, "the feature score is not used for labels"),
        ({"kind": 1}, {"record_label": "label"}, "no feature label; it has image, kind: data.record_label names one"),
        ({"split": 1}, {}, "the feature split is not used for splits: it holds no text"),
        ({"split": 1}, {"splits": "content"}, ""),
        ({"set": 1}, {}, ""),
    ],
)
def test_what_is_not_used_is_said(tmp_path, features, config, words):
    path = write(tmp_path / "a.tfrecord", [made(image=encode(picture(1)), **features)])
    notes = found_in(path, DataConfig(**config)).notes
    assert [words in note for note in notes] == [True] * bool(words) and all(len(note) < 200 for note in notes)
