"""The project's shape: which way imports go, and what no file does."""

import ast

import pytest

from tests.project import ROOT

BELOW = {  # what each top-level package may import of the others
    "local_runner": {"kubeflow", "pipeline"},
    "kubeflow": {"pipeline", "components", "trainer", "serving", "common"},
    "pipeline": {"components", "trainer", "serving", "configs", "common"},
    "components": {"trainer", "serving", "common"},
    "trainer": {"serving", "common"},  # what an export consists of is said where it is read
    "serving": {"common"},
    "common": set(),
}
FILES = sorted(p for name in BELOW for p in ([ROOT / f"{name}.py"] if name == "local_runner" else (ROOT / name).rglob("*.py")))


def ids(path):
    return path.relative_to(ROOT).as_posix()


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports use the top-level names"
            yield node.module


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_a_file(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = path.relative_to(ROOT).parts[0].removesuffix(".py")
    tops = {name.split(".")[0] for name in imported(tree)} & BELOW.keys()
    assert tops <= BELOW[package] | {package}
    if package == "trainer" or package == "serving":
        assert not any(name.startswith("tfx") for name in imported(tree) if path.name != "task.py")
    assert len(path.read_text().splitlines()) <= 450
    assert ast.get_docstring(tree) or path.name == "__init__.py"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) != ("tf", "keras")
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_") and node in tree.body:
            assert ast.get_docstring(node), node.name
