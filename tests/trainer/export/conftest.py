"""Exported models, each made once for all tests of the export."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import tensorflow as tf
import tensorflow_transform as tft

from serving.c_api import Session, find_library
from serving.signatures import read_signatures
from tests.trainer.export.models import EXAMPLES, PICTURES, Exported, servable
from trainer.data import pixel_graph


@pytest.fixture(scope="package")
def exports(tmp_path_factory: pytest.TempPathFactory, graph: tft.TFTransformOutput) -> Callable[[str], Exported]:
    """Exports each kind of model once."""

    @functools.cache
    def export(kind: str) -> Exported:
        folder = tmp_path_factory.mktemp("exported")
        made = servable(kind, pixel_graph(graph))
        made.save(folder)
        answers = made.answers(EXAMPLES, PICTURES)
        session = Session(find_library(), folder)
        return Exported(
            made, *answers, tf.saved_model.load(str(folder)), session, read_signatures((folder / "saved_model.pb").read_bytes())
        )

    return export


@pytest.fixture(scope="package")
def exported(exports: Callable[[str], Exported]) -> Exported:
    """A model with one level, the standard normal prior and no labels."""
    return exports("plain")
