"""List all runs of a work folder, one line each (`darkroom runs`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from pipeline.metadata.history import is_served, killed
from pipeline.metadata.progress import RunProgress, at_work
from pipeline.verdict.verdict import DamagedVerdict, read_verdict
from pipeline.workspace.layout import Workspace, command

HEADINGS = ("run", "ended as", "span", "pictures", "ELBO, nats", "baseline", "version", "seconds")
DISPENSABLE = ("seconds", "span", "baseline", "pictures", "version", "ELBO, nats")  # columns, the first is left out first


@dataclass(frozen=True)
class PastRun:
    """A run, read from its verdict."""

    id: str  # its id, which is the time of its start
    outcome: str  # `pushed`, `refused (data)` and so on; `at work (Trainer)`; `unended` if it was killed
    span: int | None = None  # the latest span that it read; None without spans, or if it ended earlier
    pictures: int | None = None  # the number of pictures that it read; None if it ended earlier
    elbo: float | None = None  # the ELBO of its model on held-out pictures, nats per picture
    baseline: float | None = None  # the ELBO of the last blessed model on the same pictures, nats per picture
    version: int | None = None  # the version that it pushed
    seconds: float | None = None  # its duration in seconds
    gone: bool = False  # whether that version has been removed since
    progress: RunProgress | None = None  # how far it is, if it is at work


def list_runs(work: str) -> list[PastRun]:
    """Return the runs of a work folder, oldest first; raise InputError if nothing was run there."""
    folders = sorted(path for path in Path(work, "runs").glob("*") if path.is_dir())
    if not folders:
        raise InputError(f"nothing was run in {work} yet: do `{command('run', work)}` first")
    workspace = Workspace(Path(work).expanduser().absolute())
    dead = killed(workspace)
    return [_read(folder, workspace, folder.name in dead) for folder in folders]


def _read(folder: Path, workspace: Workspace, dead: bool) -> PastRun:
    try:
        verdict = read_verdict(folder)
    except DamagedVerdict:
        return PastRun(folder.name, "verdict damaged")
    if verdict is None:
        if dead:
            return PastRun(folder.name, "unended")
        progress = at_work(workspace, folder)
        component = f" ({progress.component})" if progress and progress.component else ""
        return PastRun(folder.name, f"at work{component}", seconds=progress.elapsed if progress else None, progress=progress)
    gate = f" ({verdict.gate})" if verdict.gate else ""
    pictures, version = verdict.data.get("pictures"), verdict.model.get("version")
    return PastRun(
        id=folder.name,
        outcome=f"{verdict.outcome}{gate}",
        span=verdict.data.get("span") or None,
        pictures=sum(pictures.values()) if pictures else None,
        elbo=verdict.figures.get("elbo"),
        baseline=verdict.baseline.get("elbo"),
        version=version,
        seconds=verdict.seconds,
        gone=version is not None and not is_served(folder.parent.parent, version),
    )


def table(runs: Sequence[PastRun], width: int | None = None) -> list[str]:
    """Return runs as lines with aligned columns and headings, and a line on each run at work.

    Columns that are empty are left out, and the less important ones where a terminal of `width` columns has no room.
    """
    rows = [HEADINGS, *(_cells(run) for run in runs)]
    columns = [column for column in range(len(HEADINGS)) if column < 2 or any(row[column] for row in rows[1:])]
    widths = {column: max(len(row[column]) for row in rows) for column in columns}
    for column in map(HEADINGS.index, DISPENSABLE):
        if width is not None and sum(widths.values()) + 2 * len(widths) - 2 > width:
            widths.pop(column, None)
    columns = list(widths)
    lines = []
    for row in rows:
        text = [row[column].ljust(widths[column]) if column < 2 else row[column].rjust(widths[column]) for column in columns]
        lines.append("  ".join(text).rstrip())
    return lines + [f"{run.id}: {run.progress}" for run in runs if run.progress]


def _cells(run: PastRun) -> tuple[str, ...]:
    return (
        run.id,
        run.outcome,
        "" if run.span is None else str(run.span),
        "" if run.pictures is None else f"{run.pictures:,}",
        "" if run.elbo is None else f"{run.elbo:.2f}",
        "" if run.baseline is None else f"{run.baseline:.2f}",
        "" if run.version is None else f"{run.version}{' (gone)' * run.gone}",
        "" if run.seconds is None else f"{run.seconds:.0f}",
    )
