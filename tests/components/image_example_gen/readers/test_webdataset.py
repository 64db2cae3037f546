"""WebDataset's archives: labels that lie beside their pictures."""

from __future__ import annotations

import dataclasses
import io
import json
import tarfile
import zipfile

import pytest

from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Encoded, Rejected
from components.image_example_gen.readers import webdataset
from components.image_example_gen.readers.archives import find
from components.image_example_gen.storage.files import stat_file
from tests.components.image_example_gen.ingestion import encode, ingest, picture

KINDS = [".tar", ".tar.gz", ".zip"]


def shard(path, members: list[tuple[str, bytes]]):
    """Writes an archive; names may come twice."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members:
                archive.writestr(name, data)
        return path
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def png(seed: int) -> bytes:
    return encode(picture(seed))


def samples(count: int, label) -> list[tuple[str, bytes]]:
    """So many samples, each with a picture and what `label` says of it: a suffix and bytes."""
    files = [(f"{number:06d}.png", png(number)) for number in range(count)]
    return [file for number, picture_file in enumerate(files) for file in (picture_file, _beside(number, *label(number)))]


def _beside(number: int, suffix: str, data: bytes) -> tuple[str, bytes]:
    return f"{number:06d}.{suffix}", data


def found_in(path, config: DataConfig = DataConfig()):
    return find(str(path.parent), stat_file(str(path.parent), path.name), config)


def labels_in(path, config: DataConfig = DataConfig()) -> dict[str, str]:
    """The label of each picture by its name in the archive."""
    items = list(found_in(path, config).read(str(path.parent), 0, 0, config))
    assert all(isinstance(item, Encoded) for item in items)
    return {item.path.removeprefix(f"{path.name}/"): item.label for item in items}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("label", "config", "expected"),
    [
        (lambda number: ("cls", b"%d\n" % (number % 3)), DataConfig(), ["0", "1", "2"]),
        (lambda number: ("cls", b"%d" % (number % 3)), DataConfig(label_names=("cat", "dog")), ["cat", "dog", "2"]),
        (lambda number: ("cls", "gr\u00fcn".encode()), DataConfig(), ["gr\u00fcn"] * 3),
        (lambda number: ("CLS.txt", b" cat \r\n"), DataConfig(), ["cat"] * 3),
        (lambda number: ("json", b'{"id": 7, "class": %d}' % number), DataConfig(label_names=("cat",)), ["cat", "1", "2"]),
        (lambda number: ("json", b'{"label": null, "cls": true, "label_name": "dog"}'), DataConfig(), ["dog"] * 3),
    ],
    ids=["number", "named number", "text", "cls.txt", "json", "later key"],
)
def test_the_class_is_the_label(tmp_path, kind, label, config, expected):
    path = shard(tmp_path / f"train-000000{kind}", samples(3, label))
    found = found_in(path, config)
    assert found.label_kinds and found.split == "train" and found.count == 3 and not found.notes and not found.others
    assert list(labels_in(path, config).values()) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_the_label_may_stand_before_its_pictures_and_be_of_several(tmp_path, kind):
    members = [
        ("a/1.cls", b"x"),
        ("a/1.left.png", png(1)),
        ("a/1.right.png", png(2)),
        ("b/1.left.png", png(3)),
        ("b/1.json", b'{"label": "json"}'),
        ("b/1.right.png", png(4)),
        ("b/1.cls", b"y"),
        ("c/1.png", png(5)),
        ("c/1.txt", b"a caption"),
        ("d/1.json", b'{"label": "z"}'),
        ("d/1.png", png(6)),
    ]
    assert labels_in(shard(tmp_path / f"x{kind}", members)) == {
        **dict.fromkeys(("a/1.left.png", "a/1.right.png"), "x"),
        **dict.fromkeys(("b/1.left.png", "b/1.right.png"), "y"),
        "c/1.png": "c",  # its folder's
        "d/1.png": "z",
    }


def test_a_label_is_of_its_sample_only(tmp_path):
    members = [("1.png", png(1)), ("1.cls", b"x"), ("2.png", png(2)), ("3.png", png(3)), ("3.cls", b"y"), ("30.png", png(4))]
    assert list(labels_in(shard(tmp_path / "x.tar", members)).values()) == ["x", "", "y", ""]


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xfe", b"two\nlines", b"c" * 300, b"\0", b"9" * 100_000],
    ids=["empty", "bytes", "lines", "long", "zero", "digits"],
)
def test_what_is_no_label(tmp_path, data):
    members = [("cat/1.png", png(1)), ("cat/1.cls", data), ("dog/2.png", png(2)), ("dog/2.cls", b"x")]
    assert labels_in(shard(tmp_path / "x.tar", members)) == {"cat/1.png": "cat", "dog/2.png": "x"}


@pytest.mark.parametrize(
    "data",
    [b"{", b"[" * 100_000, b"[1]", b'"a"', b"{}", b'{"label": [1]}', b'{"label": 1.5}', b'{"caption": "a cat"}', b"\xff"],
    ids=["cut", "deep", "list", "text", "empty", "list within", "fraction", "caption", "bytes"],
)
def test_json_without_a_label_is_said_and_folders_count(tmp_path, data):
    path = shard(tmp_path / "x.tar", [("cat/1.png", png(1)), ("cat/1.json", data), ("dog/2.png", png(2)), ("dog/2.json", data)])
    assert labels_in(path) == {"cat/1.png": "cat", "dog/2.png": "dog"} and not found_in(path).notes
    path = shard(tmp_path / "y.tar", samples(3, lambda number: ("json", data)))
    assert set(labels_in(path).values()) == {""}
    assert found_in(path).notes[0].startswith("y.tar: no labels; 3 .json in it are not used")


def test_classes_that_stand_elsewhere_are_said(tmp_path):
    members = [("1.png", png(1)), ("2.png", png(2)), ("1.cls", b"1"), ("2.cls", b"2"), ("3.cls", b"3"), ("3.png", png(3))]
    path = shard(tmp_path / "x.tar", members)
    assert labels_in(path) == {"1.png": "", "2.png": "", "3.png": "3"}
    assert found_in(path).notes == ("x.tar: 2 .cls not used: no picture of the same name stands beside",)


def test_what_a_person_configured_counts_more(tmp_path):
    path = shard(tmp_path / "x.tar", samples(3, lambda number: ("cls", b"x")))
    assert set(labels_in(path, DataConfig(label_pattern=r"00000(\d)")).values()) == {"0", "1", "2"}


def test_folders_that_the_archive_lies_in_are_no_part_of_a_class(tmp_path):
    path = shard(tmp_path / "x.tar", [("a/1.png", png(1)), ("a/1.cls", b"x"), ("b/2.png", png(2))])
    found = dataclasses.replace(found_in(path), above="shards")
    assert [item.label for item in found.read(str(tmp_path), 0, 2, DataConfig())] == ["x", "shards/b"]


@pytest.mark.parametrize("bound", ["pictures", "bytes"])
def test_a_sample_without_end_is_not_held_back(tmp_path, monkeypatch, bound):
    if bound == "pictures":
        monkeypatch.setattr(webdataset, "_MAX_PICTURES", 5)
    members = [*((f"1.{number}.png", png(number)) for number in range(40)), ("1.cls", b"x")]
    config = DataConfig(max_file_megabytes=0.001 if bound == "bytes" else 1)
    labels = list(labels_in(shard(tmp_path / "x.tar", members), config).values())
    assert len(labels) == 40 and labels[0] == "" and labels.count("x") < 10


def test_a_shard_that_breaks_off_gives_the_label_that_was_read(tmp_path):
    path = shard(tmp_path / "x.tar", samples(3, lambda number: ("cls", b"x")))
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"000002.cls") + 600])
    *first, last = found_in(path).read(str(tmp_path), 0, 3, DataConfig())
    assert isinstance(last, Rejected) and [item.label for item in first] == ["x", "x", "x"]


def test_shards_of_several_splits_in_a_run(tmp_path):
    (tmp_path / "in").mkdir()
    for name, first, count in (("train-000000.tar", 0, 30), ("train-000001.tar", 40, 30), ("val-0001.tar", 80, 9)):
        members = [
            member
            for number in range(first, first + count)
            for member in ((f"{number}.jpg.png", png(number)), (f"{number}.json", json.dumps({"label": number % 2}).encode()))
        ]
        shard(tmp_path / "in" / name, members)
    result = ingest(tmp_path / "in", tmp_path / "out", DataConfig(label_names=("cat", "dog"), test_share=0))
    assert result.summary["pictures"] == {"train": 60, "eval": 9} and not result.rejects
    assert set(result.summary["labels"]["train"]) == {"cat", "dog"}
    assert result.examples()["val-0001.tar/81.jpg.png"]["image/label"] == b"dog"
