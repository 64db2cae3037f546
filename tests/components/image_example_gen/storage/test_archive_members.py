"""Files in archives, by paths that lead through them."""

from __future__ import annotations

import functools
import http.server
import os
import threading

import numpy as np
import pytest
from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.localfilesystem import LocalFileSystem

from common.errors import InputError
from components.image_example_gen.storage import archive_members
from components.image_example_gen.storage.files import is_file, open_file, open_seekable, read_bytes, stat_file
from serving.picture_files import Refused
from tests.components.image_example_gen.ingestion import pack

KINDS = [".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"]
SCHEME = "distant://"


class Distant(LocalFileSystem):
    """This machine's files by the URI distant:///path, as of an object store."""

    @classmethod
    def scheme(cls):
        return SCHEME.removesuffix("://")

    def match(self, patterns, limits=None):
        plain = super().match([pattern.removeprefix(SCHEME) for pattern in patterns], limits)
        for found in plain:
            found.metadata_list = [
                FileMetadata(f"{SCHEME}{file.path}", file.size_in_bytes, file.last_updated_in_seconds)
                for file in found.metadata_list
            ]
        return plain

    def exists(self, path):
        return os.path.isfile(path.removeprefix(SCHEME)) if path.startswith(SCHEME) else super().exists(path)

    def open(self, path, *arguments, **options):
        return super().open(path.removeprefix(SCHEME), *arguments, **options)


def contents() -> dict[str, bytes]:
    noise = np.random.default_rng(0).bytes(300_000)
    return {"a.npy": noise[:1000], "deep/er/b.bin": noise, "empty": b"", "deep/c.zip": b"PK", "same": b"1", "\u00fc/d": b"22"}


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["", SCHEME])
def test_every_file_in_an_archive(tmp_path, kind, where):
    archive = pack(tmp_path / f"in/x{kind}", contents())
    for name, data in contents().items():
        path = f"{where}{archive}/{name}"
        with open_file(path) as stream:
            assert stream.read(3) + stream.read() == data and stream.read(1) == b""
        with open_seekable(path) as stream:
            assert stream.seek(len(data) // 2) == len(data) // 2 and stream.read() == data[len(data) // 2 :]
        assert read_bytes(path, 1) == data and is_file(path)
        found = stat_file(f"{where}{tmp_path}/in", f"x{kind}/{name}")
        assert (found.path, found.size) == (f"x{kind}/{name}", len(data))
        assert found.mtime_ns == pytest.approx(archive.stat().st_mtime_ns, abs=1e9)


def test_paths_relative_to_the_current_folder(tmp_path, monkeypatch):
    pack(tmp_path / "x.zip", contents())
    monkeypatch.chdir(tmp_path)
    for path in ("x.zip/a.npy", "./x.zip/a.npy"):
        assert open_file(path).read() == contents()["a.npy"] and is_file(path)
        assert stat_file(".", path).size == 1000


class Silent(http.server.SimpleHTTPRequestHandler):
    """A server of files that writes no log."""

    def log_message(self, *values):
        pass


@pytest.fixture
def web(tmp_path):
    """The address of a server of the test's folder."""
    handler = functools.partial(Silent, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("kind", [".zip", ".tar.gz"])
def test_an_archive_on_the_web(tmp_path, kind, web):
    pack(tmp_path / f"x{kind}", contents())
    for name, data in contents().items():
        assert open_file(f"{web}/x{kind}/{name}").read() == data
        assert stat_file(web, f"x{kind}/{name}").size == len(data)
    with pytest.raises(FileNotFoundError):
        open_file(f"{web}/x{kind}/none")
    with pytest.raises(OSError):
        open_file(f"{web}/y{kind}/a.npy")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["none", "deep", "deep/", "../a.npy", "deep/../a.npy", "deep/c.zip/x", "/etc/passwd", ""])
def test_names_that_are_not_in_it(tmp_path, kind, name):
    archive = pack(tmp_path / f"x{kind}", contents())
    for path in (f"{archive}/{name}", f"{SCHEME}{archive}/{name}"):
        with pytest.raises(OSError):
            open_file(path).read()
        assert not is_file(path)
        with pytest.raises(Refused):
            read_bytes(path, 1)
    with pytest.raises(InputError):
        stat_file(str(tmp_path), f"x{kind}/{name}")


@pytest.mark.parametrize("where", ["", SCHEME])
def test_a_folder_that_is_called_like_an_archive(tmp_path, where):
    (tmp_path / "x.tar").mkdir()
    (tmp_path / "x.tar/a.png").write_bytes(b"picture")
    assert open_file(f"{where}{tmp_path}/x.tar/a.png").read() == b"picture" and is_file(f"{where}{tmp_path}/x.tar/a.png")
    inside = pack(tmp_path / "x.tar/y.zip", contents())
    assert open_file(f"{where}{inside}/same").read() == b"1"


def test_a_file_that_is_no_archive(tmp_path):
    (tmp_path / "x.png").write_bytes(b"1")
    with pytest.raises(NotADirectoryError):
        open_file(f"{tmp_path}/x.png/a")
    (tmp_path / "x.zip").write_bytes(b"<html>")
    with pytest.raises(OSError, match="an HTML page"):
        open_file(f"{tmp_path}/x.zip/a")


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_stays_open(tmp_path, kind):
    archive = pack(tmp_path / f"x{kind}", contents())
    before = descriptors()
    for name in ("a.npy", "same", "none"):
        for _ in range(3):
            try:
                with open_file(f"{archive}/{name}") as stream:
                    stream.read(1)
                with open_seekable(f"{archive}/{name}") as stream:
                    stream.read(1)
            except FileNotFoundError:
                assert name == "none"
    assert descriptors() == before


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_an_error_and_never_fewer_bytes(tmp_path, kind):
    archive = pack(tmp_path / f"x{kind}", contents())
    data = archive.read_bytes()
    for at in range(40, len(data), len(data) // 23):
        archive.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        for name in ("deep/er/b.bin", "same"):
            try:
                read = open_file(f"{archive}/{name}").read()
            except OSError:
                continue
            assert len(read) == len(contents()[name])  # a tar archive has no checksum of what is in it
    archive.write_bytes(data[: len(data) // 2])
    with pytest.raises(OSError):
        open_file(f"{archive}/deep/er/b.bin").read()


@pytest.mark.parametrize("kind", [".zip", ".tar.gz"])
def test_a_file_that_expands_without_end_is_not_copied(tmp_path, monkeypatch, kind):
    archive = pack(tmp_path / f"x{kind}", {"zeros.npy": bytes(64 << 20), "behind": b"1"})
    monkeypatch.setattr(archive_members, "ALWAYS_ALLOWED", 1 << 20)
    for name in ("zeros.npy", "behind"):
        with pytest.raises(OSError, match="unpacks to more than 100 times"):
            open_seekable(f"{archive}/{name}")


def test_a_zip_that_lies_about_a_size_is_read_no_further(tmp_path):
    archive = pack(tmp_path / "x.zip", {"zeros": bytes(8 << 20)})
    data = archive.read_bytes()
    archive.write_bytes(data.replace((8 << 20).to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    with pytest.raises(OSError):
        open_file(f"{archive}/zeros").read()


def test_encrypted(tmp_path):
    archive = pack(tmp_path / "x.zip", {"a": b"1"})
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    with pytest.raises(OSError, match="encrypted"):
        open_file(f"{archive}/a")
