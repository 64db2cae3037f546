"""Near-copies: new pictures that repeat training pictures, each beside its original."""

from __future__ import annotations

from typing import Any

from components.report.data import ReportData
from components.report.drawing.pictures import fitting_rows

BUDGET = 200_000  # bytes of PNG


def copies(report: ReportData) -> dict[str, Any] | None:
    """Return some of the near-copies; None if they were not counted."""
    if report.quality is None or report.quality.copies is None:
        return None
    uris = fitting_rows([(pair.generated, pair.training) for pair in report.copies], BUDGET)
    return {
        "pairs": [(pair, *both) for pair, both in zip(report.copies, uris)],
        "shape": report.copies[0].training.shape if report.copies else None,
    }
