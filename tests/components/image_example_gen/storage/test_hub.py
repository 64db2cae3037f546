"""Data sets of the Hugging Face Hub, from a stand-in on this machine."""

from __future__ import annotations

import builtins
import dataclasses
import io
import os
import socket

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.errors import InputError
from components.image_example_gen.config import DataConfig
from components.image_example_gen.readers.columnar import parquet
from components.image_example_gen.storage import hub as storage
from components.image_example_gen.storage.files import FoundFile, is_file, list_files, open_file, open_seekable, stat_file
from components.image_example_gen.storage.hub import HubPath
from tests.components.image_example_gen.ingestion import encode, ingest, picture, write_pictures
from tests.emulators.hub import COMMIT, TOKEN, hub_server


@pytest.fixture
def hub(tmp_path, monkeypatch):
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "hub").mkdir()
    with hub_server(tmp_path / "hub") as (served, environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield served


def put(hub, path, data=b"x"):
    file = hub.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def listed(uri):
    return {file.path: file for file in list_files(uri)}


@pytest.mark.parametrize(
    "uri, expected",
    [
        ("hf://owner/name", ("owner/name", None, "")),
        ("hf://owner/name/", ("owner/name", None, "")),
        ("hf://datasets/owner/name", ("owner/name", None, "")),
        ("hf://owner/name@v1/some/folder", ("owner/name", "v1", "some/folder")),
        ("hf://owner/name@refs/convert/parquet/default/train", ("owner/name", "refs/convert/parquet", "default/train")),
        ("hf://owner/name@feature%2Fa/x", ("owner/name", "feature/a", "x")),
        ("hf://owner/name/a@b/c.png", ("owner/name", None, "a@b/c.png")),
        ("hf://owner/name@v1/a@b.png", ("owner/name", "v1", "a@b.png")),
        ("hf://mnist", ("mnist", None, "")),
    ],
)
def test_what_a_uri_names(uri, expected):
    assert dataclasses.astuple(HubPath.parse(uri)) == expected


@pytest.mark.parametrize("uri", ["hf://", "hf:///", "hf://models/owner/name", "hf://spaces/a/b", "hf://@v1"])
def test_what_names_no_data_set(uri):
    with pytest.raises(InputError, match="hf://owner/name"):
        is_file(uri)


def test_files_of_all_of_a_data_set_and_of_a_folder_in_it(hub):
    names = [f"images/train/{number:02d} ä#%@.png" for number in range(20)]  # more than a page, and more than letters
    for name in (*names, "more/a.parquet", "README.md", ".gitattributes", "name.py"):
        put(hub, f"owner/name/{name}", name.encode())
    assert set(listed("hf://owner/name")) == {*names, "more/a.parquet", "name.py"}
    assert set(listed("hf://datasets/owner/name@v1/more")) == {"a.parquet"}
    inside = listed("hf://owner/name/images/")
    assert set(inside) == {name.removeprefix("images/") for name in names}
    for name, file in inside.items():
        with open_file(f"hf://owner/name/images/{name}") as stream:
            assert stream.read() == f"images/{name}".encode() and file.size == len(f"images/{name}".encode())


def test_a_changed_file_has_another_time_and_the_same_one_has_not(hub):
    put(hub, "owner/name/a.png", b"one")
    before = listed("hf://owner/name")["a.png"]
    assert stat_file("hf://owner/name", "a.png") == before == listed("hf://owner/name@v1")["a.png"]
    put(hub, "owner/name/a.png", b"two")
    after = listed("hf://owner/name")["a.png"]
    assert after.mtime_ns != before.mtime_ns and after.size == before.size and 0 <= after.mtime_ns < 1 << 63


def test_files_and_folders_are_told_apart(hub):
    put(hub, "owner/name/a/b.zip")
    assert is_file("hf://owner/name/a/b.zip")
    assert not is_file("hf://owner/name/a") and not is_file("hf://owner/name") and not is_file("hf://owner/name/c.zip")
    with pytest.raises(InputError, match=r"there is no file hf://owner/name/c.zip"):
        stat_file("hf://owner/name", "c.zip")


def test_reading_anywhere_in_a_file_fetches_only_what_is_asked_for(hub, monkeypatch):
    monkeypatch.setattr(storage, "_BLOCK", 1000)
    data = os.urandom(50_500)
    put(hub, "owner/name/a.bin", data)
    with open_seekable("hf://owner/name/a.bin") as stream:
        assert stream.seek(-100, io.SEEK_END) == 50_400 and stream.read() == data[-100:]
        stream.seek(20_000)
        assert stream.read(10) == data[20_000:20_010]
        assert len({asked for *_, asked in hub.requests}) < 70  # the buffer's 64 KiB, not all
        stream.seek(0)
        assert stream.read() == data and stream.read() == b"" and stream.read(1) == b""
    put(hub, "owner/name/empty.bin", b"")
    with open_seekable("hf://owner/name/empty.bin") as stream:
        assert stream.read() == b"" and stream.seek(0, io.SEEK_END) == 0


def test_memory_holds_a_few_blocks_of_a_file(hub, monkeypatch):
    monkeypatch.setattr(storage, "_BLOCK", 100)
    put(hub, "owner/name/a.bin", bytes(10_000))
    file = storage.HubFile("hf://owner/name/a.bin")
    while file.read(50):
        assert sum(map(len, file._blocks.values())) <= 100 * storage._BLOCKS


def test_a_file_that_changes_while_it_is_read(hub, monkeypatch):
    monkeypatch.setattr(storage, "_BLOCK", 1000)
    put(hub, "owner/name/a.bin", bytes(2500))
    file = storage.HubFile("hf://owner/name/a.bin")
    put(hub, "owner/name/a.bin", bytes(1200))
    file.seek(2000)
    with pytest.raises(OSError):
        file.read(10)


def test_a_parquet_file_is_read_from_there_as_from_here(hub):
    rows = [{"bytes": os.urandom(1000), "path": f"{number}.png"} for number in range(300)]
    table = pa.table({"image": rows, "label": ["cat", "dog"] * 150})
    (hub.root / "owner/name/data").mkdir(parents=True)
    pq.write_table(table, hub.root / "owner/name/data/train-00000-of-00001.parquet", row_group_size=100)
    name = "data/train-00000-of-00001.parquet"
    (file,) = list_files("hf://owner/name")
    there = parquet.find("hf://owner/name", file, DataConfig())
    here = parquet.find(str(hub.root / "owner/name"), FoundFile(name, file.size, 0), DataConfig())
    assert there == here and there.count == 300 and there.split == "train"
    for start, stop in there.units(100):
        read = list(there.read("hf://owner/name", start, stop, DataConfig()))
        assert read == list(here.read(str(hub.root / "owner/name"), start, stop, DataConfig())) and len(read) == 100


def test_a_gated_data_set_needs_the_token_of_the_environment(hub, monkeypatch, caplog):
    put(hub, "owner/gated/a.png", b"data")
    with pytest.raises(InputError, match="owner/gated is gated: accept its terms on its page on the Hub, and set HF_TOKEN"):
        listed("hf://owner/gated")
    with pytest.raises(PermissionError):
        open_file("hf://owner/gated/a.png")
    monkeypatch.setenv("HF_TOKEN", f"{TOKEN}\n")  # as `export HF_TOKEN="$(cat file)"` of some shells leaves it
    with caplog.at_level("DEBUG"):
        assert set(listed("hf://owner/gated")) == {"a.png"}
        with open_file("hf://owner/gated/a.png") as stream:
            assert stream.read() == b"data"
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    "uri, said",
    [
        ("hf://owner/none", "there is no data set owner/none on the Hugging Face Hub, or it is private"),
        ("hf://owner/name@v9", "the data set owner/name has no revision 'v9'"),
        ("hf://owner/name/no/folder", "the data set owner/name has no folder or file 'no/folder'"),
        ("hf://own..er/name", "is no name of a data set"),
        ("hf://" + "x" * 500 + "/y", "is no name of a data set"),
    ],
)
def test_what_is_not_there(hub, uri, said):
    put(hub, "owner/name/a.png")
    with pytest.raises(InputError, match=said) as caught:
        listed(uri)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200
    with pytest.raises((InputError, OSError)):
        open_file(f"{uri}/a.png")


def test_a_revision_by_its_commit(hub):
    put(hub, "owner/name/a.png", b"data")
    assert set(listed(f"hf://owner/name@{COMMIT}")) == {"a.png"}
    with open_file("hf://owner/name@refs/convert/parquet/a.png") as stream:
        assert stream.read() == b"data"


def test_nobody_answers_or_only_with_errors(hub, monkeypatch):
    monkeypatch.setattr(storage, "_TRIES", 0)
    hub.down = True
    with pytest.raises(InputError, match="cannot be reached") as caught:
        is_file("hf://owner/name/a.png")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200
    with pytest.raises(OSError):
        open_file("hf://owner/name/a.png")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(InputError, match="cannot be reached") as caught:
        is_file("hf://owner/name/a.png")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


def test_without_the_package_the_extra_is_named(hub, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name.startswith("huggingface_hub"):
            raise ModuleNotFoundError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    for use in (listed, lambda uri: open_file(f"{uri}/a.png"), lambda uri: is_file(f"{uri}/a.zip")):
        with pytest.raises(InputError, match=r"pip install 'darkroom-tfx\[huggingface\]'"):
            use("hf://owner/name")


def test_examples_of_a_data_set_of_parquet_files_are_those_of_the_same_files_here(hub, tmp_path):
    folder = hub.root / "owner/name/data"
    folder.mkdir(parents=True)
    for name, first in (("train-00000-of-00002", 0), ("train-00001-of-00002", 20), ("test-00000-of-00001", 40)):
        rows = [{"bytes": encode(picture(seed)), "path": f"{seed}.png"} for seed in range(first, first + 20)]
        pq.write_table(pa.table({"image": rows, "label": ["cat", "dog"] * 10}), folder / f"{name}.parquet")
    put(hub, "owner/name/README.md", b"---\nlicense: mit\n---\n")
    put(hub, "owner/name/name.py", b"raise SystemExit('a script of a data set was run')")
    there = ingest("hf://owner/name", tmp_path / "there")
    here = ingest(hub.root / "owner/name", tmp_path / "here")
    assert there.files() == here.files() and not there.rejects
    assert there.summary["pictures"]["test"] == 20 and len(there.examples()) == 60
    assert {example["image/label"] for example in there.examples().values()} == {b"cat", b"dog"}
    one = ingest("hf://owner/name@v1/data/train-00000-of-00002.parquet", tmp_path / "one")
    assert len(one.examples()) == 20


def test_examples_of_a_data_set_of_picture_files_are_those_of_the_same_files_here(hub, tmp_path):
    write_pictures(hub.root / "owner/name/train/cat", 30)
    write_pictures(hub.root / "owner/name/train/dog", 10, 30)
    write_pictures(hub.root / "owner/name/test/dog", 10, 40)
    put(hub, "owner/name/train/cat/broken.png", b"no picture")
    there = ingest("hf://owner/name", tmp_path / "there")
    here = ingest(hub.root / "owner/name", tmp_path / "here")
    assert there.files() == here.files() and len(there.examples()) == 50
    assert there.rejects == here.rejects and set(there.rejects) == {"train/cat/broken.png"}
    assert len(hub.requests) < 2 * 51 + 20  # about one for each picture, none for what is not read
