"""Run `darkroom run` as a user would, in a separate work folder, and read its output files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def run(preset: str, images: str | None, overrides: Sequence[str], keep: str | None = None) -> dict[str, Any]:
    """Do one run.

    Args:
        preset: A configuration. Without `images`, its name must begin with that of a data set.
        images: A folder of pictures, or None.
        overrides: `section.field=value`.
        keep: The work folder, which is kept; None for a temporary one.

    Returns:
        `status`, `seconds`, `gib` (peak memory), `trainer_seconds`, and the output of the run: `verdict`, `metrics`, `history`.
    """
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(keep or scratch)
        source = ["--images", images, "--config", preset] if images else ["--dataset", dataset_of(preset), "--config", preset]
        settings = [part for override in overrides for part in ("--set", override)]
        begin = time.perf_counter()
        process = subprocess.Popen([sys.executable, "local_runner.py", *source, "--work", str(work), *settings])
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        paths = sorted(work.glob("runs/*/verdict.json"))
        if not paths:
            raise SystemExit(f"benchmark: {preset} did not run; give its pictures by --images")
        verdict = json.loads(paths[-1].read_text())
        if "artifact" not in verdict["model"]:
            raise SystemExit(f"benchmark: {preset} ended without a model: {'; '.join(verdict['reasons'])}")
        model = Path(verdict["model"]["artifact"])
        history = sorted(work.glob("artifacts/Trainer/model_run/*/history.jsonl"))[-1]
        return {
            "status": os.waitstatus_to_exitcode(status),
            "seconds": seconds,
            "gib": usage.ru_maxrss / 2**20,
            "trainer_seconds": next(c["seconds"] for c in verdict["components"] if c["name"] == "Trainer"),
            "verdict": verdict,
            "metrics": json.loads((model / "metrics.json").read_text()),
            "history": [json.loads(line) for line in history.read_text().splitlines()],
        }


def dataset_of(preset: str) -> str:
    """Return the data set whose name is the beginning of a preset's name."""
    return next(name for name in ("digits", "fashion-mnist", "mnist", "cifar10") if preset.startswith(name))
