"""Read how earlier runs ended, from their verdicts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from common.errors import InputError
from pipeline.metadata.progress import at_work
from pipeline.verdict.verdict import FILE, DamagedVerdict, Verdict, read_verdict
from pipeline.workspace.layout import Workspace, command

BEGUN = "begun.json"  # marks a run whose components run in separate processes; between two of them nobody holds the lock


def ended_runs(workspace: Workspace) -> Iterator[tuple[Path, Verdict]]:
    """Yield the folder and the verdict of each run that has ended, newest first, without damaged verdicts."""
    for folder in reversed(workspace.runs()):
        with contextlib.suppress(DamagedVerdict):
            verdict = read_verdict(folder)
            if verdict is not None:
                yield folder, verdict


def last_run(work: str) -> str:
    """Return the id of the last run of a work folder; raise InputError if no run has ended there."""
    runs = sorted(path.parent.name for path in Path(work).glob(f"runs/*/{FILE}"))
    if not runs:
        raise InputError(f"no run has ended in {work}: do `{command('run', work)}` first")
    return runs[-1]


def killed(workspace: Workspace) -> list[str]:
    """Return the ids of the runs that did not end, oldest first, except one that is, or may be, active."""
    runs = workspace.runs()
    unended = [run for run in runs if not (run / FILE).exists()]
    if unended and unended[-1] == runs[-1] and (workspace.held() or (runs[-1] / BEGUN).exists()):
        unended.pop()
    return [run.name for run in unended]


def is_served(work: str | Path, version: int) -> bool:
    """Return True if a pushed version still exists."""
    return Path(work, "serving", str(version)).is_dir()


def blessed_by(forced: dict[str, str]) -> str:
    """Return who forced the blessing of a refused model, when and why, as text."""
    return f"blessed despite the refusal by {forced['who']} ({forced['when']}): {forced['why']}"


def describe_run(run_id: str, work: str) -> list[str]:
    """Return how a run ended, in a few lines, or that it has not ended; the errors are those of `show`."""
    folder = run_folder(run_id, work)
    verdict = read_verdict(folder)
    return _unended(folder) if verdict is None else _ended(folder, verdict)


def values_of_run(run_id: str, work: str) -> dict[str, Any]:
    """Return a run as values: its verdict; or how far it is, if it is at work. The errors are those of `show`."""
    folder = run_folder(run_id, work)
    verdict = read_verdict(folder)
    if verdict is not None:
        return asdict(verdict)
    workspace = Workspace.open(work)
    progress = at_work(workspace, folder)
    outcome = "unended" if folder.name in killed(workspace) else "at work"
    return {"run": run_id, "outcome": outcome, "progress": asdict(progress) if progress else None}


def show(run_id: str, work: str) -> list[str]:
    """Return a run in full: its outcome, its metrics beside those of the last blessed model, and each step with its duration.

    Raises:
        InputError: There is no such run, or its verdict is damaged.
    """
    folder = run_folder(run_id, work)
    verdict = read_verdict(folder)
    if verdict is None:
        return _unended(folder)
    counts = [f"{count:,} {split}" for split, count in verdict.data.get("pictures", {}).items()]
    span = [f"span {verdict.data['span']}"] if verdict.data.get("span") else []
    lines = [*_ended(folder, verdict), "pictures: " + ", ".join([verdict.images, *span, *counts])]
    for name, value in verdict.figures.items():
        before = verdict.baseline.get(name)
        beside = f", the baseline {before:.2f} ({value - before:+.2f})" if before is not None else ""
        lines.append(f"  {name}: {value:.2f} nats{beside}")
    return lines + [f"  {step['name']}: {step['state']}, {step['seconds']:.1f} s" for step in verdict.components]


def run_folder(run_id: str, work: str) -> Path:
    """Return the folder of a run, or raise InputError."""
    folder = Path(work, "runs", run_id)
    if Path(run_id).name != run_id or not folder.is_dir():
        raise InputError(f"no run {run_id} in {work}: runs are listed by `{command('runs', work)}`")
    return folder


def _unended(folder: Path) -> list[str]:
    workspace = Workspace.open(folder.parent.parent)
    progress = at_work(workspace, folder)
    active = f"it is at work: {progress}" if progress else "it is at work"
    ended = "it was killed, or the machine went down" if folder.name in killed(workspace) else active
    files = {"configuration": folder / "config.yaml", "log": folder / "log.txt"}
    return [f"run {folder.name} has not ended: {ended}", *(f"{title}: {file}" for title, file in files.items() if file.is_file())]


def _ended(folder: Path, verdict: Verdict) -> list[str]:
    lines = [f"{verdict.title}, run {folder.name}: {verdict.outcome} after {verdict.seconds:.0f} s", *verdict.reasons]
    if verdict.blessed_by:
        lines += [*verdict.overruled, blessed_by(verdict.blessed_by)]
    if verdict.figures:
        lines.append(f"held-out ELBO {verdict.figures['elbo']:.2f} nats per picture")
    version = verdict.model.get("version")
    if version is not None:
        removed = "" if is_served(folder.parent.parent, version) else ", which has been removed since"
        lines.append(f"model: version {version}, {verdict.model['path']}{removed}")
    page = folder / "report" / "index.html"
    missing = "removed since, for example by `darkroom gc`" if verdict.report else "none was made"
    lines.append(f"report: {page if page.is_file() else missing}")
    return lines
