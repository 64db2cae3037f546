"""Pictures that say which split they belong to: in a column, a feature, or a file beside them. One rule for all."""

from __future__ import annotations

import json
import re

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from common.errors import InputError
from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.find import find_sources
from components.image_example_gen.items import Block
from components.image_example_gen.readers.container import splits_of
from components.image_example_gen.readers.own_labels import OwnSplits, split_said
from tests.components.image_example_gen.ingestion import encode, ingest, picture
from tests.components.image_example_gen.readers.columnar.tables import features
from tests.components.image_example_gen.readers.test_webdataset import shard

WORDS = ["Training"] * 14 + ["PublicTest"] * 3 + ["PrivateTest"] * 3
EXPECTED = {"train": 14, "eval": 3, "test": 3}


def pixel_csv(folder, words=WORDS, name="fer.csv", column="Usage"):
    rows = [f"{seed % 7},{' '.join(map(str, picture(seed).ravel()))},{word}" for seed, word in enumerate(words)]
    (folder / name).write_text("\n".join([f"emotion,pixels,{column}", *rows, ""]))


def columns(words, column="split"):
    return pa.table({"image": [encode(picture(seed)) for seed in range(len(words))], column: words})


def parquet(folder, words=WORDS, column="split"):
    pq.write_table(columns(words, column), folder / "a.parquet", row_group_size=4)


def parquet_without_statistics(folder, words=WORDS):
    pq.write_table(columns(words), folder / "a.parquet", row_group_size=4, write_statistics=False)


def parquet_of_categories(folder, words=WORDS):
    data = columns(words, "Set")
    pq.write_table(data.set_column(1, "Set", data["Set"].combine_chunks().dictionary_encode()), folder / "a.parquet")


def parquet_of_class_labels(folder, words=WORDS):
    names = sorted(set(words))
    data = columns(words)
    data = data.set_column(1, "split", pa.array([names.index(word) for word in words]))
    pq.write_table(data.replace_schema_metadata(features(image="Image", split=names)), folder / "a.parquet", row_group_size=4)


def arrow(folder, words=WORDS, column="split"):
    data = columns(words, column)
    with pa.ipc.new_stream(str(folder / "a.arrow"), data.schema) as writer:
        writer.write_table(data, max_chunksize=4)


def arrow_of_categories(folder, words=WORDS):
    labels = pa.array([f"class {seed % 3}" for seed in range(len(words))]).dictionary_encode()
    data = columns(words).append_column("label", labels)
    data = data.set_column(1, "split", data["split"].combine_chunks().dictionary_encode())
    with pa.ipc.new_file(str(folder / "a.arrow"), data.schema) as writer:
        writer.write_table(data, max_chunksize=4)


def tfrecord(folder, words=WORDS, **more):
    with tf.io.TFRecordWriter(str(folder / "a.tfrecord")) as writer:
        for seed, word in enumerate(words):
            made = tf.train.Example()
            values = {"image": encode(picture(seed)), "split": word.encode(), **more}
            for name, value in values.items():
                feature = made.features.feature[name]
                (feature.int64_list if isinstance(value, int) else feature.bytes_list).value.append(value)
            writer.write(made.SerializeToString())


def tfrecord_of_pixels(folder, words=WORDS):
    tfrecord(folder, words, image=bytes(range(64)), height=8, width=8)


def web_dataset(folder, words=WORDS, name="a.tar", labels=True):
    members = []
    for seed, word in enumerate(words):
        said = {"Split": word} | ({"label": "cat"} if labels else {})
        members += [(f"{seed:04d}.png", encode(picture(seed))), (f"{seed:04d}.json", json.dumps(said).encode())]
    shard(folder / name, members)


def web_dataset_packed(folder, words=WORDS):
    web_dataset(folder, words, "a.tar.gz", labels=False)


def zipped(folder, words=WORDS):
    web_dataset(folder, words, "a.zip")


def npz(folder, words=WORDS):
    pixels = np.stack([picture(seed) for seed in range(len(words))])
    np.savez(folder / "a.npz", images=pixels, labels=np.arange(len(words)) % 2, split=np.array(words))


def hdf5(folder, words=WORDS):
    with h5py.File(folder / "a.h5", "w") as file:
        file["images"] = np.stack([picture(seed) for seed in range(len(words))])
        file["labels"] = np.arange(len(words)) % 2
        file.create_dataset("info/Split", data=words, dtype=h5py.string_dtype())


KINDS = (
    *(pixel_csv, parquet, parquet_without_statistics, parquet_of_categories, parquet_of_class_labels),
    *(arrow, arrow_of_categories, tfrecord, tfrecord_of_pixels, web_dataset, web_dataset_packed, zipped),
    *(npz, hdf5),
)
MAKERS = {make.__name__: make for make in KINDS}


def read_splits(folder, config=DataConfig()) -> tuple[dict[str | None, int], set[str | None]]:
    """How many pictures of a folder's only file are read for each split, and which ones were announced."""
    (container,) = find_sources(str(folder), config).containers
    counts: dict[str | None, int] = {}
    for start, stop in container.units(7):
        for item in container.read(str(folder), start, stop, config):
            counts[item.split] = counts.get(item.split, 0) + (len(item.pixels) if isinstance(item, Block) else 1)
    return counts, set(splits_of(container))


@pytest.mark.parametrize(
    "text, split",
    [("train", "train"), (" Validation", "eval"), ("PublicTest", "eval"), ("PrivateTest", "test"), ("A", None), ("", None)],
)
def test_names_of_splits(text, split):
    assert split_said(text) == split


@pytest.mark.parametrize("kind", MAKERS)
def test_splits_that_pictures_say_are_known_and_heeded(tmp_path, kind):
    MAKERS[kind](tmp_path)
    assert read_splits(tmp_path) == (EXPECTED, set(EXPECTED))
    sources = find_sources(str(tmp_path), DataConfig())
    assert sources.own_splits == set(EXPECTED) and sources.notes == ()
    assert sources.splits_from == (sources.containers[0].path,)


@pytest.mark.parametrize("kind", MAKERS)
def test_those_that_say_none_go_by_the_name_of_the_file(tmp_path, kind):
    MAKERS[kind](tmp_path, ["train"] * 5 + [""] * 5 + ["test"] * 5)
    counts, announced = read_splits(tmp_path)
    assert counts == {"train": 5, None: 5, "test": 5} and announced == set(counts)
    (file,) = tmp_path.iterdir()
    file.rename(tmp_path / f"val-{file.name}")
    counts, announced = read_splits(tmp_path)
    assert counts == {"train": 5, "eval": 5, "test": 5} and announced == set(counts)
    assert find_sources(str(tmp_path)).splits_from == ("file names", f"val-{file.name}")


@pytest.mark.parametrize("kind", MAKERS)
def test_words_that_are_no_splits_are_said(tmp_path, kind):
    MAKERS[kind](tmp_path, ["train"] * 5 + ["extra"] * 5 + ["test"] * 5)
    assert read_splits(tmp_path) == ({"train": 5, None: 5, "test": 5}, {"train", None, "test"})
    (note,) = find_sources(str(tmp_path)).notes
    assert "says 'extra', which is not a split" in note and len(note) < 200
    MAKERS[kind](tmp_path, ["first half", "second half"] * 5)
    sources = find_sources(str(tmp_path))
    assert sources.own_splits == {None} and sources.splits_from == ()
    if "labels" not in kind:  # such a column has the pictures' labels
        words = "is not used for splits: '(first|second) half' is not train, eval or test|[Ss]plit is not used: data.array_labels"
        assert re.search(words, sources.notes[-1])


@pytest.mark.parametrize("kind", MAKERS)
def test_only_of_one_split(tmp_path, kind):
    MAKERS[kind](tmp_path, ["train"] * 10)
    assert read_splits(tmp_path) == ({"train": 10}, {"train"})
    MAKERS[kind](tmp_path, ["test"] * 10)
    with pytest.raises(InputError, match="no pictures to train on .* all belong to test"):
        find_sources(str(tmp_path))
    sources = find_sources(str(tmp_path), DataConfig(splits="content"))
    assert sources.own_splits == {None} and sources.splits_from == ()


def test_a_run_moves_no_training_picture(tmp_path):
    (tmp_path / "in").mkdir()
    pixel_csv(tmp_path / "in")
    result = ingest(tmp_path / "in", tmp_path / "out")
    assert result.summary["pictures"] == EXPECTED
    assert result.summary["notes"][0].startswith("splits: train, eval, test from fer.csv; 7 labels")


def test_long_and_odd_words():
    splits = OwnSplits()
    splits.add(["train", None, "x\n" * 1000])
    (note,) = splits.notes("the column split")
    assert len(note) < 150 and note.isprintable() and splits.found == {"train", None}
