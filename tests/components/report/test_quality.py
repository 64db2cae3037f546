"""The section on sample quality: what is set side by side, and what is not."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from components.artifacts import Quality as QualityArtifact
from components.report.page import render
from components.report.sources.gates import read_quality
from components.sample_quality.figures import Distances, Quality, Reconstruction, Spread
from tests.components.report import fakes
from tests.components.report.made import report
from tests.components.report.reading import Page

MADE = Distances(11.66, 9.49, 4.1, 0.984, 0.617, 1.459, 0.964, "classifier", "e8dad52b7158" + 52 * "0", "b" * 64, 193)
PRIOR = dataclasses.replace(MADE, frechet_distance=14.77)
FLOOR = dataclasses.replace(MADE, frechet_distance=2.964, kernel_distance=-1.88, precision=0.959)
WHOLE = Quality(None, "test", 0, MADE, PRIOR, FLOOR, Reconstruction(0.0236, 16.67, 0.846, 193), 0.79, 3.93, 0.964)


def section(quality: Quality | None) -> str:
    """The words of the section."""
    content = render(report(quality=quality))
    Page(content)
    return Page(re.search(r'<section id="quality">.*?</section>', content, re.DOTALL).group()).words


def test_every_figure_with_what_it_rests_on() -> None:
    words = section(WHOLE)
    for text in ("11.7", "14.8", "2.96", "−1.88", "0.984", "0.617", "1.459", "0.964", "16.67 dB", "0.846", "0.0236"):
        assert text in words, text
    for text in ("3.9 times the floor", "0.79 times that of the prior", "classifier e8dad52b7158,", "193 pictures", "96"):
        assert text in words, text


def test_a_model_without_a_mixture_has_no_column_for_its_prior() -> None:
    words = section(dataclasses.replace(WHOLE, prior=None, to_prior=None))
    assert "Prior alone" not in words and "of the prior" not in words
    assert "Floor" in words


def test_what_people_see_has_a_row_and_the_last_models_pictures_a_column() -> None:
    seen = dataclasses.replace(MADE, features="self_supervised", two_sample=0.764, high_frequencies=0.288)
    before = dataclasses.replace(seen, frechet_distance=13.21, two_sample=0.771)
    words = section(
        dataclasses.replace(WHOLE, generated=seen, baseline=before, prior=None, floor=None, spread=Spread(0.7, 0.011, 3))
    )
    for text in (
        "0.764",
        "0.288",
        "Last blessed",
        "13.2",
        "0.771",
        "a classifier that distinguishes these from held-out ones",
        "blurred",
    ):
        assert text in words, text
    assert "self-supervised e8dad52b7158" in words and "by about ±0.7 and" in words


def test_figures_that_an_earlier_version_did_not_have_have_no_row() -> None:
    words = section(WHOLE)
    assert "Two-sample" not in words and "High frequencies" not in words and "Last blessed" not in words


@pytest.mark.parametrize("change", [{"features_hash": "c" * 64}, {"pictures": 100}, {"held_out_hash": "c" * 64}])
def test_figures_that_cannot_be_compared_are_not_set_side_by_side(change: dict) -> None:
    words = section(dataclasses.replace(WHOLE, floor=dataclasses.replace(FLOOR, **change), to_floor=None))
    assert "2.96" not in words and "14.8" in words


def test_an_encoders_features_are_named_so() -> None:
    parts = {name: dataclasses.replace(part, features="encoder") for name, part in (("generated", MADE), ("floor", FLOOR))}
    words = section(dataclasses.replace(WHOLE, prior=None, classifier_accuracy=None, **parts))
    assert "encoder e8dad52b7158, this model's encoder" in words
    assert "correctly" not in words


@pytest.mark.parametrize(
    ("quality", "words"),
    [
        (None, "Sample quality was not measured."),
        (
            Quality(reason="there are only 12 test pictures; at least 50 are needed"),
            "Not measured: there are only 12 test pictures",
        ),
        (Quality(reason="<script>"), "Not measured: <script>."),
    ],
)
def test_without_figures_the_reason_is_told(quality: Quality | None, words: str) -> None:
    assert words in section(quality)


def test_figures_are_read_from_the_artifact(tmp_path: Path) -> None:
    artifact = fakes.artifact(QualityArtifact, tmp_path)
    assert read_quality(None) is None
    assert read_quality(artifact) is None  # a run that ended before it was written
    (tmp_path / "quality.json").write_text(json.dumps(WHOLE.to_dict()))
    assert read_quality(artifact) == WHOLE
    for broken in ("{", "[]", '{"generated": {"frechet_distance": 1}}', '{"generated": 3}'):
        (tmp_path / "quality.json").write_text(broken)
        assert read_quality(artifact) is None
