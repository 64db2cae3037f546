"""Compare two runs of a work folder (`darkroom report --compare`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from common.errors import InputError
from common.quiet import hushed
from components.evaluation.results import MARGIN
from components.report.beside import Comparison, Side, flatten
from components.report.comparison import PICTURES
from components.report.sections.differences import cells, compare
from pipeline.config.loading import load_values
from pipeline.metadata.history import ended_runs, run_folder
from pipeline.verdict.verdict import read_verdict
from pipeline.workspace.layout import Workspace, command


def compare_runs(work: str, old: str, new: str) -> Comparison:
    """Compare two runs, each given by its id or by the version that it pushed.

    Raises:
        InputError: There is no such run or version, or the run has not ended.
    """
    workspace = Workspace.open(work)
    return compare(_side(workspace, old), _side(workspace, new))


def lines(comparison: Comparison) -> list[str]:
    """Return a comparison as text."""
    heads = ("", comparison.old.name, comparison.new.name, "difference", "noise")
    rows = [heads, *(row[:5] for row in cells(comparison))] if cells(comparison) else []
    widths = [max(len(row[column]) for row in rows) for column in range(5)] if rows else []
    table = [
        f"{row[0]:<{widths[0]}}  " + "  ".join(cell.rjust(width) for cell, width in zip(row[1:], widths[1:])).rstrip()
        for row in rows
    ]
    changes = [f"{kind}: {name}: {before} -> {now}" for kind, name, before, now in comparison.changes]
    return [comparison.sentence, *table, *(changes or ["data, configuration and code are the same, as far as they are recorded"])]


def values(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as values for JSON."""
    return {
        "old": comparison.old.run,
        "new": comparison.new.run,
        "state": comparison.state,
        "sentence": comparison.sentence,
        "figures": [
            {"name": row.name, "old": row.old, "new": row.new, "noise": row.noise, "change": row.change}
            for row in (*comparison.rows, *comparison.quality)
        ],
        "changes": [dict(zip(("kind", "name", "old", "new"), change)) for change in comparison.changes],
    }


def _side(workspace: Workspace, name: str) -> Side:
    folder = _folder(workspace, name)
    verdict = read_verdict(folder)
    if verdict is None:
        raise InputError(f"run {folder.name} has not ended: only ended runs are compared")
    version = verdict.model.get("version")
    fingerprint, code = _origin(workspace, version)
    config = load_values(folder / "config.yaml") if (folder / "config.yaml").is_file() else {}
    margin = (config.get("evaluation") or {}).get("max_drop")
    pictures = {
        path.name: path.read_bytes() for path in sorted((folder / "report" / "pictures").glob("*.png")) if path.name in PICTURES
    }
    return Side(
        name=f"run {folder.name}" if version is None else f"version {version}",
        run=folder.name,
        outcome="; ".join([verdict.outcome, *verdict.reasons]),
        figures=verdict.figures,
        quality=verdict.quality,
        config=flatten(config),
        data=verdict.data,
        # The margin is a multiple of the standard deviation of the ELBO over seeds.
        seed_spread=margin / MARGIN if isinstance(margin, (int, float)) else None,
        fingerprint=fingerprint,
        code=code,
        pictures=pictures,
    )


def _folder(workspace: Workspace, name: str) -> Path:
    """Return the folder of a run, given by its id or by the version that it pushed."""
    if not name.isdecimal():
        return run_folder(name, str(workspace.root))
    for folder, verdict in ended_runs(workspace):
        if verdict.model.get("version") == int(name):
            return folder
    raise InputError(f"no run of {workspace.root} pushed version {name}: `{command('runs', workspace.root)}` lists them")


def _origin(workspace: Workspace, version: int | None) -> tuple[str, str]:
    """Return the fingerprint of the input files and the hash of the code behind a version, '' where they are not known."""
    if version is None:
        return "", ""
    with hushed():
        from pipeline.metadata.lineage import lineage

        try:
            origin = lineage(workspace, version)
        except InputError:
            return "", ""
    return origin.fingerprint, origin.code
