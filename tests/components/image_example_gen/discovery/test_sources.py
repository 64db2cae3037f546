"""Which files are found, and what their names say."""

from __future__ import annotations

import gzip
import os

import numpy as np
import pytest

from common.errors import InputError
from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.find import find_sources
from components.image_example_gen.discovery.sources import Sources
from components.image_example_gen.items import Entry, Rejected
from components.image_example_gen.readers.arrays.idx import write_idx
from tests.components.image_example_gen.ingestion import picture, write_idx_pair, write_pictures

PIXELS = np.stack([picture(seed) for seed in range(4)])
LABELS = np.arange(4)


def touch(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"x")
    return str(folder)


def found(folder, config=DataConfig()) -> tuple[Sources, list[str]]:
    """The sources, and the paths of the picture files."""
    entries: list[Entry] = []
    sources = find_sources(str(folder), config, entries.append)
    assert sources.files == len(entries)
    return sources, sorted(entry.path for entry in entries)


def splits_of(folder):
    sources, paths = found(folder)
    return {path: sources.labels.of(path)[1] for path in paths}


def test_finds_pictures_by_suffix_in_all_folders(tmp_path):
    touch(tmp_path, "b/2.PNG", "b/a/1.Jpeg", "3.jpg", "4.gif", "5.bmp", "notes.txt", ".hidden.png", ".git/x.gif")
    (tmp_path / "folder.png").mkdir()
    sources, paths = found(tmp_path)
    assert paths == ["3.jpg", "4.gif", "5.bmp", "b/2.PNG", "b/a/1.Jpeg"] == list(sources.sample)
    assert sources.others == {".txt": 1}


def test_follows_links_but_not_in_circles_nor_out_of_the_folder(tmp_path):
    touch(tmp_path, "elsewhere/a/1.png", "pictures/2.png")
    (tmp_path / "pictures/linked").symlink_to(tmp_path / "elsewhere/a")
    (tmp_path / "pictures/out.png").symlink_to(tmp_path / "elsewhere/a/1.png")
    (tmp_path / "pictures/within.png").symlink_to(tmp_path / "pictures/2.png")
    (tmp_path / "pictures/circle").symlink_to(tmp_path / "pictures")
    (tmp_path / "pictures/self.png").symlink_to(tmp_path / "pictures/self.png")
    os.mkfifo(tmp_path / "pictures/pipe.png")
    sources, paths = found(tmp_path / "pictures")
    assert paths == ["2.png", "self.png", "within.png"]
    why = "a link that leads out of the folder: data.follow_links=true follows it"
    assert sources.left_out == (Rejected("linked", why), Rejected("out.png", why))
    sources, paths = found(tmp_path / "pictures", DataConfig(follow_links=True))
    assert paths == ["2.png", "linked/1.png", "out.png", "self.png", "within.png"] and not sources.left_out


def test_split_folders_under_any_of_their_names(tmp_path):
    folder = touch(tmp_path, "Train/cat/1.png", "VALID/cat/2.png", "test/3.png")
    assert splits_of(folder) == {"Train/cat/1.png": "train", "VALID/cat/2.png": "eval", "test/3.png": "test"}


def test_a_folder_that_may_be_a_split_or_a_label_is_asked_about(tmp_path):
    message = mistake(touch(tmp_path, "train/1.png", "car/2.png"))
    assert "'train'" in message and "data.splits=labels" in message
    sources, paths = found(tmp_path, DataConfig(splits="labels"))
    assert [sources.labels.of(path) for path in paths] == [("car", None), ("train", None)]


@pytest.mark.parametrize("config", [{"label_pattern": "([0-9])"}, {"label_file": "labels.csv"}])
def test_it_is_not_where_labels_come_from_elsewhere(tmp_path, config):
    folder = touch(tmp_path, "train/1.png", "car/2.png")
    (tmp_path / "labels.csv").write_text("path,label\ntrain/1.png,a\n")
    assert found(folder, DataConfig(**config))[0].count == 2


def test_splits_inside_a_wrapper_and_pictures_beside_them(tmp_path):
    sources, paths = found(touch(tmp_path, "animals/train/cat/1.png", "animals/test/cat/2.png", "animals/3.png"))
    assert [sources.labels.of(path) for path in paths] == [("", None), ("cat", "test"), ("cat", "train")]
    assert sources.file_splits == {"train": 1, "test": 1, None: 1} and sources.splits_from == ("folders",)
    assert any("beside the folders test and train" in note for note in sources.notes)
    (tmp_path / "animals/val").mkdir()
    assert "the split 'eval' is empty" in mistake(tmp_path)


@pytest.mark.parametrize(
    "prefix, split",
    [("train", "train"), ("t10k", "test"), ("test", "test"), ("val", "eval"), ("emnist-train", "train"), ("x", None)],
)
def test_split_of_an_idx_file(tmp_path, prefix, split):
    write_idx_pair(tmp_path, "train", PIXELS, LABELS)
    write_idx_pair(tmp_path / "more", prefix, PIXELS, LABELS)
    assert find_sources(str(tmp_path)).containers[0].split == split


def test_idx_in_the_spelling_with_a_dot_and_beside_its_packed_self(tmp_path):
    for suffix in ("", ".gz"):
        write_idx(tmp_path / f"train-images.idx3-ubyte{suffix}", PIXELS.shape, [PIXELS.tobytes()])
        write_idx(tmp_path / f"train-labels.idx1-ubyte{suffix}", (4,), [bytes(4)])
    (idx,) = find_sources(str(tmp_path)).containers
    assert (idx.path, idx.count) == ("train-images.idx3-ubyte", 4)
    assert [block.labels for block in idx.read(str(tmp_path), 0, 4, DataConfig())] == [["0"] * 4]


def test_idx_file_in_a_split_folder(tmp_path):
    write_idx_pair(tmp_path / "train", "a", PIXELS, LABELS)
    write_idx_pair(tmp_path / "val", "a", PIXELS, LABELS)
    assert [idx.split for idx in find_sources(str(tmp_path)).containers] == ["train", "eval"]


def test_fingerprint_sees_renames_edits_and_label_files(tmp_path):
    write_pictures(tmp_path, 2)
    write_idx_pair(tmp_path, "a", PIXELS, LABELS)
    seen = [find_sources(str(tmp_path)).fingerprint]
    assert find_sources(str(tmp_path)).fingerprint == seen[0]

    def changed():
        seen.append(find_sources(str(tmp_path)).fingerprint)
        return len(set(seen)) == len(seen)

    (tmp_path / "0000.png").rename(tmp_path / "renamed.png")
    assert changed()
    os.utime(tmp_path / "renamed.png", ns=(1, 1))
    assert changed()
    os.utime(tmp_path / "a-labels-idx1-ubyte.gz", ns=(1, 1))
    assert changed()
    (tmp_path / "notes.txt").write_text("of no concern")
    assert not changed()


def mistake(folder) -> str:
    with pytest.raises(InputError) as caught:
        find_sources(str(folder))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_missing_folder(tmp_path):
    assert "does not exist" in mistake(tmp_path / "nowhere")


def test_a_picture_instead_of_a_folder(tmp_path):
    assert "is a single picture" in mistake(touch(tmp_path, "a.png") + "/a.png")
    assert "found 1 .txt" in mistake(touch(tmp_path, "a.txt") + "/a.txt")


def test_no_pictures_says_what_is_looked_for_and_what_is_there(tmp_path):
    message = mistake(touch(tmp_path, "1.txt", "2.txt", "readme"))
    assert "found 2 .txt, 1 without a suffix" in message and "darkroom inspect" in message
    (tmp_path / "empty").mkdir()
    assert "found nothing" in mistake(tmp_path / "empty")


def test_pictures_of_kinds_that_are_not_read_are_taken_up_to_be_refused_by_name(tmp_path):
    assert find_sources(str(touch(tmp_path, "a.png", "b.heic", "c.AVIF", "d.txt"))).count == 3


def test_an_empty_split_folder_is_a_mistake(tmp_path):
    touch(tmp_path, "train/1.png", "test/2.png")
    (tmp_path / "eval").mkdir()
    assert "the split 'eval' is empty" in mistake(tmp_path)


def test_nothing_to_train_on(tmp_path):
    assert "all belong to eval and test" in mistake(touch(tmp_path, "test/1.png", "val/2.png"))


def test_idx_with_another_magic(tmp_path):
    with gzip.open(tmp_path / "train-images-idx3-ubyte.gz", "wb") as file:
        file.write(b"\x00\x00\x08\x01" + bytes(12))
    assert "train-images-idx3-ubyte.gz: " in mistake(tmp_path)


def test_idx_that_is_no_gzip(tmp_path):
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"<html>not found</html>")
    assert "an HTML page" in mistake(tmp_path)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_shorter_than_its_header_says(tmp_path, suffix):
    write_idx(tmp_path / f"train-images-idx3-ubyte{suffix}", (5, 8, 8), [PIXELS.tobytes()])
    assert "272 bytes where its header says 336" in mistake(tmp_path)


def test_idx_cut_within_its_header(tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"\x00\x00\x08\x03\x00\x00")
    assert "truncated at byte 6:" in mistake(tmp_path)


def test_idx_with_odd_channels(tmp_path):
    write_idx(tmp_path / "train-images-idx4-ubyte", (1, 8, 8, 5), [bytes(320)])
    assert "channels" in mistake(tmp_path)


def test_idx_without_pictures(tmp_path):
    write_idx(tmp_path / "train-images-idx3-ubyte", (0, 8, 8), [])
    assert "holds no pictures" in mistake(tmp_path)


def test_idx_with_another_number_of_labels(tmp_path):
    write_idx_pair(tmp_path, "train", PIXELS, np.arange(3))
    assert "4 pictures" in mistake(tmp_path) and "3 labels" in mistake(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["a.zip", "a.tar.gz", "a.npz", "a.npy", "a.mat", "a.h5", "a.parquet", "a.arrow", "train.tfrecord", "t-images-idx3-ubyte.gz"],
)
def test_a_page_of_the_web_in_place_of_a_file_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"\n<!DOCTYPE html><html><body>Not found</body></html>" * 20)
    assert "HTML" in mistake(tmp_path) and name in mistake(tmp_path / name)
