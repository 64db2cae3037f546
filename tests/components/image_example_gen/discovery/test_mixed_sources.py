"""Split folders, spans and patterns where files of many pictures lie among picture files."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import zipfile

import numpy as np
import pytest

from common.errors import InputError
from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.find import find_sources
from tests.components.image_example_gen.ingestion import encode, ingest, picture, write_pictures


def write_zip(path, names, first=0, method=zipfile.ZIP_STORED):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as archive:
        for seed, name in enumerate(names, first):
            archive.writestr(name, encode(picture(seed)))
    return path


def splits(result):
    return result.summary["pictures"]


@pytest.fixture
def split_folders(tmp_path):
    for number, split in enumerate(("train", "eval", "test")):
        write_pictures(tmp_path / f"in/{split}/cat", 30, 30 * number)
    return tmp_path / "in"


def test_files_of_many_pictures_beside_split_folders_leave_them_what_they_are(tmp_path, split_folders):
    with zipfile.ZipFile(split_folders / "notes.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing to see")
    np.save(split_folders / "classes.npy", np.arange(5))
    np.savez(split_folders / "x_test.npz", images=np.stack([picture(seed) for seed in range(100, 107)]))
    write_zip(split_folders / "more.zip", [f"{'hen' if i % 2 else 'dog'}/{i}.png" for i in range(8)], 200)
    result = ingest(split_folders, tmp_path / "out")
    assert splits(result) == {"train": 38, "eval": 30, "test": 37}
    assert {found["image/label"] for found in result.examples().values()} == {b"cat", b"dog", b"hen", b""}


def test_archives_in_the_folders_of_spans(tmp_path):
    for span in (9, 10):
        for number, split in enumerate(("train", "eval", "test")):
            names = [f"{'cat' if i % 2 else 'dog'}/{i}.png" for i in range(20)]
            write_zip(tmp_path / f"in/span-{span}/{split}/a.zip", names, 1000 * span + 100 * number)
    result = ingest(f"{tmp_path}/in/span-{{SPAN}}", tmp_path / "out", DataConfig(span_window=2))
    assert splits(result) == {"train": 40, "eval": 40, "test": 40}
    assert {found["image/label"] for found in result.examples().values()} == {b"cat", b"dog"}


def test_a_span_of_archives_alone_is_no_label(tmp_path):
    write_zip(tmp_path / "in/span-1/a.zip", [f"{'cat' if i % 2 else 'dog'}/{i}.png" for i in range(60)])
    result = ingest(f"{tmp_path}/in/span-{{SPAN}}", tmp_path / "out")
    assert {found["image/label"] for found in result.examples().values()} == {b"cat", b"dog"}


def test_a_pattern_says_the_splits_of_what_is_in_an_archive(tmp_path):
    names = [f"{split}_{i}.png" for split in ("train", "eval", "test") for i in range(30)]
    path = write_zip(tmp_path / "in/a.zip", names)
    result = ingest(path, tmp_path / "out", DataConfig(label_pattern="(?P<split>train|eval|test)_"))
    assert splits(result) == {"train": 30, "eval": 30, "test": 30}


def test_a_pattern_with_the_word_split_in_it_is_no_pattern_of_splits(split_folders):
    found = find_sources(str(split_folders), DataConfig(label_pattern="(?P<label>cat|splitfin)"))
    assert found.own_splits == {"train", "eval", "test"}


def test_names_with_a_dot_for_a_folder_are_read(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for seed in range(60):
            info = tarfile.TarInfo(("./" if seed % 2 else "") + f"cat/./{seed}.png")
            info.size = len(data := encode(picture(seed)))
            archive.addfile(info, io.BytesIO(data))
    result = ingest(path, tmp_path / "out", DataConfig())
    assert len(result.examples()) == 60 and not result.rejects


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_one_damaged_member_of_a_zip_loses_no_other(tmp_path, method):
    path = write_zip(tmp_path / "a.zip", [f"{i}.png" for i in range(60)], method=method)
    with zipfile.ZipFile(path) as archive:
        begin = archive.getinfo("30.png").header_offset + 60
    data = bytearray(path.read_bytes())
    data[begin : begin + 40] = bytes(40)
    path.write_bytes(data)
    result = ingest(path, tmp_path / "out")
    assert result.rejects == {"a.zip/30.png": "damaged within its archive"} and len(result.examples()) == 59


def test_labels_as_bytes_and_as_whole_floats(tmp_path):
    pictures = np.stack([picture(seed) for seed in range(60)])
    np.savez(tmp_path / "a.npz", images=pictures, labels=np.array([b"cat", b"dog"] * 30))
    np.savez(tmp_path / "b.npz", images=pictures, labels=np.array([0.0, 1.0] * 30))
    for name, config in (("a.npz", DataConfig()), ("b.npz", DataConfig(label_names=("cat", "dog")))):
        result = ingest(tmp_path / name, tmp_path / f"out-{name}", config)
        assert {found["image/label"] for found in result.examples().values()} == {b"cat", b"dog"}


@pytest.mark.parametrize("shape, words", [((10**9, 28, 28), "bytes where its header says"), ((-5, 28, 28), "which no file holds")])
def test_an_array_that_promises_more_than_there_is(tmp_path, shape, words):
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(100))
    with pytest.raises(InputError, match=words):
        find_sources(str(tmp_path))


def test_folders_that_link_to_each_other_are_each_read_once(tmp_path):
    for name in "abcdefghi":
        write_pictures(tmp_path / f"in/{name}", 2, ord(name))
        for other in "abcdefghi":
            (tmp_path / f"in/{name}/to-{other}").symlink_to(tmp_path / f"in/{other}")
    assert find_sources(str(tmp_path / "in")).count == 18


def test_folders_deeper_than_python_recurses(tmp_path):
    deep = tmp_path / "deep"
    write_pictures(deep, 3)
    here = os.open(deep, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    try:
        assert find_sources(str(deep)).count == 3
    finally:
        subprocess.run(["rm", "-rf", str(deep)], check=True)  # Python's own way to remove it would recurse


def test_a_file_uri_in_a_manifest(tmp_path):
    write_pictures(tmp_path / "some where", 60)
    rows = [f"file://{tmp_path}/some%20where/{i:04d}.png" for i in range(60)]
    (tmp_path / "list.csv").write_text("\n".join(["uri", *rows]))
    assert len(ingest(tmp_path / "list.csv", tmp_path / "out").examples()) == 60


def test_a_span_that_is_no_number_of_a_database(tmp_path):
    write_pictures(tmp_path / "span-20260101123000123456", 3)
    with pytest.raises(InputError, match="too large a number"):
        find_sources(str(tmp_path / "span-{SPAN}"))
