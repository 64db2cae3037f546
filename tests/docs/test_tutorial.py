"""The tutorial: every command of it, in its order, in one folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tests.project import ROOT, SCRIPT
from tests.schedulers import place_crontab

BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> list[tuple[str, str]]:
    """Return the language and the text of each block that a reader runs."""
    return BLOCK.findall((ROOT / "docs/tutorial.md").read_text(encoding="utf-8"))


def add_digits(folder: Path, part: slice) -> None:
    """Write some of the digits as PNG files, a folder for each digit."""
    digits = load_digits()
    for index in range(*part.indices(len(digits.images))):
        path = folder / str(digits.target[index]) / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.round(digits.images[index] * 255 / 16).astype(np.uint8)).save(path)


@pytest.mark.slow
def test_each_command_of_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    place_crontab(programs)
    darkroom = programs / "darkroom"
    darkroom.write_text(f"#!{sys.executable}\n{SCRIPT}\n")
    darkroom.chmod(0o755)
    path = f"{programs}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "DBUS_SESSION_BUS_ADDRESS": "", "XDG_RUNTIME_DIR": ""}
    pictures = tmp_path / "my-pictures"
    add_digits(pictures, slice(0, 1500))
    said = ""
    for language, text in blocks():
        if text.startswith("darkroom retrain --images my-pictures --work my-model\n"):
            add_digits(pictures, slice(1500, None))
        command = ["bash", "-euc", text] if language == "sh" else [sys.executable, "-c", text]
        ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
        assert ended.returncode == 0, f"{text}{ended.stdout}{ended.stderr}"
        said += ended.stdout
    for words in ("1,500", "pushed: version 1", "pushed: version 3", "in the crontab:"):
        assert words in said
    for name in ("new.png", "plane.png", "codes.csv", "scores.csv", "new-3.png", "my-model/report/explorer.html"):
        assert (tmp_path / name).stat().st_size > 0
