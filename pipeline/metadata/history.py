"""Read how earlier runs ended, from their verdicts."""

from __future__ import annotations

import json
from pathlib import Path

from common.errors import InputError
from pipeline.workspace.layout import Workspace, command

BEGUN = "begun.json"  # marks a run whose components run in separate processes; between two of them nobody holds the lock


def last_run(work: str) -> str:
    """Return the id of the last run of a work folder.

    Raises:
        InputError: No run has ended there.
    """
    runs = sorted(path.parent.name for path in Path(work).glob("runs/*/verdict.json"))
    if not runs:
        raise InputError(f"no run has ended in {work}: do `{command('run', work)}` first")
    return runs[-1]


def killed(workspace: Workspace) -> list[str]:
    """Return the ids of the runs that did not end, oldest first, except one that is, or may be, active."""
    runs = workspace.runs()
    unended = [run for run in runs if not (run / "verdict.json").exists()]
    if unended and unended[-1] == runs[-1] and (workspace.held() or (runs[-1] / BEGUN).exists()):
        unended.pop()
    return [run.name for run in unended]


def is_served(work: str | Path, version: int) -> bool:
    """Return True if a pushed version still exists."""
    return Path(work, "serving", str(version)).is_dir()


def blessed_by(forced: dict[str, str]) -> str:
    """Return who forced the blessing of a refused model, when and why, as text."""
    return f"blessed all the same by {forced['who']} ({forced['when']}): {forced['why']}"


def tell(run_id: str, work: str) -> list[str]:
    """Return how a run ended, in a few lines, or that it has not ended.

    Raises:
        InputError: There is no such run, or its verdict is damaged.
    """
    path = Path(work, "runs", run_id, "verdict.json")
    if Path(run_id).name != run_id or not path.parent.is_dir():
        raise InputError(f"no run {run_id} in {work}: runs are listed by `{command('runs', work)}`")
    if not path.is_file():
        dead = run_id in killed(Workspace.open(work))
        there = [(what, path.with_name(name)) for what, name in (("configuration", "config.yaml"), ("log", "log.txt"))]
        ended = "it was killed, or the machine went down" if dead else "it is at work"
        return [f"run {run_id} has not ended: {ended}", *(f"{what}: {file}" for what, file in there if file.is_file())]
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
        gone = "" if is_served(work, verdict["model"]["version"]) else ", which is gone since"
        lines.append(f"model: version {verdict['model']['version']}, {verdict['model']['path']}{gone}")
    page = path.with_name("report") / "index.html"
    missing = "its report was removed since, as `darkroom gc` does" if verdict.get("report") else "it made no report"
    lines.append(f"report: {page}" if page.is_file() else missing)
    return lines
