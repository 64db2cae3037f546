"""The search for hyperparameters: a table of trials."""

from __future__ import annotations

from typing import Any

from components.report.data import ReportData
from components.report.drawing.formatting import NOTHING, duration, nats, number, significant

LIKELIHOOD = "model.likelihood"
MAX_TRIALS = 30


def search(report: ReportData) -> dict[str, Any] | None:
    """Return the best values and all trials, best first; None without a search."""
    results = report.search
    if results is None:
        return None
    best, by_bits = results.trials[0], results.objective == "bits_per_dimension"
    names = list(best.values)
    is_text = {name: any(not isinstance(trial.values.get(name), (int, float)) for trial in results.trials) for name in names}
    fields = sorted(names, key=lambda name: not is_text[name])
    # ELBOs of different likelihoods are not comparable.
    elbo = "ELBO, own units" if LIKELIHOOD in names else "ELBO"
    rows = []
    for trial in results.trials[:MAX_TRIALS]:
        cells = [_value(trial.values.get(name)) for name in fields]
        cells += [number(trial.score, 3)] if by_bits else []
        cells += [nats(trial.elbo), number(trial.epochs), duration(trial.seconds), number(trial.number)]
        rows.append((cells, trial.score is not None))
    bits = ["Bits per value"] if by_bits else []
    best_score = None
    if best.score is not None:
        best_score = f"{number(best.score, 3)} bits per value" if by_bits else f"ELBO {nats(best.score)} nats"
    return {
        "search": results,
        "by_bits": by_bits,
        "best_score": best_score,
        "best_values": ", ".join(f"{_name(name)} {_value(value)}" for name, value in best.values.items()),
        "head": ["Rank", *map(_name, fields), *bits, elbo, "Epochs", "Time", "Trial", "State"],
        "numbers_from": 1 + sum(is_text.values()),
        "rows": rows,
        "failed": [trial for trial in results.trials if trial.reason][:MAX_TRIALS],
    }


def _name(name: str) -> str:
    """Return a field's name as words: `model.latent_dim` becomes `latent dim`."""
    return name.split(".")[-1].replace("_", " ")


def _value(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: NOTHING}[value]
    if isinstance(value, (int, float)):
        return significant(value) if isinstance(value, float) else number(value)
    if isinstance(value, (list, tuple)):
        return " · ".join(map(_value, value))
    return str(value).replace("_", " ")
