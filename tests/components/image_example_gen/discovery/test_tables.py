"""metadata.csv and metadata.jsonl as Hugging Face's imagefolder has them, and paths as people write them."""

from __future__ import annotations

import json
import unicodedata

import pytest

from common.errors import InputError
from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.find import find_sources
from components.image_example_gen.discovery.tables import separated
from pipeline.data.inspection import inspect
from tests.components.image_example_gen.ingestion import encode, ingest, picture, write_pictures


def labels_of(result):
    return {path: example["image/label"].decode() for path, example in result.examples().items()}


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_metadata_in_each_split_gives_the_labels(tmp_path, kind):
    for number, split in enumerate(("train", "test")):
        folder = write_pictures(tmp_path / f"in/{split}", 40, 40 * number)
        rows = [(f"{40 * number + place:04d}.png", "cat" if place % 2 else "dog") for place in range(40)]
        if kind == "csv":
            text = "file_name,label\n" + "".join(f"{name},{label}\n" for name, label in rows)
        else:
            text = "".join(json.dumps({"file_name": name, "label": label}) + "\n" for name, label in rows)
        (folder / f"metadata.{kind}").write_text(text)
    result = ingest(tmp_path / "in", tmp_path / "out")
    found = labels_of(result)
    assert len(found) == 80 and all((label == "cat") == (int(path[-8:-4]) % 2 == 1) for path, label in found.items())
    assert result.summary["notes"][0] == "splits: train, test from folders, eval by content; 2 labels: cat, dog"


def test_what_metadata_does_not_name_keeps_its_folders_label(tmp_path):
    write_pictures(tmp_path / "in/hen", 30)
    write_pictures(tmp_path / "in/other", 30, 30)
    (tmp_path / "in/other/metadata.csv").write_text("file_name,label\n0030.png,fox\n")
    found = labels_of(ingest(tmp_path / "in", tmp_path / "out"))
    assert found["other/0030.png"] == "fox" and found["other/0031.png"] == "other" and found["hen/0001.png"] == "hen"


def test_metadata_without_labels_is_said_and_a_damaged_one_refused(tmp_path):
    folder = write_pictures(tmp_path / "in", 60)
    (folder / "metadata.csv").write_text("file_name,text\n0001.png,a fox\n")
    assert any("metadata.csv is not used" in line for line in ingest(folder, tmp_path / "1").summary["notes"])
    (folder / "metadata.csv").write_text("file_name,label\n0001.png,fox\n,fox\n")
    result = ingest(folder, tmp_path / "2")
    assert len(result.examples()) == 60 and "line 3" in result.rejects["metadata.csv"]


def test_a_changed_metadata_changes_the_fingerprint(tmp_path):
    folder = write_pictures(tmp_path / "in", 3)
    prints = []
    for label in ("fox", "fox", "hen"):
        (folder / "metadata.csv").write_text(f"file_name,label\n0001.png,{label}\n")
        prints.append(find_sources(str(folder)).fingerprint)
    assert prints[0] == prints[1] != prints[2]


def test_labels_and_paths_in_both_unicode_forms(tmp_path):
    for number, form in enumerate(("NFC", "NFD")):
        write_pictures(tmp_path / "in" / unicodedata.normalize(form, "café"), 30, 30 * number)
    assert set(labels_of(ingest(tmp_path / "in", tmp_path / "out")).values()) == {unicodedata.normalize("NFC", "café")}
    folder = tmp_path / "named"
    folder.mkdir()
    for number in range(40):
        (folder / unicodedata.normalize("NFD", f"é{number}.png")).write_bytes(encode(picture(number)))
    rows = "".join(unicodedata.normalize("NFC", f"é{number}.png,fox\n") for number in range(40))
    (folder / "labels.csv").write_text(f"path,label\n{rows}", encoding="utf-8")
    found = labels_of(ingest(folder, tmp_path / "out2", DataConfig(label_file="labels.csv")))
    assert len(found) == 40 and set(found.values()) == {"fox"}


def test_backslashes_are_separators_where_that_finds_the_file(tmp_path):
    write_pictures(tmp_path / "in/p/cat", 60)
    (tmp_path / "in/list.csv").write_text("path,label\n" + "".join(f"p\\cat\\{number:04d}.png,cat\n" for number in range(60)))
    assert len(ingest(tmp_path / "in/list.csv", tmp_path / "out").examples()) == 60
    (tmp_path / "a\\b.png").write_bytes(b"x")
    assert separated(str(tmp_path), "a\\b.png") == "a\\b.png"  # a file that is called so
    config = DataConfig(label_file=str(tmp_path / "in/list.csv"))
    assert set(labels_of(ingest(tmp_path / "in", tmp_path / "out2", config)).values()) == {"cat"}


def test_a_manifest_without_splits_takes_those_of_its_folders(tmp_path):
    for number, split in enumerate(("train", "test")):
        write_pictures(tmp_path / f"in/{split}", 40, 40 * number)
    rows = [f"{split}/{40 * number + place:04d}.png,a" for number, split in enumerate(("train", "test")) for place in range(40)]
    (tmp_path / "in/list.csv").write_text("\n".join(["path,label", *rows]))
    result = ingest(tmp_path / "in/list.csv", tmp_path / "out")
    assert result.summary["pictures"]["test"] == 40 and set(labels_of(result).values()) == {"a"}


def test_splits_of_a_manifest_in_any_of_their_names(tmp_path):
    write_pictures(tmp_path / "in", 60)
    names = ["Training", "TEST", "dev"]
    rows = [f"{number:04d}.png,{names[number % 3]}" for number in range(60)]
    (tmp_path / "in/list.csv").write_text("\n".join(["path,split", *rows]))
    assert ingest(tmp_path / "in/list.csv", tmp_path / "out").summary["pictures"] == {"train": 20, "eval": 20, "test": 20}


def test_a_line_about_a_table_is_short_whatever_its_header_holds(tmp_path):
    (tmp_path / "list.csv").write_text(",".join(f"column{number}" for number in range(1000)) + "\n1\n")
    with pytest.raises(InputError) as caught:
        find_sources(str(tmp_path / "list.csv"))
    assert len(str(caught.value)) < 200 + len(str(tmp_path))


@pytest.mark.parametrize("config", [DataConfig(), DataConfig(label_file="metadata.csv")])
def test_a_table_that_is_used_is_not_passed_over(tmp_path, config):
    folder = write_pictures(tmp_path / "in", 3)
    (folder / "metadata.csv").write_text("file_name,label\n0001.png,fox\n")
    (folder / "more.csv").write_text("a,b\n")
    assert find_sources(str(folder), config).others == {".csv": 1}


def test_two_labels_of_one_picture_are_said_and_counted_once(tmp_path):
    folder = write_pictures(tmp_path / "in", 4)
    rows = [f"{number:04d}.png,{label}" for label in ("cat", "dog") for number in range(4)]
    (folder / "metadata.csv").write_text("\n".join(["file_name,label", *rows]))
    said = [line for line in inspect(str(folder), DataConfig()) if "labels" in line.replace(str(tmp_path), "")]
    assert said[0].startswith("labels: 1: dog 4") and len(said) == 2
    assert said[1].startswith("4 pictures have different labels in the table of labels, such as 000")
    assert said[1].endswith(".png: cat and dog: the last one counts")
    (folder / "metadata.csv").write_text("\n".join(["file_name,label", *rows[:4], *rows[:4]]))
    assert [line for line in inspect(str(folder), DataConfig()) if "labels" in line.replace(str(tmp_path), "")] == [
        "labels: 1: cat 4 (of those looked at)"
    ]
    (folder / "list.csv").write_text("\n".join(["path,label", *rows]))
    assert any("different labels in the manifest" in note for note in find_sources(str(folder / "list.csv")).notes)


def test_a_table_that_puts_a_picture_into_two_splits_is_refused(tmp_path):
    folder = write_pictures(tmp_path / "in", 4)
    (tmp_path / "labels.csv").write_text("path,label,split\n0001.png,a,test\n0002.png,a,train\n0001.png,a,train\n")
    with pytest.raises(InputError, match="labels.csv names 0001.png more than once, for test and for train: leave one"):
        find_sources(str(folder), DataConfig(label_file=str(tmp_path / "labels.csv")))
