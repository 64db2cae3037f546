"""Start the clean process that calls an exported model, and handle its crash or timeout."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import one_line
from components.serving_check import check
from serving import c_api
from trainer import golden


@dataclass
class Outcome:
    """The outcome of the process."""

    # The report after loading: `loaded` (milliseconds) and `tensorflow` (version)
    loaded: dict[str, Any] = field(default_factory=dict)
    # The report for each called signature: `milliseconds`, or `error`
    signatures: dict[str, dict[str, Any]] = field(default_factory=dict)
    modules: list[str] = field(default_factory=list)  # all modules imported in the end, outside Python's own library
    failure: str | None = None  # why the process did not end normally, or the model did not load; None if neither


def call_model(model: Path, inputs: Path, calls: dict[str, dict[str, Any]], folder: Path, timeout: float) -> Outcome:
    """Send golden requests to a model in a separate process. A crash or a timeout raises no exception; the outcome reports it.

    Args:
        model: The SavedModel's folder.
        inputs: The golden inputs.npz.
        calls: Tensor names of the signatures to call, as described in check.py.
        folder: An empty folder; the answers go to folder/answers/<signature>.npz.
        timeout: Seconds after which the process is killed.
    """
    code, answers, empty = (folder / name for name in ("code", "answers", "empty"))
    for made in (code, answers, empty):
        made.mkdir()
    for module in (check, c_api, golden):
        shutil.copy(module.__file__, code)
    request = {
        "library": str(c_api.find_library()),
        "model": str(model),
        "inputs": str(inputs),
        "answers": str(answers),
        "numpy": str(Path(np.__file__).parents[1]),
        "calls": calls,
    }
    (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
    # -I and -S: the environment, the current folder and site-packages add nothing to Python's import path.
    command = [sys.executable, "-I", "-S", str(code / "check.py"), str(folder / "request.json")]
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(command, cwd=empty, env=_environment(), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
        failure = _wait(process, timeout)
    return _outcome(folder, failure)


def _environment() -> dict[str, str]:
    """Return the variables that the process's libraries need to be found; it computes on the CPU, which every server has."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ}
    return {**kept, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


def _wait(process: subprocess.Popen, timeout: float) -> str | None:
    """Wait for the process; return why it did not end normally, or None."""
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return f"it did not answer within {timeout:g} seconds"
    except BaseException:  # such as Ctrl-C: its folder is about to be removed
        process.kill()
        process.wait()
        raise
    if code < 0:
        return f"TensorFlow's runtime crashed on it ({signal.Signals(-code).name})"
    return f"it ended with status {code}" if code else None


def _outcome(folder: Path, failure: str | None) -> Outcome:
    outcome = Outcome(failure=failure)
    for text in (folder / "stdout").read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue  # Output of a library, or a line cut by a crash.
        if "signature" in line:
            outcome.signatures[line["signature"]] = line
        elif "loaded" in line:
            outcome.loaded = line
        elif "modules" in line:
            outcome.modules = line["modules"]
        elif "error" in line:
            outcome.failure = f"TensorFlow's runtime cannot load it: {one_line(line['error'])}"
    error_lines = (folder / "stderr").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    if failure and error_lines:
        outcome.failure = f"{failure}: {error_lines[-1]}"
    return outcome
