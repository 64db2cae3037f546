"""What became of earlier runs."""

import json

import pytest

from pipeline.history import last_run, tell
from pipeline.status import Status
from pipeline.verdict import Verdict
from trainer.errors import InputError


def write(work, run, status, **values):
    verdict = Verdict(run=run, title="cats", images="i", started="s", **values)
    verdict.end(status, None, ["it was full of dogs"] if status else [])
    (work / "runs" / run).mkdir(parents=True)
    verdict.write(work / "runs" / run / "verdict.json")


def test_the_last_run_is_told(tmp_path):
    write(tmp_path, "20260101-000000", Status.PUSHED, figures={"elbo": -3.0}, model={"version": 4, "path": "serving/4"})
    write(tmp_path, "20260102-000000", Status.REFUSED)
    assert last_run(tmp_path) == "20260102-000000"
    assert tell(last_run(tmp_path), tmp_path)[:2] == ["cats, run 20260102-000000: refused after 0 s", "it was full of dogs"]
    (tmp_path / "runs" / "20260101-000000" / "report").mkdir()
    (tmp_path / "runs" / "20260101-000000" / "report" / "index.html").write_text("")
    lines = tell("20260101-000000", tmp_path)
    assert "held-out ELBO -3.00 nats per picture" in lines
    assert "model: version 4, serving/4" in lines
    assert lines[-1].endswith("report/index.html")


def test_no_run(tmp_path):
    with pytest.raises(InputError, match="darkroom run"):
        last_run(tmp_path)
    with pytest.raises(InputError, match="no run x"):
        tell("x", tmp_path)


def test_a_damaged_verdict(tmp_path):
    write(tmp_path, "20260101-000000", Status.PUSHED)
    (tmp_path / "runs" / "20260101-000000" / "verdict.json").write_text("")
    with pytest.raises(InputError, match="damaged"):
        tell("20260101-000000", tmp_path)


def test_a_forced_blessing_is_told(tmp_path):
    forced = {"who": "ada@engine", "why": "new camera", "when": "2026-01-01T10:00:00+00:00"}
    write(tmp_path, "20260101-000000", Status.PUSHED, blessed_by=forced, overruled=["ELBO is worse"])
    lines = tell("20260101-000000", tmp_path)
    assert lines[1:3] == ["ELBO is worse", "blessed all the same by ada@engine (2026-01-01T10:00:00+00:00): new camera"]


def test_a_verdict_from_before_blessings_could_be_forced_is_told(tmp_path):
    write(tmp_path, "20260101-000000", Status.REFUSED)
    path = tmp_path / "runs" / "20260101-000000" / "verdict.json"
    verdict = json.loads(path.read_text())
    del verdict["blessed_by"], verdict["overruled"]
    path.write_text(json.dumps(verdict))
    assert tell("20260101-000000", tmp_path)[1] == "it was full of dogs"
