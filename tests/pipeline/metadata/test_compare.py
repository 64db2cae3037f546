"""`darkroom report --compare` on work folders as runs leave them."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from pipeline.cli.history import COMMANDS
from pipeline.verdict.status import Status
from pipeline.verdict.verdict import Verdict

CLI = click.Group("darkroom", commands={command.name: command for command in COMMANDS})


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Three runs: two pushed a version, the last one has not ended."""
    for number, (run, elbo) in enumerate((("20260101-000000", -24.0), ("20260102-000000", -22.0)), 1):
        folder = tmp_path / "runs" / run
        (folder / "report" / "pictures").mkdir(parents=True)
        (folder / "report/pictures/generated.png").write_bytes(b"png")
        (folder / "config.yaml").write_text(f"training: {{epochs: {number}0}}\nevaluation: {{max_drop: 0.7}}\n", encoding="utf-8")
        verdict = Verdict(run=run, title="cats", images="/p", started="", figures={"elbo": elbo}, model={"version": number})
        verdict.end(Status.PUSHED)
        verdict.write(folder / "verdict.json")
    (tmp_path / "runs" / "20260103-000000").mkdir()
    return tmp_path


def run(work: Path, *arguments: object, status: int = 0) -> Result:
    result = CliRunner().invoke(CLI, ["report", "--work", str(work), *map(str, arguments)])
    assert result.exit_code == status or (status and result.exception), result.output
    return result


def test_versions_and_runs_are_compared(work: Path) -> None:
    lines = run(work, "--compare", 1, 2).stdout.splitlines()
    assert lines[0].startswith("Version 2 is better than version 1: its ELBO is 2.00 nats higher; the noise of training is 0.14")
    assert lines[1].split() == ["version", "1", "version", "2", "difference", "noise"]
    assert lines[2].split() == ["ELBO", "−24.00", "−22.00", "+2.00", "±", "0.14"]
    assert lines[3] == "configuration: training.epochs: 10 -> 20"
    page = work / "comparisons" / "1-2.html"
    assert lines[4] == f"page: {page}" and "Version 2 is better" in page.read_text(encoding="utf-8")
    assert run(work, "--compare", "20260101-000000", 2).stdout.splitlines()[:4] == lines[:4]


def test_values_for_programs(work: Path, tmp_path: Path) -> None:
    found = json.loads(run(work, "--compare", 2, 1, "--json", "--out", tmp_path / "x.html").stdout)
    assert found["state"] == "worse" and found["changes"] == [
        {"kind": "configuration", "name": "training.epochs", "old": "20", "new": "10"}
    ]
    assert found["figures"][0]["name"] == "ELBO" and found["page"] == str(tmp_path / "x.html")


def test_mistakes_are_one_line(work: Path) -> None:
    for arguments, words in (
        (("--compare", 1, 7), "pushed version 7"),
        (("--compare", 1, "20260103-000000"), "run 20260103-000000 has not ended"),
        (("--compare", 1, "../x"), "no run ../x"),
    ):
        assert words in str(run(work, *arguments, status=2).exception)
    assert "--out needs --compare" in run(work, "--out", "x.html", status=2).output
    assert "leave --run out" in run(work, "--compare", 1, 2, "--run", "20260101-000000", status=2).output
    assert not (work / "comparisons").exists()
