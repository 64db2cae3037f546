"""List all runs of a work folder, one line each (`darkroom runs`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import InputError
from pipeline.metadata.history import is_served, tell
from pipeline.workspace.layout import command

HEADINGS = ("run", "ended as", "span", "pictures", "ELBO, nats", "the one before", "version", "seconds")


@dataclass(frozen=True)
class Run:
    """A run, read from its verdict.

    Attributes:
        id: Its id, which is the time of its start.
        outcome: `pushed`, `refused (data)` and so on; `unended` if it was killed, or is active.
        span: The latest span that it read; None without spans, or if it ended earlier.
        pictures: The number of pictures that it read; None if it ended earlier.
        elbo: The ELBO of its model on held-out pictures, nats per picture.
        baseline: The ELBO of the last blessed model on the same pictures, nats per picture.
        version: The version that it pushed.
        seconds: Its duration in seconds.
        gone: Whether that version has been removed since.
    """

    id: str
    outcome: str
    span: int | None = None
    pictures: int | None = None
    elbo: float | None = None
    baseline: float | None = None
    version: int | None = None
    seconds: float | None = None
    gone: bool = False


def list_runs(work: str) -> list[Run]:
    """Return the runs of a work folder, oldest first.

    Raises:
        InputError: There is no such folder, or nothing was run in it.
    """
    folders = sorted(path for path in Path(work, "runs").glob("*") if path.is_dir())
    if not folders:
        raise InputError(f"nothing was run in {work} yet: do `{command('run', work)}` first")
    return [_read(folder) for folder in folders]


def _read(folder: Path) -> Run:
    try:
        verdict: dict[str, Any] = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Run(folder.name, "unended")
    except ValueError:
        return Run(folder.name, "verdict damaged")
    gate = f" ({verdict['gate']})" if verdict["gate"] else ""
    pictures, version = verdict["data"].get("pictures"), verdict["model"].get("version")
    return Run(
        id=folder.name,
        outcome=f"{verdict['outcome']}{gate}",
        span=verdict["data"].get("span") or None,
        pictures=sum(pictures.values()) if pictures else None,
        elbo=verdict["figures"].get("elbo"),
        baseline=verdict["baseline"].get("elbo"),
        version=version,
        seconds=verdict["seconds"],
        gone=version is not None and not is_served(folder.parent.parent, version),
    )


def table(runs: Sequence[Run]) -> list[str]:
    """Return runs as lines with aligned columns and headings."""
    rows = [HEADINGS, *(_cells(run) for run in runs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = []
    for row in rows:
        text = [cell.ljust(width) if column < 2 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths))]
        lines.append("  ".join(text).rstrip())
    return lines


def _cells(run: Run) -> tuple[str, ...]:
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


def show(run_id: str, work: str) -> list[str]:
    """Return a run in full: its outcome, its metrics beside those of the last blessed model, and each step with its duration.

    Raises:
        InputError: There is no such run.
    """
    lines, path = tell(run_id, work), Path(work, "runs", run_id, "verdict.json")
    if not path.is_file():
        return lines
    verdict = json.loads(path.read_text(encoding="utf-8"))
    data = verdict["data"]
    counts = [f"{count:,} {split}" for split, count in data.get("pictures", {}).items()]
    span = [f"span {data['span']}"] if data.get("span") else []
    lines.append("pictures: " + ", ".join([verdict["images"], *span, *counts]))
    for name, value in verdict["figures"].items():
        before = verdict["baseline"].get(name)
        beside = f", the one before {before:.2f} ({value - before:+.2f})" if before is not None else ""
        lines.append(f"  {name}: {value:.2f} nats{beside}")
    lines += [f"  {step['name']}: {step['state']}, {step['seconds']:.1f} s" for step in verdict["components"]]
    return lines
