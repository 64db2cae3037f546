"""Parquet files of pictures."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Rejected
from components.image_example_gen.readers.columnar import parquet
from components.image_example_gen.readers.columnar.thrift import nesting_of
from tests.components.image_example_gen.fuzz.damage import at_random
from tests.components.image_example_gen.ingestion import encode, ingest, picture
from tests.components.image_example_gen.readers.columnar.tables import (
    CLASSES,
    IMAGE,
    check_damaged,
    expected,
    features,
    find,
    read,
    said,
    table,
)

KINDS = [
    {},
    {"compression": "zstd", "data_page_version": "2.0"},
    {"compression": "none", "use_dictionary": False},
    {"compression": "gzip", "row_group_size": 20},
    {"compression": "brotli", "version": "1.0"},
    {"compression": "lz4", "data_page_size": 100},
]


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_with_the_names_of_their_labels(tmp_path, kind):
    data, path = table(), tmp_path / "train-00000-of-00002.parquet"
    pq.write_table(data, path, **kind)
    found = find(parquet, path)
    assert (found.count, found.split, found.notes) == (60, "train", ())
    assert said(read(parquet, path)) == expected(data, path.name)
    assert all(item.split == "train" for item in read(parquet, path))


def test_examples_of_a_folder_as_hugging_face_lays_it_out(tmp_path):
    (tmp_path / "in/data").mkdir(parents=True)
    for name, first in (("train-00000-of-00002", 0), ("train-00001-of-00002", 20), ("validation-00000-of-00001", 40)):
        rows = [{"bytes": encode(picture(seed)), "path": f"{seed}.png"} for seed in range(first, first + 20)]
        data = pa.table({"image": pa.array(rows, IMAGE), "label": [seed % 3 for seed in range(20)]})
        pq.write_table(data.replace_schema_metadata(features(image="Image", label=CLASSES)), tmp_path / f"in/data/{name}.parquet")
    (tmp_path / "in/data/more.parquet").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    result = ingest(tmp_path / "in", tmp_path / "out")
    assert result.summary["pictures"]["eval"] == 20 and len(result.examples()) == 60
    assert {example["image/label"].decode() for example in result.examples().values()} == set(CLASSES)
    assert result.examples("eval")["data/validation-00000-of-00001.parquet#4"]["image/label"] == b"bird"
    assert result.files() == ingest(tmp_path / "in", tmp_path / "again").files()


@pytest.mark.parametrize(
    "name, split", [("test-00000-of-00001.parquet", "test"), ("validation-00001-of-00009.pq", "eval"), ("0000.parquet", None)]
)
def test_the_split_by_the_name(tmp_path, name, split):
    pq.write_table(table(), tmp_path / name)
    assert parquet.is_mine(name) and find(parquet, tmp_path / name).split == split


def test_units_are_whole_row_groups(tmp_path):
    data = table(1000)
    pq.write_table(data, tmp_path / "a.parquet", row_group_size=70)
    units = find(parquet, tmp_path / "a.parquet").units(150)
    assert units[:2] == [(0, 140), (140, 280)] and units[-1] == (980, 1000)
    for size in (1, 150, 5000):
        assert said(read(parquet, tmp_path / "a.parquet", size=size)) == expected(data, "a.parquet")


def test_rows_without_a_picture_and_without_a_label(tmp_path):
    image = pa.array([{"bytes": b"x", "path": None}, None, {"bytes": None, "path": "a.png"}, {"bytes": b"", "path": None}], IMAGE)
    data = pa.table({"image": image, "label": pa.array([None, 1, 2, 3])})
    pq.write_table(data, tmp_path / "a.parquet")
    assert said(read(parquet, tmp_path / "a.parquet")) == [
        ("a.parquet#0", "", b"x"),
        ("a.parquet#1", reasons.ROW_WITHOUT_PICTURE),
        ("a.parquet#2", reasons.ROW_ONLY_NAMED),
        ("a.parquet#3", reasons.ROW_WITHOUT_PICTURE),
    ]


def test_names_that_are_given_go_before_those_of_the_file(tmp_path):
    data = table(6)
    pq.write_table(data, tmp_path / "a.parquet")
    config = DataConfig(label_names=("x", "y", "z"))
    assert said(read(parquet, tmp_path / "a.parquet", config)) == expected(data, "a.parquet", names=["x", "y", "z"])


def test_columns_within_structures(tmp_path):
    rows = [{"photo": {"jpg": bytes([i])}, "kind": {"name": CLASSES[i % 3]}} for i in range(30)]
    pq.write_table(pa.table({"row": rows}), tmp_path / "a.parquet")
    config = DataConfig(record_image="row.photo", record_label="row.kind.name")
    assert said(read(parquet, tmp_path / "a.parquet", config)) == [
        (f"a.parquet#{i}", CLASSES[i % 3], bytes([i])) for i in range(30)
    ]


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_a_column_of_bytes_with_labels_of_a_dictionary(tmp_path, kind):
    data = pa.table(
        {
            "image": pa.array([b"%d" % i for i in range(3000)], kind),
            "label": pa.array(["cat", "dog", None] * 1000).dictionary_encode(),
        }
    )
    pq.write_table(data, tmp_path / "a.parquet", row_group_size=700)
    labels = ["cat", "dog", ""] * 1000
    assert said(read(parquet, tmp_path / "a.parquet")) == [(f"a.parquet#{i}", labels[i], b"%d" % i) for i in range(3000)]


def test_a_picture_that_is_too_large(tmp_path):
    data = pa.table({"image": [b"x" * 2000, b"y"]})
    pq.write_table(data, tmp_path / "a.parquet")
    items = read(parquet, tmp_path / "a.parquet", DataConfig(max_file_megabytes=0.001))
    assert said(items) == [("a.parquet#0", "larger than 0.001 megabytes: not read"), ("a.parquet#1", "", b"y")]


def test_behind_a_damaged_row_group_the_next_is_read(tmp_path):
    data, path = table(90), tmp_path / "a.parquet"
    pq.write_table(data, path, row_group_size=30, compression="zstd")
    chunk = pq.ParquetFile(path).metadata.row_group(1).column(1)
    content = bytearray(path.read_bytes())
    begin = chunk.dictionary_page_offset
    content[begin : begin + 40] = bytes(40)
    path.write_bytes(content)
    rows = expected(data, "a.parquet")
    items = read(parquet, path)
    assert said(items) == [*rows[:30], ("a.parquet", reasons.PARQUET_DAMAGED), *rows[60:]] and items[30].pictures == 30


@pytest.mark.parametrize(
    "content, reason",
    [
        (lambda data: b"", "the file is empty"),
        (lambda data: b"<!DOCTYPE html><html>", "no Parquet file: it begins with '<!DOCTYPE html>'"),
        (
            lambda data: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n",
            "a Git LFS pointer in place of the file: fetch it with git lfs pull",
        ),
        (lambda data: data[:5000], "truncated at byte 5,000: its footer, which every Parquet file ends with, is missing"),
        (lambda data: data[:-4] + b"PARE", "an encrypted Parquet file, which is not read"),
        (lambda data: b"PAR1PAR1", "truncated at byte 8: its footer, which every Parquet file ends with, is missing"),
    ],
)
def test_a_file_that_is_none(tmp_path, content, reason):
    path = tmp_path / "a.parquet"
    pq.write_table(table(300), path)
    path.write_bytes(content(path.read_bytes()))
    assert find(parquet, path) == Rejected("a.parquet", reason)


def test_what_arrow_cites_of_a_damaged_footer_is_printable(tmp_path):
    pq.write_table(table(), tmp_path / "a.parquet")
    sound = (tmp_path / "a.parquet").read_bytes()
    reasons = set()
    for at in range(len(sound) - 8 - int.from_bytes(sound[-8:-4], "little"), len(sound) - 8):
        (tmp_path / "a.parquet").write_bytes(sound[:at] + b"\x0e" + sound[at + 1 :])  # a type that there is not
        found = find(parquet, tmp_path / "a.parquet")
        reasons |= {found.reason} if isinstance(found, Rejected) else set()
    assert all(reason.isprintable() for reason in reasons) and any("what type: ?" in reason for reason in reasons)


def test_a_file_without_pictures_or_without_rows(tmp_path):
    pq.write_table(pa.table({"text": ["a"], "score": [0.5]}), tmp_path / "a.parquet")
    reason = "no column of pictures; it has text, score: data.record_image names one"
    assert find(parquet, tmp_path / "a.parquet") == Rejected("a.parquet", reason)
    pq.write_table(table(0), tmp_path / "b.parquet")
    assert find(parquet, tmp_path / "b.parquet") == Rejected("b.parquet", "a Parquet file without rows")


def test_a_file_that_is_gone_is_a_refusal(tmp_path):
    pq.write_table(table(), tmp_path / "a.parquet")
    found = find(parquet, tmp_path / "a.parquet")
    (tmp_path / "a.parquet").unlink()
    (item,) = found.read(str(tmp_path), 0, 60, DataConfig())
    assert item == Rejected("a.parquet", reasons.PARQUET_DAMAGED, 60)


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    pq.write_table(pa.table({"image": [bytes(3 << 20)]}), tmp_path / "a.parquet", compression="zstd", use_dictionary=False)
    assert find(parquet, tmp_path / "a.parquet").count == 1  # a few megabytes are none
    monkeypatch.setattr(parquet, "_ALWAYS_ALLOWED", 1 << 20)
    reason = "its pictures unpack to more than 100 times its size: not read"
    assert find(parquet, tmp_path / "a.parquet") == Rejected("a.parquet", reason)


def nested(levels: int) -> bytes:
    """A Parquet file without rows, of so many groups of columns within one another, as no writer makes it."""

    def varint(number):
        return bytes([number & 127 | 128]) + varint(number >> 7) if number > 127 else bytes([number])

    group, leaf = b"\x35\x00\x18\x01a\x15\x02\x00", b"\x15\x0c\x25\x00\x18\x01a\x00"  # in Thrift's compact protocol
    schema = b"\x19\xfc" + varint(levels + 2) + group * (levels + 1) + leaf
    footer = b"\x15\x02" + schema + b"\x16\x00\x19\x0c\x00"
    return b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"


@pytest.mark.parametrize("levels", [3, 90, 1000, 50_000])
def test_a_schema_of_so_many_levels_that_pyarrow_would_crash(tmp_path, levels):
    (tmp_path / "a.parquet").write_bytes(nested(levels))
    reason = "no column of pictures; it has a: data.record_image names one"
    if levels > 100:
        reason = "a damaged Parquet file: its footer makes no sense"
    assert find(parquet, tmp_path / "a.parquet") == Rejected("a.parquet", reason)


def test_how_deep_columns_are_nested(tmp_path):
    deep = pa.table({"a": [{"b": {"c": [1, 2]}, "d": 3}], "e": [{"f": 1}], "g": [1]})
    for number, (data, levels) in enumerate(((pa.table({"a": [1]}), 1), (deep, 5), (deep.select(["g", "e"]), 2), (table(), 5))):
        pq.write_table(data, tmp_path / "a.parquet")
        content = (tmp_path / "a.parquet").read_bytes()
        length = int.from_bytes(content[-8:-4], "little")
        assert nesting_of(content[-8 - length : -8]) == levels, number


def test_no_program_in_a_file_is_run(tmp_path):
    """pyarrow before 14.0.1 unpickles what the schema calls a type of Python's."""
    write = """
import os, pickle, sys
import pyarrow as pa, pyarrow.parquet as pq
class Program:
    def __reduce__(self):
        return os.mkdir, (sys.argv[1] + "/was run",)
class Type(pa.ExtensionType):
    def __init__(self):
        super().__init__(pa.int64(), "arrow.py_extension_type")
    def __arrow_ext_serialize__(self):
        return pickle.dumps(Program())
    @classmethod
    def __arrow_ext_deserialize__(cls, stored, serialized):
        return cls()
pa.unregister_extension_type("arrow.py_extension_type")
data = pa.table({"image": [b"x"] * 3, "other": pa.ExtensionArray.from_storage(Type(), pa.array([1, 2, 3]))})
pq.write_table(data, sys.argv[1] + "/a.parquet")
with pa.ipc.new_stream(sys.argv[1] + "/a.arrow", data.schema) as writer:
    writer.write_table(data)
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", write, str(tmp_path)], check=True)
    from components.image_example_gen.readers.columnar import arrow

    assert said(read(parquet, tmp_path / "a.parquet")) == [(f"a.parquet#{i}", "", b"x") for i in range(3)]
    assert said(read(arrow, tmp_path / "a.arrow")) == [(f"a.arrow#{i}", "", b"x") for i in range(3)]
    assert not (tmp_path / "was run").exists() and b"mkdir" in (tmp_path / "a.arrow").read_bytes()


MEMORY = r"""
import re, sys
from components.image_example_gen.config import DataConfig
from components.image_example_gen.readers.columnar import arrow
from components.image_example_gen.readers.columnar import parquet
from components.image_example_gen.storage.files import FoundFile
reader = arrow if sys.argv[2].endswith("arrow") else parquet
found = reader.find(sys.argv[1], FoundFile(sys.argv[2], 0, 0), DataConfig())
for start, stop in found.units(10_000):
    for _ in found.read(sys.argv[1], start, stop, DataConfig()):
        pass
print(int(re.search(r"VmHWM:\s*(\d+)", open("/proc/self/status").read())[1]) // 1024)  # ru_maxrss has the parent's in it
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_memory_is_flat_whatever_the_size_of_a_row_group(tmp_path, kind):
    megabytes = []
    for count in (4_000, 40_000):
        data = pa.table({"image": pa.array([os.urandom(10_000) for _ in range(count)], pa.binary())})
        if kind == "parquet":
            pq.write_table(data, tmp_path / "a.parquet", row_group_size=count)
        else:
            with pa.ipc.new_stream(str(tmp_path / "a.arrow"), data.schema) as writer:
                writer.write_table(data, max_chunksize=count)
        del data
        command = [sys.executable, "-c", MEMORY, str(tmp_path), f"a.{kind}"]
        done = subprocess.run(command, cwd=Path(__file__).parents[5], check=True, capture_output=True, text=True)
        megabytes.append(int(done.stdout))
    assert megabytes[1] < megabytes[0] + 60  # of 360 more in the file


@pytest.mark.parametrize("kind", KINDS)
def test_hundreds_of_damaged_files(tmp_path, kind):
    rng = random.Random(str(kind))
    pq.write_table(table(), tmp_path / "sound.parquet", **kind)
    pq.write_table(table(40).drop(["caption"]), tmp_path / "other.parquet")
    sound, other = ((tmp_path / name).read_bytes() for name in ("sound.parquet", "other.parquet"))
    pictures = 0
    for _ in range(150):
        data = bytearray(at_random(sound, rng, other))
        if rng.random() < 0.6 and len(data) > 100:  # else most are refused at sight
            for _ in range(rng.randint(0, 3)):
                data[-rng.randint(1, len(data) // 2)] = rng.choice([0, 255, 127, 128, rng.randrange(256)])
            data[:4] = data[-4:] = b"PAR1"
        (tmp_path / "a.parquet").write_bytes(data)
        pictures += check_damaged(parquet, tmp_path / "a.parquet", 60)
    assert pictures > 500  # some damage is of what is not read
