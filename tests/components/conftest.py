"""What tests of several components share: a Transform graph, and handwritten digits as ingested."""

from __future__ import annotations

import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tests.components.digits import write_digits
from tests.trainer import tiny


@pytest.fixture(scope="session")
def graph_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a `transform_graph` artifact for grey pictures of 8x8."""
    folder = tmp_path_factory.mktemp("transform")
    tiny.transform_graph(folder)
    return str(folder / "graph")


@pytest.fixture(scope="session")
def digits_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of an `examples` artifact: 900 handwritten digits to train on, 200 for `test`."""
    return str(write_digits(tmp_path_factory.mktemp("examples"), {"train": 900, "test": 200}))
