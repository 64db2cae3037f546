"""Pictures in cloud stores, read from emulators of them."""

from __future__ import annotations

import io
import logging
import tarfile
import time

import pytest

from common.errors import InputError
from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.find import find_sources
from components.image_example_gen.readers.arrays.idx import write_idx
from components.image_example_gen.storage import stores
from tests.components.image_example_gen.ingestion import encode, ingest, picture, write_pictures
from tests.emulators.azure import ACCOUNT, KEY, azure_server
from tests.emulators.s3 import SECRET, s3_server


@pytest.fixture
def fresh_clients(monkeypatch):
    """No client of an earlier test, and none left for a later one."""
    stores._CLIENTS.__dict__.clear()
    yield monkeypatch
    stores._CLIENTS.__dict__.clear()


@pytest.fixture
def s3(fresh_clients):
    with s3_server("pictures") as (client, environment):
        for name, value in environment.items():
            fresh_clients.setenv(name, value)
        yield "s3://pictures", lambda name, data: client.put_object(Bucket="pictures", Key=name, Body=data)


@pytest.fixture
def azure(fresh_clients):
    with azure_server("pictures") as (container, environment):
        for name, value in environment.items():
            fresh_clients.setenv(name, value)
        yield f"azfs://{ACCOUNT}/pictures", lambda name, data: container.upload_blob(name, data, overwrite=True)


STORES = ["s3", pytest.param("azure", marks=pytest.mark.slow)]


@pytest.fixture(params=STORES)
def store(request):
    """Where pictures are kept, and how one is put there."""
    return request.getfixturevalue(request.param)


def test_the_same_is_found_and_read_there_as_here(tmp_path, store, caplog):
    uri, put = store
    here = tmp_path / "here"
    write_pictures(here / "cat", 20)
    write_pictures(here / "dog ümläut", 20, 20)
    (here / "cat/broken.png").write_bytes(b"no picture")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for seed in range(40, 50):
            data = encode(picture(seed))
            info = tarfile.TarInfo(f"{seed}.png")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    (here / "more.tar.gz").write_bytes(archive.getvalue())
    for file in filter(lambda path: path.is_file(), here.rglob("*")):
        put(f"some/folder/{file.relative_to(here)}", file.read_bytes())
    put("elsewhere/0.png", encode(picture(99)))
    with caplog.at_level(logging.DEBUG, "darkroom"):
        there = ingest(f"{uri}/some/folder", tmp_path / "there-out")
    local = ingest(here, tmp_path / "here-out")
    assert there.files() == local.files() and len(there.examples()) == 50
    assert there.rejects == local.rejects == {"cat/broken.png": local.rejects["cat/broken.png"]}
    for path in (tmp_path / "there-out").rglob("*"):  # no credentials in what is written, or said
        assert path.is_dir() or not any(secret.encode() in path.read_bytes() for secret in (SECRET, KEY))
    assert not any(secret in caplog.text for secret in (SECRET, KEY))


def test_a_manifest_there_names_files_there(tmp_path, store):
    uri, put = store
    for seed in range(30):
        put(f"p/{seed}.png", encode(picture(seed)))
    rows = [f"{uri}/p/{seed}.png,by uri" for seed in range(15)] + [f"p/{seed}.png,by path" for seed in range(15, 30)]
    put("list.csv", "\n".join(["uri,label", *rows, "p/gone.png,"]).encode())
    result = ingest(f"{uri}/list.csv", tmp_path / "out")
    assert len(result.examples()) == 30
    assert result.examples()["p/20.png"]["image/label"] == b"by path"
    assert result.rejects == {"p/gone.png": "the file is gone, or a link that leads nowhere"}


def test_spans_there(tmp_path, store):
    uri, put = store
    for day in (1, 2, 3):
        for seed in range(20):
            put(f"2026-01-0{day}/cat/{seed}.png", encode(picture(100 * day + seed)))
    sources = find_sources(f"{uri}/{{YYYY}}-{{MM}}-{{DD}}", DataConfig(span_window=2))
    assert sources.count == 40 and {path.split("/")[0] for path in sources.sample} == {"2026-01-02", "2026-01-03"}
    assert sources.labels.of("2026-01-02/cat/1.png") == ("cat", None)


def test_a_single_file_there_and_that_it_has_changed(tmp_path, store):
    uri, put = store
    for number in (60, 70):
        write_idx(tmp_path / "images-idx3-ubyte.gz", (number, 20, 20), [bytes(range(200)) * (2 * number)])
        put("idx/train-images-idx3-ubyte.gz", (tmp_path / "images-idx3-ubyte.gz").read_bytes())
        write_idx(tmp_path / "labels-idx1-ubyte", (number,), [bytes(number)])
        put("idx/train-labels-idx1-ubyte", (tmp_path / "labels-idx1-ubyte").read_bytes())
        found = find_sources(f"{uri}/idx/train-images-idx3-ubyte.gz")
        assert found.count == number
    before = find_sources(f"{uri}/idx/train-images-idx3-ubyte.gz").fingerprint
    assert before == found.fingerprint
    time.sleep(1.1)  # stores keep whole seconds
    put("idx/train-images-idx3-ubyte.gz", (tmp_path / "images-idx3-ubyte.gz").read_bytes())
    assert find_sources(f"{uri}/idx/train-images-idx3-ubyte.gz").fingerprint != before


def test_what_is_not_there(store):
    uri, _ = store
    with pytest.raises(InputError, match="no pictures in"):
        find_sources(f"{uri}/nothing")
    with pytest.raises(InputError) as caught:
        find_sources(uri.replace("/pictures", "/no-such-place") + "/x")
    assert "\n" not in str(caught.value) and SECRET not in str(caught.value) and KEY not in str(caught.value)


def test_of_errors_within_errors_the_innermost_is_said_whole():
    """As Google's client says that nobody answers; cut after its first 200 letters it said where it had asked, and not why."""
    import requests
    from google.api_core.exceptions import RetryError
    from urllib3.exceptions import MaxRetryError, NewConnectionError, ProxyError

    def wrapped(inner):
        tried = MaxRetryError("pool", f"/storage/v1/b/{'b' * 200}", inner)
        return RetryError("Timeout of 120.0s exceeded, last exception: ...", requests.ConnectionError(tried))

    reason = NewConnectionError("<a connection>", "Failed to establish a new connection: [Errno -2] Name or service not known")
    assert stores.one_line(wrapped(reason)) == "Failed to establish a new connection: [Errno -2] Name or service not known"
    proxy = ProxyError("Cannot connect to proxy.", OSError("Tunnel connection failed: 403 Forbidden"))
    assert stores.one_line(wrapped(proxy)) == "Tunnel connection failed: 403 Forbidden"
    assert stores.one_line(OSError("a\nb")) == "a b" and stores.one_line(OSError()) == "OSError"


def test_long_words_of_an_error_are_cut_between_two():
    assert stores.one_line(ValueError("word " * 100)) == "word " * 40 + "..."
    assert stores.one_line(ValueError("w" * 300)) == "w" * 200 + " ..."
