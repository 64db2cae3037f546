"""Runs whose new pictures the model gate judges: accepted beside the last model's, refused with status 3, forced by a person."""

from __future__ import annotations

import pytest

from tests.project import darkroom, last_verdict

pytestmark = pytest.mark.slow

QUICK = tuple(f"--set={value}" for value in ("training.epochs=12", "model.hidden=[64]", "training.importance_samples=5"))
ASKED = "--set=evaluation.max_two_sample=0.6"  # of so small a model a classifier tells nearly all pictures
WHY = "small models do for this"


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


def run(work, *arguments):
    """`darkroom run` on the digits; how it ended, and its verdict."""
    ended = darkroom("run", "--dataset", "digits", "--work", work, *QUICK, *arguments)
    return ended, last_verdict(work)


def test_from_a_first_run_to_a_refusal_and_a_forced_blessing(work):
    ended, first = run(work)
    assert ended.status == 0, ended.out + ended.err
    assert first["quality"]["baseline"] is None and first["unjudged"] == []

    ended, second = run(work, "--set=training.seed=1")
    assert ended.status == 0, ended.out + ended.err
    made, before = second["quality"]["generated"], second["quality"]["baseline"]
    assert made["features_hash"] == before["features_hash"] == first["quality"]["generated"]["features_hash"]
    assert made["frechet_distance"] != before["frechet_distance"] > 0

    ended, refused = run(work, "--set=training.seed=1", ASKED)
    assert (ended.status, refused["status"], refused["gate"], refused["outcome"]) == (3, 3, "model", "refused")
    assert ended.states()["SampleQuality"] == ended.states()["Evaluator"] == "cached"
    (reason,) = refused["reasons"]
    assert "recognizes new pictures" in reason and "(evaluation.max_two_sample); train longer" in reason
    last = ended.err.splitlines()[-1]
    assert last.startswith(f"refused by the model gate: {reason.split('; ')[0]}") and len(last) < 200
    page = (work / "report" / "index.html").read_text()
    assert "Refused by the model gate: " in page and "max_two_sample" in page

    ended, forced = run(work, "--set=training.seed=1", ASKED, "--bless", WHY)
    assert ended.status == 0, ended.out + ended.err
    assert forced["blessed_by"]["why"] == WHY and forced["overruled"] == refused["reasons"]
    assert "overruled the model gate" in (work / "report" / "index.html").read_text()
