"""The verdict: the checks and decisions of each gate, the configuration, and the locations of the artifacts."""

from __future__ import annotations

from typing import Any

from components.report.data import TERMS, Evaluation, ReportData
from components.report.drawing.formatting import NOTHING, nats, number
from components.report.sections.gates import gates, judge

NAMES = {
    "elbo": "ELBO",
    "reconstruction": "Reconstruction",
    "kl": "KL divergence",
    "importance_weighted": "Importance-weighted bound",
    "gain": "Gain over the mean picture",
}
MAX_LABELS = 15


def verdict(report: ReportData) -> dict[str, Any]:
    """Return the gates, their figures, and the figures by label, lowest ELBO first."""
    scored = {label: figures for label, figures in report.evaluation.by_label.items() if figures.elbo is not None}
    hardest = sorted(scored.items(), key=lambda item: item[1].elbo)
    return {
        "headline": judge(report).headline,
        "gates": gates(report),
        "figure_rows": [_row(report.evaluation, term) for term in TERMS if getattr(report.evaluation.candidate, term) is not None],
        "label_rows": [
            [label or "(no label)", nats(figures.elbo), nats(figures.reconstruction), nats(figures.kl), number(figures.pictures)]
            for label, figures in hardest[:MAX_LABELS]
        ],
        "scored_labels": len(scored),
    }


def _row(evaluation: Evaluation, term: str) -> list[str]:
    """Return the name of a figure and its value; with a baseline, also the baseline's value and the difference."""
    new = getattr(evaluation.candidate, term)
    row = [NAMES[term], nats(new)]
    if evaluation.baseline is not None:
        old = getattr(evaluation.baseline, term)
        row += [nats(old), NOTHING if old is None else nats(new - old, sign=True)]
    return row
