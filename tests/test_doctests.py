"""The examples in docstrings."""

from __future__ import annotations

import doctest
import importlib

import pytest

from tests.project import ROOT

FILES = [path.relative_to(ROOT) for name in ("serving", "trainer") for path in sorted((ROOT / name).rglob("*.py"))]
MODULES = [
    ".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in FILES if ">>> " in (ROOT / path).read_text("utf-8")
]


@pytest.mark.parametrize("module", MODULES)
def test_examples(module: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(module))
    assert tried and not failed
