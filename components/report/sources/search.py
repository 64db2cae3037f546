"""Read the trials of the Tuner."""

from __future__ import annotations

from typing import Any

from tfx.types import Artifact

from components.report.data import Search, Trial
from components.report.sources.files import read_json, to_float, to_int
from trainer.tuning.trials import FILE, HIGHER_IS_BETTER


def read_search(artifact: Artifact | None) -> Search | None:
    """Return all trials, best first; None if the run had no search."""
    found = read_json(artifact.uri, FILE) if artifact is not None else {}
    if not found.get("trials"):
        return None
    objective = str(found.get("objective", "elbo"))
    trials = [_trial(trial, objective) for trial in found["trials"]]
    sign = -1 if HIGHER_IS_BETTER.get(objective, True) else 1
    ranked = sorted(trials, key=lambda trial: (trial.score is None, sign * (trial.score or 0.0), trial.number))
    pictures = found.get("pictures") or {}
    return Search(objective, to_int(found.get("epochs")), to_int(pictures.get("train")), ranked)


def _trial(found: dict[str, Any], objective: str) -> Trial:
    failed = found.get("state") == "failed"
    return Trial(
        number=to_int(found.get("number")) or 0,
        values=dict(found.get("values") or {}),
        reason=str(found.get("reason") or "no reason was recorded") if failed else "",
        score=None if failed else to_float(found.get(objective)),
        elbo=to_float(found.get("elbo")),
        epochs=to_int(found.get("epochs")),
        seconds=to_float(found.get("seconds")),
    )
