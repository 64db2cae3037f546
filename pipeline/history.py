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


def tell(run_id: str, work: str) -> list[str]:
    """How a run ended, in a few lines.

    Raises:
        InputError: There is no such run.
    """
    path = Path(work, "runs", run_id, "verdict.json")
    if not path.is_file():
        raise InputError(f"no run {run_id} in {work}: runs are listed in {Path(work, 'runs')}")
    verdict = json.loads(path.read_text(encoding="utf-8"))
    lines = [f"{verdict['title']}, run {run_id}: {verdict['outcome']} after {verdict['seconds']:.0f} s", *verdict["reasons"]]
    if verdict["figures"]:
        lines.append(f"held-out ELBO {verdict['figures']['elbo']:.2f} nats per picture")
    if "version" in verdict["model"]:
        lines.append(f"model: version {verdict['model']['version']}, {verdict['model']['path']}")
    page = path.with_name("report") / "index.html"
    lines.append(f"report: {page}" if page.is_file() else "it made no report")
    return lines


def lost_version(work: Path) -> int | None:
    """The version that the last push made, if it is no longer there.

    Whoever deletes it and runs again wants it back; the cache alone would say that it has been pushed.
    """
    for path in sorted(work.glob("runs/*/verdict.json"), reverse=True):
        model = json.loads(path.read_text(encoding="utf-8"))["model"]
        if "version" in model:
            return None if Path(model["path"]).is_dir() else int(model["version"])
    return None
