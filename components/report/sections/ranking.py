"""Rank the run's figure: beside the last model, a model that has learned nothing, and published results."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from components.report.data import Figures, ReportData
from components.report.drawing.formatting import nats, number

MEASURES = {"elbo": "ELBO", "importance_weighted": "importance-weighted bound", "bits_per_dimension": "bits per dimension"}
BITS = "bits_per_dimension"


@dataclass(frozen=True)
class Protocol:
    """The conditions besides the model that a figure depends on."""

    title: str  # title of the data set
    image_shape: tuple[int, int, int]  # shape of the preprocessed pictures
    held_out: int  # number of held-out pictures
    likelihood: str  # p(x|z)
    binarised: bool = False  # whether pictures are binarized
    latent_dim: int | None = None  # the number of latent dimensions if the figure depends on it; None for any

    def holds(self, report: ReportData) -> bool:
        """Return whether the run was evaluated by this protocol."""
        model = report.model
        actual = (report.title, model.image_shape, report.held_out.pictures, model.likelihood, model.binarised)
        required = (self.title, self.image_shape, self.held_out, self.likelihood, self.binarised)
        return actual == required and self.latent_dim in (None, model.latent_dim) and not model.conditional


@dataclass(frozen=True)
class Reference:
    """A figure: `measure` is `elbo`, `importance_weighted` (nats per picture) or `bits_per_dimension` (lower is better)."""

    who: str
    measure: str
    value: float


_FASHION = ("fashion-mnist", (28, 28, 1), 10_000)
REFERENCES: dict[Protocol, tuple[Reference, ...]] = {
    Protocol(*_FASHION, "bernoulli", binarised=True): (
        Reference("pythae's VAE, 512 wide, after 10 minutes of training", "importance_weighted", -232.1),
        Reference("published VAE, up to 2,000 epochs", "importance_weighted", -228.70),
        Reference("published ConvHVAE + VampPrior", "importance_weighted", -224.67),
    ),
    Protocol(*_FASHION, "bernoulli", latent_dim=2): (Reference("a plain 512-512 VAE, 3 minutes", "elbo", -253.1),),
    Protocol(*_FASHION, "bernoulli"): (Reference("a plain 512-512 VAE with 20 dimensions, 200 seconds", "elbo", -236.7),),
    Protocol(*_FASHION, "discretized_logistic_mixture"): (
        Reference("BB-ANS (Townsend et al. 2019), a VAE", "bits_per_dimension", 3.66),
        Reference("HCLT (Liu et al. 2022)", "bits_per_dimension", 3.34),
    ),
}


def references(report: ReportData) -> tuple[Reference, ...]:
    """Return the figures of the most specific protocol of the run; none if no protocol holds."""
    holding = [protocol for protocol in REFERENCES if protocol.holds(report)]
    return REFERENCES[min(holding, key=lambda protocol: protocol.latent_dim is None)] if holding else ()


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
