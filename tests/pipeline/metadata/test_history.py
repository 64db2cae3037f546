"""What became of earlier runs."""

import json

import pytest

from common.errors import InputError
from pipeline.metadata.history import BEGUN, describe_run, killed, last_run
from pipeline.verdict.status import Status
from pipeline.verdict.verdict import Verdict
from pipeline.workspace.layout import Workspace


def write(work, run, status, **values):
    verdict = Verdict(run=run, title="cats", images="i", started="s", **values)
    verdict.end(status, None, ["it was full of dogs"] if status else [])
    (work / "runs" / run).mkdir(parents=True)
    verdict.write(work / "runs" / run / "verdict.json")


def test_the_last_run_is_told(tmp_path):
    write(tmp_path, "20260101-000000", Status.PUSHED, figures={"elbo": -3.0}, model={"version": 4, "path": "serving/4"})
    write(tmp_path, "20260102-000000", Status.REFUSED)
    assert last_run(tmp_path) == "20260102-000000"
    assert describe_run(last_run(tmp_path), tmp_path)[:2] == ["cats, run 20260102-000000: refused after 0 s", "it was full of dogs"]
    (tmp_path / "runs" / "20260101-000000" / "report").mkdir()
    (tmp_path / "runs" / "20260101-000000" / "report" / "index.html").write_text("")
    lines = describe_run("20260101-000000", tmp_path)
    assert "held-out ELBO -3.00 nats per picture" in lines
    assert "model: version 4, serving/4, which has been removed since" in lines
    (tmp_path / "serving" / "4").mkdir(parents=True)
    assert "model: version 4, serving/4" in describe_run("20260101-000000", tmp_path)
    assert lines[-1].endswith("report/index.html")


def test_no_run(tmp_path):
    with pytest.raises(InputError, match="darkroom run"):
        last_run(tmp_path)
    with pytest.raises(InputError, match="no run x"):
        describe_run("x", tmp_path)


def test_a_run_without_an_end(tmp_path):
    write(tmp_path, "20260101-000000", Status.PUSHED)
    for run in ("20251231-000000", "20260102-000000"):
        (tmp_path / "runs" / run).mkdir()
        (tmp_path / "runs" / run / "config.yaml").write_text("title: cats\n")
    workspace = Workspace.create(tmp_path)
    assert killed(workspace) == ["20251231-000000", "20260102-000000"]
    (said, config) = describe_run("20260102-000000", tmp_path)
    assert said == "run 20260102-000000 has not ended: it was killed, or the machine went down"
    assert config == f"configuration: {tmp_path}/runs/20260102-000000/config.yaml"
    with workspace.lock():
        assert killed(workspace) == ["20251231-000000"]
        assert describe_run("20260102-000000", tmp_path)[0] == "run 20260102-000000 has not ended: it is at work"
    (tmp_path / "runs" / "20260102-000000" / BEGUN).write_text("{}")  # between two tasks of a scheduler
    assert killed(workspace) == ["20251231-000000"]


def test_a_report_that_is_gone_is_told_from_none(tmp_path):
    write(tmp_path, "20260101-000000", Status.PUSHED)
    write(tmp_path, "20260102-000000", Status.PUSHED, report=str(tmp_path / "runs/20260102-000000/report/index.html"))
    assert describe_run("20260101-000000", tmp_path)[-1] == "report: none was made"
    assert describe_run("20260102-000000", tmp_path)[-1].startswith("report: removed since")


def test_a_damaged_verdict(tmp_path):
    write(tmp_path, "20260101-000000", Status.PUSHED)
    (tmp_path / "runs" / "20260101-000000" / "verdict.json").write_text("")
    with pytest.raises(InputError, match="damaged"):
        describe_run("20260101-000000", tmp_path)


def test_a_forced_blessing_is_told(tmp_path):
    forced = {"who": "ada@engine", "why": "new camera", "when": "2026-01-01T10:00:00+00:00"}
    write(tmp_path, "20260101-000000", Status.PUSHED, blessed_by=forced, overruled=["ELBO is worse"])
    lines = describe_run("20260101-000000", tmp_path)
    assert lines[1:3] == ["ELBO is worse", "blessed despite the refusal by ada@engine (2026-01-01T10:00:00+00:00): new camera"]


def test_a_verdict_from_before_blessings_could_be_forced_is_told(tmp_path):
    write(tmp_path, "20260101-000000", Status.REFUSED)
    path = tmp_path / "runs" / "20260101-000000" / "verdict.json"
    verdict = json.loads(path.read_text())
    del verdict["blessed_by"], verdict["overruled"]
    path.write_text(json.dumps(verdict))
    assert describe_run("20260101-000000", tmp_path)[1] == "it was full of dogs"
