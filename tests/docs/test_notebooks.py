"""The notebooks, cell by cell: the second continues with the model of the first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.project import ROOT

nbformat = pytest.importorskip("nbformat", reason="Jupyter is not installed")
nbclient = pytest.importorskip("nbclient", reason="Jupyter is not installed")
pytest.importorskip("ipykernel", reason="Jupyter is not installed")


@pytest.mark.slow
def test_both_notebooks_run_and_show_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    for name, pictures in (("train", 3), ("explore", 8)):
        notebook = nbformat.read(ROOT / f"notebooks/{name}.ipynb", as_version=4)
        assert not any(cell.get("outputs") for cell in notebook.cells), "committed with its output"
        nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
        shown = [output for output in outputs if "image/png" in output.get("data", {})]
        assert len(shown) == pictures, [output for output in outputs if output not in shown]
