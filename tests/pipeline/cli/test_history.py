"""`darkroom runs` and `report` for programs."""

import json

import pytest

from pipeline.verdict.status import Status
from pipeline.verdict.verdict import Verdict
from tests.pipeline.cli.runner import invoke


@pytest.fixture
def work(tmp_path):
    """A work folder with a run that was refused, and one that was killed."""
    verdict = Verdict("20260101-030000", "cats", "/cats", "2026-01-01T03:00:00+00:00", seconds=5)
    verdict.figures = {"elbo": float("nan")}
    verdict.end(Status.REFUSED, "data", ["all is black"])
    for name in ("20260101-030000", "20260102-030000"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    verdict.write(tmp_path / "runs/20260101-030000/verdict.json")
    return tmp_path


def test_runs_as_json(work):
    result = json.loads(invoke("runs", "--work", work, "--json").out)
    assert [run["outcome"] for run in result["runs"]] == ["refused (data)", "unended"] and result["rollbacks"] == []
    assert result["runs"][0]["elbo"] is None  # JSON has no NaN


@pytest.mark.parametrize("command", [["runs", "show", "20260101-030000"], ["report"]])
def test_a_run_as_json_is_its_verdict(work, command):
    result = json.loads(invoke(*command, "--work", work, "--json").out)
    assert (result["run"], result["status"], result["reasons"]) == ("20260101-030000", 3, ["all is black"])


def test_a_run_without_a_verdict_as_json(work):
    result = json.loads(invoke("runs", "show", "20260102-030000", "--work", work, "--json").out)
    assert result == {"run": "20260102-030000", "outcome": "unended", "progress": None}


def test_inspect_as_json(tmp_path):
    from tests.project import write_discs

    write_discs(tmp_path / "discs", 6)
    result = json.loads(invoke("inspect", tmp_path / "discs", "--json").out)
    assert (result["pictures"], result["labels"], result["chosen"]["preprocessing.height"]) == (6, {"big": 3, "small": 3}, 12)
    ended = invoke("inspect", tmp_path / "nowhere", "--json")
    assert (ended.status, ended.out) == (2, "")


def test_colors_follow_the_terminal_and_the_user(monkeypatch):
    from pipeline.cli.group import in_color

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert in_color()
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as changed:
            changed.setenv(name, value)
            assert not in_color()
