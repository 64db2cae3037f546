"""Running the project as a user does: in a process of its own, with what it prints and its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from tests.fork_server import Child, Ended, fork_server

ROOT = Path(__file__).resolve().parent.parent


# Without the first entry, which is the current folder: the checkout that PYTHONPATH names is the one that runs.
SCRIPT = "import sys; del sys.path[0]; from local_runner import main; main(sys.argv[1:])"


def start_darkroom(
    *arguments: object, root: Path = ROOT, fault: dict | None = None, user: int | None = None, **environment: str
) -> Child:
    """Start `darkroom ...` of a checkout, forked from a process that has imported the libraries: see `tests.fork_server`."""
    environment = {**os.environ, "PYTHONPATH": str(root), **environment}
    return fork_server().start("-c", SCRIPT, *arguments, environment=environment, fault=fault, user=user)


def darkroom(*arguments: object, root: Path = ROOT, fresh: bool = False, **environment: str) -> Ended:
    """Run `darkroom ...` of a checkout to its end.

    Args:
        arguments: Those of the command.
        root: The checkout.
        fresh: As a process of its own, where its start is tested as well: its locale, the seed of its hashes, what imports print.
        environment: Variables beside those of this process.
    """
    if not fresh:
        return start_darkroom(*arguments, root=root, **environment).wait()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root), **environment},
        timeout=600,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def last_verdict(work: Path) -> dict:
    """The newest run's verdict.json."""
    newest = max(work.glob("runs/*/verdict.json"), key=lambda path: path.stat().st_mtime_ns)
    return json.loads(newest.read_text())


def write_discs(
    folder: Path, count: int, *, size: int = 12, seed: int = 0, channels: int = 1, invert: bool = False, prefix: str = ""
) -> None:
    """Writes pictures of discs of two sizes, `folder/<big|small>/<prefix><i>.png`: simple enough to be learned in seconds."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    for i in range(count):
        label, radius = ("big", 0.35 * size) if i % 2 else ("small", 0.18 * size)
        centre = rng.uniform(0.4 * size, 0.6 * size, 2)
        distance = np.hypot(rows - centre[0], columns - centre[1])
        levels = np.clip((radius - distance + 0.5) * 255, 0, 255).astype(np.uint8)
        levels = 255 - levels if invert else levels
        picture = np.repeat(levels[..., np.newaxis], channels, axis=2).squeeze()
        path = folder / label / f"{prefix}{i:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
