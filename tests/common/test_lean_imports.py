"""Imports that leave out what is optional, and defer what is rarely used."""

from __future__ import annotations

import gc
import importlib
import sys

import pytest

from common import lean_imports as module
from common.lean_imports import lean_imports


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Return the name of a package that imports an optional package, and a package and a module that can be deferred."""
    for path, text in {
        "optional_x/__init__.py": "",
        "library_x/__init__.py": "try:\n    import optional_x\nexcept ImportError:\n    optional_x = None\n"
        "from library_x import heavy\nfrom library_x.view import util\n",
        "library_x/heavy.py": "LOADED.append('heavy')\n\ndef answer():\n    return 42\n".replace(
            "LOADED", "__import__('sys').loaded_x"
        ),
        "library_x/view/__init__.py": "__import__('sys').loaded_x.append('view')\nfrom library_x.view.util import one\n",
        "library_x/view/util.py": "one = 1\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "loaded_x", [], raising=False)
    monkeypatch.setattr(module, "ABSENT", frozenset({"optional_x"}))
    monkeypatch.setattr(module, "DEFERRED", frozenset({"library_x.heavy", "library_x.view"}))
    yield "library_x"
    for name in [name for name in sys.modules if name.partition(".")[0] in ("library_x", "optional_x")]:
        del sys.modules[name]


def test_optional_packages_are_hidden_only_within_the_context(library):
    with lean_imports():
        assert not gc.isenabled()
        assert importlib.import_module(library).optional_x is None
    assert gc.isenabled()
    assert importlib.import_module("optional_x").__name__ == "optional_x"


def test_deferred_modules_are_loaded_when_they_are_used(library):
    with lean_imports():
        imported = importlib.import_module(library)
    assert sys.loaded_x == [] and imported.util.one == 1
    assert imported.heavy.answer() == 42 and sys.loaded_x == ["heavy"]
    assert importlib.import_module("library_x.view").one == 1 and sys.loaded_x == ["heavy", "view"]
    assert not hasattr(imported.heavy, "question")


def test_an_error_ends_the_context(library):
    with pytest.raises(ModuleNotFoundError), lean_imports():
        importlib.import_module("optional_x")
    assert gc.isenabled() and importlib.import_module("optional_x")
