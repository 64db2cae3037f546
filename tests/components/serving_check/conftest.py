"""What the tests of the serving check share: a good model and its golden answers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tests.serving import tiny_model
from trainer.golden import save_golden


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a `model` artifact with an export that is as it should be."""
    folder = tmp_path_factory.mktemp("model")
    tiny_model.save(tiny_model.TinyModel(), folder / "Format-Serving")
    return folder


@pytest.fixture(scope="session")
def model_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the `model_run` artifact that belongs to it."""
    folder = tmp_path_factory.mktemp("model_run")
    save_golden(folder / "golden", tiny_model.requests(), tiny_model.answers(tiny_model.TinyModel()))
    return folder


@pytest.fixture(scope="session")
def conditional(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the export and the golden answers of a model that has labels, and signatures beyond those of all."""
    folder = tmp_path_factory.mktemp("conditional")
    tiny_model.save(tiny_model.ConditionalModel(), folder / "export")
    requests = tiny_model.requests(conditional=True)
    save_golden(folder / "golden", requests, tiny_model.answers(tiny_model.ConditionalModel()))
    return folder
