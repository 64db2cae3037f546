"""The explorer in a browser, from a disk, without a network: every control does what it says."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from serving.explorer.find import page_of, with_beside
from serving.explorer.page import Explorer, HeldOut, render
from serving.explorer.server import ExplorerServer
from serving.manifest import write_manifest
from serving.pushed import PushedModel
from tests.project import ROOT
from tests.serving import tiny_model
from tests.serving.explorer import tiny_program

HERE = ROOT / "tests" / "serving" / "explorer" / "browser"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
LABELS = ("<b>bold</b>", "plain", "ü")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium to show the page in"),
    pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm to install playwright-core"),
]


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script that drives the browser, beside the library that it needs."""
    folder = tmp_path_factory.mktemp("browser")
    for name in ("package.json", "package-lock.json", "drive.mjs", "own.mjs"):
        shutil.copy(HERE / name, folder)
    done = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True, timeout=300
    )
    if done.returncode:
        pytest.skip(f"playwright-core cannot be installed: {done.stderr[-200:]}")
    return folder / "drive.mjs"


def write_page(file: Path, labels: tuple[str, ...], with_pictures: bool) -> None:
    program, weights = tiny_program.make(labels)
    rng = np.random.default_rng(1)
    pictures = {}
    if with_pictures:
        codes, own = rng.standard_normal((60, tiny_program.DIM)), rng.integers(0, len(LABELS), 60)
        thumbnails = tiny_program.decode(codes, own if labels else None, len(labels))
        pictures = {
            "held_out": HeldOut(codes, [LABELS[i] for i in own], thumbnails),
            "training": thumbnails[::-1],
            "training_total": 60,
        }
    file.write_text(render(Explorer("<i>Shapes</i> & more", program, weights, "Small & linear.", **pictures)), encoding="utf-8")


@pytest.mark.parametrize("labels", [(), LABELS], ids=["", "conditional"])
def test_every_control(driver: Path, labels: tuple[str, ...], tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", labels, with_pictures=True)
    done = subprocess.run(["node", driver, tmp_path / "page.html", tmp_path, CHROMIUM], capture_output=True, text=True, timeout=400)
    assert done.stdout.endswith("done\n"), done.stdout[-1000:] + done.stderr[-3000:]
    saved = json.loads((tmp_path / "last.json").read_text())
    chosen = np.array([LABELS.index(saved["label"])]) if labels else None
    expected = tiny_program.decode(np.array(saved["latents"]), chosen, len(labels))[0]
    shown = np.asarray(Image.open(tmp_path / "picture.png").convert("RGB")).astype(int)
    factor = shown.shape[0] // expected.shape[0]
    assert shown.shape == (factor * expected.shape[0], factor * expected.shape[1], 3)
    assert np.abs(shown[::factor, ::factor] - expected).max() <= 1
    with Image.open(tmp_path / "walk.gif") as film:
        assert film.n_frames == 48 and film.info["loop"] == 0  # three legs of 16 frames


def test_own_pictures_in_a_served_page(driver: Path, work: Path, tmp_path: Path) -> None:
    model = shutil.copytree(work / "serving" / "3", tmp_path / "3")
    tiny_program.save(model)
    write_manifest(model)
    (tmp_path / "own.png").write_bytes(tiny_model.picture((20, 30, 3), 1))
    (tmp_path / "other.txt").write_text("no picture", encoding="utf-8")
    pushed = PushedModel(model)
    server = ExplorerServer(pushed, with_beside(page_of(model, None), model, model), token="a token")
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    files = [tmp_path / "own.png", tmp_path / "other.txt", CHROMIUM, tmp_path / "own-page.png"]
    try:
        command = ["node", driver.with_name("own.mjs"), server.address, *files]
        done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    finally:
        server.stop()
        thread.join()
        pushed.close()
    assert done.stdout.endswith("done\n"), done.stdout[-1000:] + done.stderr[-3000:]
