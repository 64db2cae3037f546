"""Folders on another machine's storage, by a file system that Beam knows."""

from __future__ import annotations

import dataclasses
import os

import numpy as np
import pytest
from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.localfilesystem import LocalFileSystem

from common.errors import InputError
from components.image_example_gen.discovery.find import find_sources
from components.image_example_gen.storage.files import list_files
from tests.components.image_example_gen.ingestion import ingest, picture, write_idx_pair, write_pictures

SCHEME = "elsewhere://"


class Elsewhere(LocalFileSystem):
    """This machine's files by the URI elsewhere:///path; Beam finds the class by its scheme."""

    @classmethod
    def scheme(cls):
        return SCHEME.removesuffix("://")

    def _list(self, folder):
        for file in super()._list(folder.removeprefix(SCHEME)):
            yield FileMetadata(f"{SCHEME}{file.path}", file.size_in_bytes, file.last_updated_in_seconds)

    def exists(self, path):
        # As of an object store, which has no folders; the base class asks for them by plain paths.
        return os.path.isfile(path.removeprefix(SCHEME)) if path.startswith(SCHEME) else super().exists(path)

    def open(self, path, *arguments, **options):
        return super().open(path.removeprefix(SCHEME), *arguments, **options)


def test_the_same_is_found_and_read_there_as_here(tmp_path):
    write_pictures(tmp_path / "in/a/b", 20)
    write_pictures(tmp_path / "in/.hidden", 1)
    write_idx_pair(tmp_path / "in", "more", np.stack([picture(seed) for seed in range(30, 50)]), np.arange(20))
    folders = f"{tmp_path}/in", f"{SCHEME}{tmp_path}/in/"
    here, there = map(find_sources, folders)
    assert there.sample == here.sample and there.containers == here.containers and there.count == here.count == 40
    for mine, other in zip(*(sorted(list_files(folder), key=lambda file: file.path) for folder in folders), strict=True):
        assert dataclasses.replace(other, mtime_ns=mine.mtime_ns) == mine
        assert other.mtime_ns == pytest.approx(mine.mtime_ns, abs=1e9)
    results = [ingest(folder, tmp_path / name) for name, folder in zip(("one", "two"), folders)]
    assert results[0].files() == results[1].files()


def test_nothing_there(tmp_path):
    with pytest.raises(InputError, match="no pictures in elsewhere://"):
        find_sources(f"{SCHEME}{tmp_path}")


def test_a_scheme_that_beam_does_not_know():
    with pytest.raises(InputError, match="cannot be listed"):
        list(list_files("nonsense://bucket/folder"))
