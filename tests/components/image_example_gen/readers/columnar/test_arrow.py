"""Arrow's IPC files of pictures: streams, files and Feather."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from pyarrow import feather

from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Encoded, Rejected
from components.image_example_gen.readers.columnar import arrow
from tests.components.image_example_gen.fuzz.damage import at_random
from tests.components.image_example_gen.readers.columnar.tables import (
    IMAGE,
    check_damaged,
    expected,
    features,
    find,
    pictures,
    read,
    said,
    table,
)


def write(data, path, kind, rows=25):
    """Writes a table in batches, in one of the kinds of Arrow's files."""
    if kind in ("lz4", "zstd", "uncompressed"):
        feather.write_feather(data, path, compression=kind, chunksize=rows)
        return
    new = {"stream": pa.ipc.new_stream, "file": pa.ipc.new_file}[kind]
    with new(str(path), data.schema) as writer:
        writer.write_table(data, max_chunksize=rows)


KINDS = ["stream", "file", "lz4", "zstd", "uncompressed"]


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_with_the_names_of_their_labels(tmp_path, kind):
    data, path = table(110), tmp_path / "data-00000-of-00001.arrow"
    write(data, path, kind)
    found = find(arrow, path)
    assert (found.count, found.split, found.notes) == (110, None, ())
    for size in (7, 50, 1000):
        assert said(read(arrow, path, size=size)) == expected(data, path.name)


@pytest.mark.parametrize("kind", KINDS)
def test_among_columns_of_every_type_nulls_too(tmp_path, kind):
    count = 50
    image = [{"bytes": bytes([i]), "path": "x"} if i % 5 else None for i in range(count)]
    data = pa.table(
        {
            "null": pa.nulls(count),
            "bool": [True, None] * 25,
            "list": [[1, 2], None] * 25,
            "fixed list": pa.array([[1, 2]] * count, pa.list_(pa.int8(), 2)),
            "map": pa.array([[("a", 1)]] * count, pa.map_(pa.string(), pa.int8())),
            "deep": [{"a": {"b": ["x"]}, "c": i} for i in range(count)],
            "fixed": pa.array([b"xyz"] * count, pa.binary(3)),
            "decimal": pa.array([None] * count, pa.decimal128(10, 2)),
            "time": pa.array([0] * count, pa.timestamp("us")),
            "dictionary": pa.array(["q", "r"] * 25).dictionary_encode(),
            "union": pa.UnionArray.from_sparse(pa.array([0] * count, pa.int8()), [pa.array(range(count))]),
            "large text": pa.array(["x"] * count, pa.large_string()),
            "image": pa.array(image, IMAGE),
            "label": pa.array([str(i) if i % 7 else None for i in range(count)], pa.large_string()),
        }
    )
    write(data, tmp_path / "a.arrow", kind)
    assert said(read(arrow, tmp_path / "a.arrow", size=20)) == [
        (f"a.arrow#{i}", str(i) if i % 7 else "", bytes([i])) if i % 5 else (f"a.arrow#{i}", reasons.ROW_WITHOUT_PICTURE)
        for i in range(count)
    ]


@pytest.mark.parametrize("kind", ["stream", "lz4"])
def test_labels_of_a_dictionary_that_grows(tmp_path, kind):
    first = pa.table({"image": [b"0", b"1"], "other": pa.array(["p", "q"]).dictionary_encode()})
    chunks = [["cat", None], ["dog", "cat"], ["bird", "bird"]]
    tables = [first.append_column("label", pa.array(chunk).dictionary_encode()) for chunk in chunks]
    if kind == "lz4":
        feather.write_feather(pa.concat_tables(tables).unify_dictionaries(), tmp_path / "a.arrow", compression="lz4")
    else:
        options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
        with pa.ipc.new_stream(str(tmp_path / "a.arrow"), tables[0].schema, options=options) as writer:
            for each in tables:
                writer.write_table(each)
    assert [item.label for item in read(arrow, tmp_path / "a.arrow", size=1)] == ["cat", "", "dog", "cat", "bird", "bird"]


@pytest.mark.parametrize("kind", KINDS)
def test_slices_of_a_table(tmp_path, kind):
    data = table(100).slice(13, 70)
    write(data, tmp_path / "a.arrow", kind)
    assert said(read(arrow, tmp_path / "a.arrow")) == expected(data, "a.arrow")


def test_rows_that_only_name_a_file_and_labels_within_structures(tmp_path):
    meta = [{"kind": "cat"}, {"kind": None}, None, {"kind": "dog"}]
    image = pa.array([{"bytes": b"x", "path": None}, {"bytes": None, "path": "a"}, {"bytes": b"y", "path": "b"}, None], IMAGE)
    data = pa.table({"image": image, "meta": meta})
    write(data, tmp_path / "a.arrow", "stream")
    items = read(arrow, tmp_path / "a.arrow", DataConfig(record_label="meta.kind"))
    assert said(items) == [
        ("a.arrow#0", "cat", b"x"),
        ("a.arrow#1", reasons.ROW_ONLY_NAMED),
        ("a.arrow#2", "", b"y"),
        ("a.arrow#3", reasons.ROW_WITHOUT_PICTURE),
    ]


def test_pictures_of_many_megabytes_and_large_offsets(tmp_path):
    image = pa.array([bytes([i]) * (3 << 20) if i % 4 == 0 else bytes([i]) for i in range(12)], pa.large_binary())
    write(pa.table({"image": image}), tmp_path / "a.arrow", "stream")
    items = read(arrow, tmp_path / "a.arrow", size=5)
    assert [item.data for item in items] == image.to_pylist()


@pytest.mark.parametrize("kind", KINDS)
def test_behind_a_damaged_batch_the_next_is_read_and_a_cut_is_said_once(tmp_path, kind):
    data, path = pa.table({"image": [b"%4d" % i for i in range(75)]}), tmp_path / "a.arrow"
    write(data, path, kind)
    from components.image_example_gen.readers.columnar.messages import BATCH, read_messages

    with open(path, "rb") as stream:
        messages = [message for message in read_messages(stream, path.stat().st_size) if message.kind == BATCH]
    content = bytearray(path.read_bytes())
    content[messages[1].body : messages[1].body + 64] = b"\xff" * 64
    path.write_bytes(content)
    items = read(arrow, path, size=1000)
    rows = [(f"a.arrow#{i}", "", b"%4d" % i) for i in range(75)]
    assert said(items) == [*rows[:25], ("a.arrow", reasons.ARROW_DAMAGED), *rows[50:]] and items[25].pictures == 25
    path.write_bytes(content[: messages[2].start + 6])
    items = read(arrow, path, size=20)
    assert [item.data for item in items if isinstance(item, Encoded)] == [b"%4d" % i for i in range(25)]
    assert [(item.reason, item.pictures) for item in items[25:]] == [
        (reasons.ARROW_DAMAGED, 15),
        (reasons.ARROW_DAMAGED, 10),
        (reasons.ARROW_CUT, 1),
    ]


@pytest.mark.parametrize(
    "name, content, reason",
    [
        ("a.arrow", b"", "the file is empty"),
        ("a.feather", b"FEA1" + bytes(100), "Feather version 1, which is not read: write it anew, or as Parquet"),
        ("a.arrow", b"<html>not found</html>" * 9, "no Arrow file: it begins with '<html>'"),
        ("a.arrow", b"ARROW1\0\0" + b"\xff" * 300, "a damaged or truncated Arrow file: its schema makes no sense"),
    ],
)
def test_a_file_that_is_none(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    assert find(arrow, tmp_path / name) == Rejected(name, reason)


def test_a_file_without_pictures_or_without_rows(tmp_path):
    write(pa.table({"indices": [1, 2]}), tmp_path / "a.arrow", "stream")
    reason = "no column of pictures; it has indices: data.record_image names one"
    assert find(arrow, tmp_path / "a.arrow") == Rejected("a.arrow", reason)
    write(table(0), tmp_path / "b.arrow", "file")
    assert find(arrow, tmp_path / "b.arrow") == Rejected("b.arrow", "an Arrow file without rows")


@pytest.mark.parametrize(
    "name, expected",
    [
        ("train/data-00000-of-00002.arrow", True),
        ("mnist-train.ARROW", True),
        ("a.feather", True),
        ("cache-0123456789abcdef.arrow", False),
        ("train/cache-abc_00000_of_00004.arrow", False),
        ("indices.arrow", False),
        ("state.json", False),
    ],
)
def test_what_hugging_face_writes_beside_pictures_is_passed_over(name, expected):
    assert arrow.is_mine(name) is expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("labels", ["numbers", "dictionary"])
def test_hundreds_of_damaged_files(tmp_path, kind, labels):
    rng = random.Random(kind + labels)
    data = table(60)
    if labels == "dictionary":
        data = data.set_column(2, "label", pa.array(["cat", "dog", None] * 20).dictionary_encode())
    write(data, tmp_path / "sound.arrow", kind)
    write(pa.table({"image": pictures(40)}).replace_schema_metadata(features(image="Image")), tmp_path / "other.arrow", "file")
    sound, other = ((tmp_path / name).read_bytes() for name in ("sound.arrow", "other.arrow"))
    read_ones = 0
    for _ in range(150):
        content = bytearray(at_random(sound, rng, other))
        for _ in range(rng.choice([0, 0, 1, 3])):
            content[rng.randrange(len(content))] = rng.choice([0, 255, 127, 128]) if content else 0
        (tmp_path / "a.arrow").write_bytes(content)
        read_ones += check_damaged(arrow, tmp_path / "a.arrow", 60)
    assert read_ones > 500
