"""Rank the run's figure: beside the last model, a model that has learned nothing, and published results."""

from __future__ import annotations

import math
from typing import Any

from components.report.data import Figures, ReportData
from components.report.drawing.formatting import nats, number
from components.report.sections.references import references

MEASURES = {"elbo": "ELBO", "importance_weighted": "importance-weighted bound", "bits_per_dimension": "bits per dimension"}
BITS = "bits_per_dimension"


def ranking(report: ReportData) -> dict[str, Any] | None:
    """Return one figure in a ranking with others by the same protocol; None if the run has no figure."""
    published = references(report)
    measure = published[0].measure if published else BITS if report.bits_per_dimension is not None else "elbo"
    by_bits = measure == BITS
    own = _value(report, report.held_out, measure)
    if own is None or not math.isfinite(own):
        return None
    lines = [("this model", own), *_others(report, measure, own), *((line.who, line.value) for line in published)]
    lines.sort(key=lambda line: line[1] if by_bits else -line[1])
    rows = [[name, _format(value, by_bits), _format(value - own, by_bits, sign=True)] for name, value in lines]
    marked = next(i for i, (_, value) in enumerate(lines) if value == own)
    rows[marked][2] = ""
    spread = report.seed_spread
    if spread is not None:
        spread = number(spread / _bits_in_nats(report), 4) if by_bits else number(spread, 2)
    return {"measure": MEASURES[measure], "by_bits": by_bits, "rows": rows, "marked": marked, "spread": spread}


def _others(report: ReportData, measure: str, own: float) -> list[tuple[str, float]]:
    """Return the figures of the last blessed model, and of a model that always returns the mean picture."""
    lines = []
    if report.evaluation.baseline is not None:
        before = _value(report, report.evaluation.baseline, measure)
        if before is not None and math.isfinite(before) and before != own:
            lines.append(("the last blessed model", before))
    figures = report.held_out
    if figures.gain is not None and figures.elbo is not None and math.isfinite(figures.elbo - figures.gain):
        elbo = figures.elbo - figures.gain
        lines.append(("the mean picture for every code", _value(report, Figures(elbo, importance_weighted=elbo), measure)))
    return lines


def _value(report: ReportData, figures: Figures, measure: str) -> float | None:
    if measure != BITS:
        return getattr(figures, measure)
    bound = figures.importance_weighted if figures.importance_weighted is not None else figures.elbo
    return None if bound is None else -bound / _bits_in_nats(report)


def _bits_in_nats(report: ReportData) -> float:
    """Return one bit per dimension in nats per picture."""
    return math.prod(report.model.image_shape) * math.log(2)


def _format(value: float, by_bits: bool, sign: bool = False) -> str:
    return number(value, 3, sign=sign) if by_bits else nats(value, sign=sign)
