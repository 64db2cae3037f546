"""What a person is told of how pictures were read, by real runs of the executor."""

from __future__ import annotations

import io
import zipfile

import numpy as np
from PIL import Image

from components.image_example_gen.config import DataConfig
from tests.components.image_example_gen.ingestion import encode, ingest, picture, write_pictures


def said(folder, out, config=DataConfig()):
    return ingest(folder, out, config).summary["notes"]


def test_splits_and_labels_come_first_in_plain_words(tmp_path):
    for number, name in enumerate(("train/cat", "train/dog", "test/cat")):
        write_pictures(tmp_path / f"in/{name}", 30, 30 * number)
    assert said(tmp_path / "in", tmp_path / "out")[0] == ("splits: train, test from folders, eval by content; 2 labels: cat, dog")


def test_splits_by_content_and_no_labels(tmp_path):
    assert said(write_pictures(tmp_path / "in", 60), tmp_path / "out") == ["splits: train, eval, test by content; no labels"]
    config = DataConfig(test_share=0)
    assert said(tmp_path / "in", tmp_path / "2", config) == ["splits: train, eval by content; no labels"]


def test_many_labels_are_cut_short(tmp_path):
    for number in range(20):
        write_pictures(tmp_path / f"in/{'x' * 100}{number:02d}", 5, 5 * number)
    first = said(tmp_path / "in", tmp_path / "out")[0]
    assert "20 labels" in first and first.endswith("...") and len(first) < 400


def test_what_is_passed_over_or_left_out(tmp_path):
    folder = write_pictures(tmp_path / "in", 60)
    (folder / "notes.txt").write_text("x")
    (folder / "page.zip").write_bytes(b"<html>gone</html>")
    (folder / "pages.tiff").write_bytes(_pages(3))
    (folder / "deep.png").write_bytes(encode(np.arange(256, dtype=np.uint16).reshape(16, 16) * 257))
    lines = said(folder, tmp_path / "out")
    assert "ignored, because their names are not those of pictures: 1 .txt" in lines
    assert any(line.startswith("refused page.zip: no zip archive") for line in lines)
    assert any("data.pages=all" in line and line.startswith("1 picture has") for line in lines)
    assert any("data.depth=16" in line for line in lines)


def test_links_that_are_not_followed_are_named(tmp_path):
    for number, label in enumerate(("in/cat", "in/cow", "else/dog", "else/hen")):
        write_pictures(tmp_path / label, 30, 30 * number)
    (tmp_path / "in/dog").symlink_to("../else/dog")
    lines = said(tmp_path / "in", tmp_path / "out")
    assert "not read: dog, a link that leads out of the folder: data.follow_links=true follows them" in lines
    (tmp_path / "in/hen").symlink_to("../else/hen")
    (tmp_path / "in/bee").symlink_to("bees")
    for name in ("a.png", "b.png"):
        (tmp_path / "in" / name).symlink_to("../else/dog/0060.png")
    lines = said(tmp_path / "in", tmp_path / "2")
    assert "not read: dog, hen, a.png and 1 more, links that lead out of the folder: data.follow_links=true follows them" in lines
    assert "refused bee: a link that leads nowhere" in lines


def test_a_label_file_that_names_half_of_the_pictures_says_so(tmp_path):
    folder = write_pictures(tmp_path / "in", 60)
    (folder / "labels.csv").write_text("path,label\n" + "".join(f"{number:04d}.png,cat\n" for number in range(30)))
    lines = said(folder, tmp_path / "out", DataConfig(label_file="labels.csv"))
    assert "the label file names 30 of 60 pictures; the others have no label" in lines


def test_a_table_of_labels_that_is_not_used_is_named(tmp_path):
    folder = write_pictures(tmp_path / "in", 60)
    (folder / "labels.csv").write_text("file_name,label\n0001.png,cat\n")
    assert "labels.csv has labels that are not used: data.label_file=labels.csv takes them" in said(folder, tmp_path / "out")


def test_masks_of_0_and_1_are_said_and_can_be_scaled(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for seed in range(60):
        levels = np.random.default_rng(seed).integers(0, 2, (8, 8), np.uint8)
        (folder / f"{seed}.png").write_bytes(encode(levels))
    assert any("60 pictures have only the levels 0 and 1" in line for line in said(folder, tmp_path / "out"))
    result = ingest(folder, tmp_path / "scaled", DataConfig(levels=1))
    assert len(result.summary["notes"]) == 1
    assert {example["image/exposure"] for example in result.examples().values()} == {b"usual"}


def _pages(count):
    first, *others = (Image.fromarray(picture(seed, 8, 8)) for seed in range(500, 500 + count))
    buffer = io.BytesIO()
    first.save(buffer, "TIFF", save_all=True, append_images=others)
    return buffer.getvalue()


def test_one_bad_archive_beside_good_pictures_does_not_end_the_run(tmp_path):
    folder = write_pictures(tmp_path / "in", 120)
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("b.png", encode(picture(1000)))
    data = (folder / "a.zip").read_bytes()
    for number, cut in enumerate((1, 10, len(data) // 2, len(data) - 3)):
        (folder / f"{number}.zip").write_bytes(data[:cut])
    result = ingest(folder, tmp_path / "out")
    assert len(result.examples()) == 121 and {f"{number}.zip" for number in range(4)} == set(result.rejects)
