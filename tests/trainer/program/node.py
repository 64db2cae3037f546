"""Run programs of decoders with node, which runs the page's own modules."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.project import ROOT

CODES = 200
LABELS = {"a": 3, "ü": 1}  # with their shares
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="there is no node to run the page's modules")


def run_node(folders: Sequence[Path]) -> None:
    """Decode or draw in each folder; see decode.mjs."""
    script = ROOT / "tests" / "serving" / "explorer" / "decode.mjs"
    done = subprocess.run(["node", str(script), *map(str, folders)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def prepare(folder: Path, codes: np.ndarray, labels: np.ndarray | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    codes.astype("<f4").tofile(folder / "codes.f32")
    if labels is not None:
        np.eye(len(LABELS), dtype="<f4")[labels].tofile(folder / "shares.f32")


def decoded(folder: Path, shape: tuple[int, ...]) -> np.ndarray:
    return np.fromfile(folder / "pictures.u8", np.uint8).reshape(-1, *shape)
