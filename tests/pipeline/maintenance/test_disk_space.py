"""Room for a run: the estimate before it, and the words when it was not enough."""

from __future__ import annotations

import errno
import math
import shutil
from collections import namedtuple

import pytest

from common.errors import InputError
from pipeline.config.schema import Config
from pipeline.maintenance import disk_space
from pipeline.maintenance.disk_space import DiskFull, check_room, disk_full
from pipeline.workspace.layout import Workspace
from tests.project import write_discs

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def free(monkeypatch):
    """Says how many bytes are left everywhere."""

    def set_free(count):
        monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda _: Usage(10**12, 10**12 - count, count))

    return set_free


@pytest.fixture
def pictures(tmp_path):
    write_discs(tmp_path / "pictures", 20)
    return str(tmp_path / "pictures")


def test_room_is_enough_or_it_is_said_how_much_is_missing(tmp_path, pictures, free):
    workspace = Workspace.create(tmp_path / "work")
    free(10**9)
    check_room(workspace, pictures, Config(title="discs"))
    free(10**7)
    with pytest.raises(
        DiskFull, match=r"work has 10 MB left and this run needs about 100 MB, for 20 pictures: .* `darkroom gc --work .*work`"
    ):
        check_room(workspace, pictures, Config(title="discs"))


def test_more_and_larger_pictures_need_more(tmp_path, pictures, free):
    workspace = Workspace.create(tmp_path / "work")
    found = disk_space.find_sources(pictures)
    assert 20 * 50 < found.bytes == sum(path.stat().st_size for path in (tmp_path / "pictures").rglob("*.png"))
    small = Config(title="discs")
    free(100_000_000 + found.bytes + 20 * (500 + math.prod(small.preprocessing.image_shape)) - 1)
    with pytest.raises(DiskFull):
        check_room(workspace, pictures, small)
    free(100_000_000 + found.bytes + 20 * (500 + math.prod(small.preprocessing.image_shape)))
    check_room(workspace, pictures, small)


def test_no_pictures_are_a_mistake_and_no_lack_of_room(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        check_room(Workspace.create(tmp_path / "work"), str(tmp_path / "nowhere"), Config(title="t"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_recognised_behind_other_errors(tmp_path, number):
    try:
        try:
            raise OSError(number, "words", "file")
        except OSError as error:
            raise RuntimeError("could not write") from error
    except RuntimeError as error:
        said = disk_full(error, tmp_path)
    assert said.startswith(f"the disk of {tmp_path} is full") and "\n" not in said
    assert disk_full(ValueError("[Errno 28] No space left on device [while running 'Write']"), tmp_path)
    assert disk_full(RuntimeError("database or disk is full"), tmp_path)


def test_other_failures_are_none(tmp_path, free):
    assert shutil.disk_usage(tmp_path).free > 1e6
    assert disk_full(OSError(errno.EACCES, "denied"), tmp_path) == disk_full(ValueError("x"), tmp_path) == ""
    free(4096)
    assert disk_full(ValueError("x"), tmp_path), "whatever the library made of it"
