"""What the tests of serving share: a pushed model and pictures for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tests.serving import tiny_model


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with one pushed model, version 3."""
    folder = tmp_path_factory.mktemp("work")
    tiny_model.save(tiny_model.TinyModel(), folder / "serving" / "3")
    return folder


@pytest.fixture(scope="session")
def colour_work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with a model of colour pictures that are wider than high."""
    folder = tmp_path_factory.mktemp("colour_work")
    tiny_model.save(tiny_model.TinyModel((6, 9, 3)), folder / "serving" / "1")
    return folder


@pytest.fixture(scope="session")
def conditional_work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with a model that draws pictures of labels."""
    folder = tmp_path_factory.mktemp("conditional_work")
    tiny_model.save(tiny_model.ConditionalModel(), folder / "serving" / "1")
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of five pictures, one of them in a folder of its own, beside a file that is none."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    for index in range(4):
        (folder / f"{index}.png").write_bytes(tiny_model.picture((8, 8, 1), index))
    (folder / "more" / "colour.PNG").write_bytes(tiny_model.picture((20, 30, 4), 9))
    (folder / "notes.txt").write_text("not a picture", encoding="utf-8")
    return folder
