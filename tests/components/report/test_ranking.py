"""Where a run stands: what it is set beside, and in which order."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from components.report.data import Evaluation, Figures, ReportData
from components.report.page import render
from tests.components.report.made import report
from tests.components.report.reading import Page

FASHION = Figures(elbo=-231.0, reconstruction=217.0, kl=14.0, importance_weighted=-229.5, gain=90.0, pictures=10_000)


def fashion(latent_dim: int = 40, figures: Figures = FASHION, title: str = "fashion-mnist", **facts: Any) -> ReportData:
    """A run on Fashion-MNIST's test pictures."""
    made = report(shape=(28, 28, 1), latent_dim=latent_dim, title=title, evaluation=Evaluation(figures, None, {}, True))
    return dataclasses.replace(made, model=dataclasses.replace(made.model, **facts))


def words(made: ReportData) -> str:
    """Those of the section."""
    return Page(re.search(r'<section id="ranking">.*?</section>', render(made), re.DOTALL).group()).words


def test_published_figures_of_the_same_protocol_best_first() -> None:
    found = words(fashion(binarised=True))
    assert "importance-weighted bound of 10,000 held-out pictures" in found
    order = [found.index(name) for name in ("ConvHVAE", "published VAE", "this model", "pythae", "the mean picture")]
    assert order == sorted(order)
    for figure in ("−224.67", "+4.83", "−228.70", "+0.80", "−229.50", "−232.10", "−2.60", "−321.00"):
        assert figure in found, figure


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (fashion(), "−236.70"),
        (fashion(latent_dim=2), "−253.10"),
        (
            fashion(likelihood="discretized_logistic_mixture", figures=dataclasses.replace(FASHION, importance_weighted=-1956.0)),
            "3.660",
        ),
    ],
    ids=["grey", "2 dimensions", "8-bit"],
)
def test_every_protocol_has_its_own_figures(made: ReportData, expected: str) -> None:
    assert expected in words(made) and "ConvHVAE" not in words(made)


def test_bits_per_dimension_are_of_the_bound() -> None:
    figures = dataclasses.replace(FASHION, importance_weighted=-1902.0)  # / (784 ln 2)
    found = words(fashion(likelihood="discretized_logistic_mixture", figures=figures))
    assert "3.500" in found and found.index("HCLT") < found.index("this model") < found.index("BB-ANS")


@pytest.mark.parametrize(
    "made",
    [
        fashion(title="bags"),
        fashion(figures=dataclasses.replace(FASHION, pictures=6_000)),
        fashion(binarised=True, conditional=True),
        fashion(likelihood="gaussian"),
    ],
    ids=["other pictures", "other held-out ones", "given labels", "another likelihood"],
)
def test_figures_of_another_protocol_are_not_set_beside(made: ReportData) -> None:
    found = words(made)
    assert "this model" in found and "published" not in found and "VAE" not in found


def test_beside_the_last_model_and_another_seed() -> None:
    before = dataclasses.replace(FASHION, elbo=-231.5, importance_weighted=-230.0)
    found = words(report(evaluation=Evaluation(FASHION, before, {}, True), seed_spread=0.16))
    assert "the last blessed model−231.50−0.50" in found
    assert "Another seed moves it by about ±0.16" in found


def test_without_figures_there_is_no_section() -> None:
    made = report(evaluation=Evaluation())
    made = dataclasses.replace(made, model=dataclasses.replace(made.model, figures=Figures()))
    assert 'id="ranking"' not in render(made)
