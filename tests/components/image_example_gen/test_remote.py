"""Folders on another machine's storage, by a file system that Beam knows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from apache_beam.io.filesystem import FileMetadata, MatchResult
from apache_beam.io.localfilesystem import LocalFileSystem

from components.image_example_gen.files import list_files
from components.image_example_gen.sources import find_sources
from tests.components.image_example_gen.ingestion import ingest, picture, write_idx_pair, write_pictures
from trainer.errors import InputError

SCHEME = "elsewhere://"


class Elsewhere(LocalFileSystem):
    """This machine's files by the URI elsewhere:///path; Beam finds the class by its scheme."""

    @classmethod
    def scheme(cls):
        return SCHEME.removesuffix("://")

    def match(self, patterns, limits=None):
        (result,) = super().match([pattern.removeprefix(SCHEME) for pattern in patterns], limits)
        files = [
            FileMetadata(f"{SCHEME}{file.path}", file.size_in_bytes, file.last_updated_in_seconds)
            for file in result.metadata_list
        ]
        return [MatchResult(patterns[0], files)]

    def open(self, path, *arguments, **options):
        return super().open(path.removeprefix(SCHEME), *arguments, **options)


def test_the_same_is_found_and_read_there_as_here(tmp_path):
    write_pictures(tmp_path / "in/a/b", 20)
    write_pictures(tmp_path / "in/.hidden", 1)
    write_idx_pair(tmp_path / "in", "more", np.stack([picture(seed) for seed in range(30, 50)]), np.arange(20))
    here, there = find_sources(f"{tmp_path}/in"), find_sources(f"{SCHEME}{tmp_path}/in/")
    assert there.pictures == here.pictures and there.idx == here.idx
    for mine, other in zip(here.files, there.files, strict=True):
        assert dataclasses.replace(other, mtime_ns=mine.mtime_ns) == mine
        assert other.mtime_ns == pytest.approx(mine.mtime_ns, abs=1e9)
    results = [ingest(folder, tmp_path / name) for name, folder in (("one", here.folder), ("two", there.folder))]
    assert results[0].files() == results[1].files()


def test_nothing_there(tmp_path):
    with pytest.raises(InputError, match="no pictures in elsewhere://"):
        find_sources(f"{SCHEME}{tmp_path}")


def test_a_scheme_that_beam_does_not_know():
    with pytest.raises(InputError, match="cannot be listed"):
        list_files("nonsense://bucket/folder")
