"""The section on the search for hyperparameters."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest
from tfx.types import standard_artifacts

from components.report.data import Search, Trial
from components.report.executor import gather
from components.report.page import render
from components.report.sources.run import read_search
from tests.components.report.fakes import artifact, write_artifacts
from tests.components.report.made import report
from tests.components.report.reading import Page

VALUES = {"model.likelihood": "discretized_logistic_mixture", "training.learning_rate": 0.00123456, "model.hidden": [64, 32]}


def write_trials(folder: Path, objective: str, scores: list[float | None]) -> object:
    """The `tuner_results` artifact of trials with these scores, None for one that failed."""
    folder.mkdir(parents=True, exist_ok=True)
    trials = [
        {
            "number": number,
            "values": VALUES,
            "state": "failed" if score is None else "done",
            "reason": "training diverged" if score is None else "",
            "elbo": None if score is None else -10.0 * number,
            objective: score,
            "epochs": 3,
            "seconds": 1.5,
        }
        for number, score in enumerate(scores, start=1)
    ]
    found = {"schema": 1, "objective": objective, "epochs": 3, "pictures": {"train": 100, "eval": 20}, "trials": trials}
    (folder / "trials.json").write_text(json.dumps(found))
    return artifact(standard_artifacts.TunerResults, folder)


@pytest.mark.parametrize(
    ("objective", "scores", "ranked"),
    [
        ("elbo", [-20.0, None, -10.0, -30.0], [3, 1, 4, 2]),
        ("bits_per_dimension", [4.0, None, 3.0, 5.0], [3, 1, 4, 2]),
        ("elbo", [-1.0, -1.0], [1, 2]),
    ],
)
def test_trials_are_ranked_by_their_objective(tmp_path: Path, objective: str, scores: list, ranked: list) -> None:
    found = read_search(write_trials(tmp_path, objective, scores))
    assert [trial.number for trial in found.trials] == ranked
    assert found.pictures == 100 and found.trials[0].values == VALUES


def test_it_is_there_only_where_something_was_searched(tmp_path: Path) -> None:
    artifacts = write_artifacts(tmp_path)
    made = lambda inputs: gather(inputs, {"title": "t"}, "r", datetime.now(timezone.utc))
    assert made(artifacts).search is None and "search" not in Page(render(made(artifacts))).ids
    artifacts["tuner_results"] = [write_trials(tmp_path / "tuner", "elbo", [-20.0, None])]
    assert "search" in Page(render(made(artifacts))).ids
    empty = artifact(standard_artifacts.TunerResults, tmp_path / "none")
    assert read_search(empty) is None


def test_the_table_shows_every_trial_and_marks_the_best(tmp_path: Path) -> None:
    content = render(report(search=read_search(write_trials(tmp_path, "bits_per_dimension", [4.5, None, 3.25]))))
    words = Page(content).words
    assert "3.250 bits per value with likelihood discretized logistic mixture, learning rate 0.00123, hidden 64 · 32" in words
    assert "3 models with other values were trained for at most 3 epochs on 100 pictures" in words
    assert "Trial 2 failed: training diverged." in words
    section = content[content.index('<section id="search">') :].split("</section>")[0]
    (marked,) = section.split('class="marked"')[1:]
    assert "3.250" in marked.split("</tr>")[0]
    assert content.count("✓ done") == 2 and content.count("✕ failed") == 1
    assert "ELBO, own units" in words


@pytest.mark.parametrize("scores", [[None], [-1.0], [-1.0] * 40, [float("nan"), -2.0]])
def test_tolerates(tmp_path: Path, scores: list) -> None:
    words = Page(render(report(search=read_search(write_trials(tmp_path, "elbo", scores))))).words
    assert "nan" not in words and "None" not in words


def test_whatever_was_tried_is_escaped() -> None:
    hostile = "<script>alert(1)</script>"
    trial = Trial(1, {hostile: hostile}, hostile)
    assert "<script>alert" not in render(report(search=Search("elbo", 1, 1, [trial])))
