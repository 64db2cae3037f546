"""The section on near-copies: counted, named, and shown beside their originals."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np

from components.artifacts import Quality as QualityArtifact
from components.report.data import CopyPair
from components.report.page import render
from components.report.sources.gates import read_copies
from components.sample_quality.figures import Copies, Copy, Quality
from tests.components.report import fakes
from tests.components.report.made import pictures, report
from tests.components.report.reading import Page

FOUND = Quality(split="test", copies=Copies(0.06, 0.021, 12, 193, 0.61))
PAIRS = [
    CopyPair(generated, training, f"cats/{i}.png", 0.1)
    for i, (generated, training) in enumerate(zip(pictures(3, (8, 8, 1)), pictures(3, (8, 8, 1), 1)))
]


def section(quality: Quality | None, pairs: list[CopyPair]) -> Page | None:
    """The section's words and pictures; None where there is none."""
    found = re.search(r'<section id="copies">.*?</section>', render(report(quality=quality, copies=pairs)), re.DOTALL)
    return Page(found.group()) if found else None


def test_copies_are_counted_named_and_shown_beside_their_originals() -> None:
    page = section(FOUND, PAIRS)
    for text in ("12 of 193 new pictures", "2.1", "0.61 times", "0.png", "1.png", "2.png"):
        assert text in page.words.replace("\u202f", ""), text
    shown = [np.asarray(image) for image in page.pictures()]
    expected = [picture[..., 0] for pair in PAIRS for picture in (pair.generated, pair.training)]
    np.testing.assert_array_equal(shown, expected)


def test_a_hostile_path_stays_text() -> None:
    page = section(FOUND, [dataclasses.replace(PAIRS[0], path='<b onclick="x">.png')])
    assert '<b onclick="x">.png' in page.words and page.tags == section(FOUND, PAIRS[:1]).tags


def test_none_is_said_and_what_was_not_measured_has_no_section() -> None:
    page = section(dataclasses.replace(FOUND, copies=Copies(0.0, 0.0, 0, 193, 1.2)), [])
    assert "None of the new pictures is a near-copy." in page.words and not page.pictures()
    assert section(Quality(reason="there are only 12 test pictures"), []) is None
    assert section(None, []) is None


def test_they_are_read_from_the_artifact_and_lost_files_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "copies").mkdir()
    for pair in PAIRS[:1]:
        (tmp_path / "copies/new-0.png").write_bytes(fakes.png(pair.generated))
        (tmp_path / "copies/training-0.png").write_bytes(fakes.png(pair.training))
    listed = [Copy(i, f"cats/{i}.png", 0.1, f"copies/new-{i}.png", f"copies/training-{i}.png") for i in range(2)]
    quality = dataclasses.replace(FOUND, copies=dataclasses.replace(FOUND.copies, examples=tuple(listed)))
    (pair,) = read_copies(fakes.artifact(QualityArtifact, tmp_path), quality)
    assert (pair.path, pair.distance) == ("cats/0.png", 0.1)
    np.testing.assert_array_equal(pair.generated, PAIRS[0].generated)
    np.testing.assert_array_equal(pair.training, PAIRS[0].training)
    assert read_copies(None, quality) == read_copies(fakes.artifact(QualityArtifact, tmp_path), None) == []
