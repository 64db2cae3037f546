"""Edited code has another hash, wherever it is installed."""

import importlib
import shutil
import sys

import pytest

from common.code_hash import code_hash


@pytest.fixture
def package(tmp_path, monkeypatch):
    (tmp_path / "some_package" / "inner").mkdir(parents=True)
    (tmp_path / "some_package" / "__init__.py").write_text("")
    (tmp_path / "some_package" / "inner" / "loss.py").write_text("BETA = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("some_package")
    sys.modules.pop("some_package", None)


def test_any_edit_below_counts(package, tmp_path):
    before = code_hash(package)
    assert code_hash(package) == before
    file = tmp_path / "some_package" / "inner" / "loss.py"
    file.write_text("BETA = 2\n")
    edited = code_hash(package)
    file.rename(file.with_name("losses.py"))
    assert len({before, edited, code_hash(package)}) == 3


def test_compiled_files_and_the_place_do_not_count(package, tmp_path, monkeypatch):
    before = code_hash(package)
    cache = tmp_path / "some_package" / "__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "x.cpython-310.pyc").write_bytes(b"x")
    shutil.copytree(tmp_path / "some_package", tmp_path / "elsewhere" / "some_package")
    assert code_hash(package) == before
    monkeypatch.setattr(package, "__path__", [str(tmp_path / "elsewhere" / "some_package")])
    assert code_hash(package) == before


def test_the_loss_is_part_of_the_trainer():
    import trainer.losses

    assert code_hash(trainer) != code_hash(trainer.losses)
