"""Rank the run's figure: beside the last model, a model that has learned nothing, and published results."""

from __future__ import annotations

import math

from components.report.data import Figures, ReportData
from components.report.drawing.markup import Html, fragment, tag
from components.report.drawing.wording import count, nats, number
from components.report.sections.layout import Section, table
from components.report.sections.references import Reference, references

MEASURES = {"elbo": "ELBO", "importance_weighted": "importance-weighted bound", "bits_per_dimension": "bits per dimension"}


def ranking(report: ReportData) -> Section | None:
    """Return one figure in a ranking with others by the same protocol; None if the run has no figure."""
    known = references(report)
    measure = known[0].measure if known else _usual(report)
    own = _value(report, report.held_out, measure)
    if own is None or not math.isfinite(own):
        return None
    rows = sorted([*_lines(report, measure, own), *map(_published, known)], key=lambda row: _goodness(row[1], measure))
    words = [[name, _written(value, measure), _written(value - own, measure, sign=True)] for name, value in rows]
    marked = next(i for i, (_, value) in enumerate(rows) if value == own)
    words[marked][2] = ""
    better = "lower" if measure == "bits_per_dimension" else "higher"
    return Section(
        "standing",
        "Standing",
        "Where it stands",
        f"The {MEASURES[measure]} of {count(report.held_out.pictures or 0, 'held-out picture')}, best first; {better} is better.",
        fragment(table(["", MEASURES[measure] + _unit(measure), "difference"], words, marked=marked), _spread(report, measure)),
    )


def _usual(report: ReportData) -> str:
    return "bits_per_dimension" if report.bits_per_dimension is not None else "elbo"


def _lines(report: ReportData, measure: str, own: float) -> list[tuple[str, float]]:
    lines = [("this model", own)]
    if report.evaluation.baseline is not None:
        before = _value(report, report.evaluation.baseline, measure)
        if before is not None and math.isfinite(before) and before != own:
            lines.append(("the last blessed model", before))
    figures = report.held_out
    if figures.gain is not None and figures.elbo is not None and math.isfinite(figures.elbo - figures.gain):
        nothing = _value(
            report, Figures(elbo=figures.elbo - figures.gain, importance_weighted=figures.elbo - figures.gain), measure
        )
        lines.append(("the mean picture, whatever the code", nothing))
    return lines


def _published(reference: Reference) -> tuple[str, float]:
    return reference.who, reference.value


def _value(report: ReportData, figures: Figures, measure: str) -> float | None:
    if measure != "bits_per_dimension":
        return getattr(figures, measure)
    bound = figures.importance_weighted if figures.importance_weighted is not None else figures.elbo
    return None if bound is None else -bound / (math.prod(report.model.image_shape) * math.log(2))


def _goodness(value: float, measure: str) -> float:
    return value if measure == "bits_per_dimension" else -value


def _written(value: float, measure: str, sign: bool = False) -> str:
    return number(value, 3, sign=sign) if measure == "bits_per_dimension" else nats(value, sign=sign)


def _unit(measure: str) -> str:
    return "" if measure == "bits_per_dimension" else ", nats"


def _spread(report: ReportData, measure: str) -> Html | None:
    if report.seed_spread is None:
        return None
    spread = report.seed_spread
    if measure == "bits_per_dimension":
        spread /= math.prod(report.model.image_shape) * math.log(2)
    written = number(spread, 4 if measure == "bits_per_dimension" else 2)
    return tag(
        "p", f"Another seed moves it by about ±{written} (one standard deviation, by the Evaluator's margin).", class_="small"
    )
