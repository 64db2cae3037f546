"""What became of earlier runs, read from their verdicts."""

from __future__ import annotations

import json
from pathlib import Path

from trainer.errors import InputError


def last_run(work: str) -> str:
    """The id of a work folder's last run.

    Raises:
        InputError: There was none.
    """
    runs = sorted(path.parent.name for path in Path(work).glob("runs/*/verdict.json"))
    if not runs:
        raise InputError(f"no run has ended in {work}: do 'darkroom run --work {work}' first")
    return runs[-1]


def blessed_by(forced: dict[str, str]) -> str:
    """Who had a model blessed that was refused, when and why."""
    return f"blessed all the same by {forced['who']} ({forced['when']}): {forced['why']}"


def tell(run_id: str, work: str) -> list[str]:
    """How a run ended, in a few lines.

    Raises:
        InputError: There is no such run, or its verdict is damaged.
    """
    path = Path(work, "runs", run_id, "verdict.json")
    if not path.is_file():
        raise InputError(f"no run {run_id} in {work}: runs are listed in {Path(work, 'runs')}")
    try:
        verdict = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError:
        raise InputError(f"the verdict of run {run_id} is damaged: {path}") from None
    lines = [f"{verdict['title']}, run {run_id}: {verdict['outcome']} after {verdict['seconds']:.0f} s", *verdict["reasons"]]
    if verdict.get("blessed_by"):
        lines += [*verdict["overruled"], blessed_by(verdict["blessed_by"])]
    if verdict["figures"]:
        lines.append(f"held-out ELBO {verdict['figures']['elbo']:.2f} nats per picture")
    if "version" in verdict["model"]:
        lines.append(f"model: version {verdict['model']['version']}, {verdict['model']['path']}")
    page = path.with_name("report") / "index.html"
    lines.append(f"report: {page}" if page.is_file() else "it made no report")
    return lines
