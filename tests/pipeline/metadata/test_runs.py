"""The list of runs, from their verdicts."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import InputError
from pipeline.metadata.history import show
from pipeline.metadata.runs import PastRun, list_runs, table
from pipeline.verdict.status import Status
from pipeline.verdict.verdict import Verdict


@pytest.fixture
def work(tmp_path):
    """A work folder with a run that pushed, one that was refused, one that was killed, and one whose verdict is damaged."""
    pushed = Verdict("1", "cats", "/cats", "2026-01-01T03:00:00+00:00", seconds=61.4)
    pushed.data = {"pictures": {"train": 900, "test": 100}, "rejected": 0, "duplicates": 0, "span": 7}
    pushed.figures, pushed.baseline = {"elbo": -24.5, "kl": 2.0}, {"elbo": -25.0, "kl": 2.5}
    pushed.model = {"artifact": "/a", "version": 3, "path": "/serving/3"}
    pushed.components = [{"name": "Trainer", "state": "done", "seconds": 50.0}]
    pushed.end(Status.PUSHED)
    refused = Verdict("2", "cats", "/cats", "2026-01-02T03:00:00+00:00", seconds=5)
    refused.end(Status.REFUSED, "data", ["all is black"])
    for name, verdict in (
        ("20260101-030000", pushed),
        ("20260102-030000", refused),
        ("20260103-030000", None),
        ("20260104-030000", None),
    ):
        (tmp_path / "runs" / name).mkdir(parents=True)
        if verdict:
            verdict.write(tmp_path / "runs" / name / "verdict.json")
    (tmp_path / "runs/20260104-030000/verdict.json").write_text("{")
    return str(tmp_path)


def test_every_run_is_there_whatever_became_of_it(work):
    assert list_runs(work) == [
        PastRun("20260101-030000", "pushed", 7, 1000, -24.5, -25.0, 3, 61.4, gone=True),
        PastRun("20260102-030000", "refused (data)", seconds=5),
        PastRun("20260103-030000", "unended"),
        PastRun("20260104-030000", "verdict damaged"),
    ]


def test_the_table_has_equal_columns(work):
    assert table(list_runs(work))[1].split()[-3:] == ["3", "(gone)", "61"]
    Path(work, "serving/3").mkdir(parents=True)
    headings, pushed, refused, *_ = table(list_runs(work))
    assert pushed.split() == ["20260101-030000", "pushed", "7", "1,000", "-24.50", "-25.00", "3", "61"]
    assert headings.index("ended as") == pushed.index("pushed") == refused.index("refused")
    assert len(headings) == len(pushed)


@pytest.mark.parametrize(("width", "columns"), [(80, 7), (60, 4), (34, 2), (10, 2)])
def test_a_narrow_terminal_gets_the_important_columns(work, width, columns):
    headings, *lines = table(list_runs(work), width)
    assert headings.startswith("run  ") and len(headings.replace("ended as", "ended").replace("ELBO, ", "").split()) == columns
    assert all(len(line) <= max(width, 32) for line in lines)


def test_a_run_in_full(work):
    lines = show("20260101-030000", work)
    assert "  elbo: -24.50 nats, the baseline -25.00 (+0.50)" in lines and "  Trainer: done, 50.0 s" in lines
    assert "pictures: /cats, span 7, 900 train, 100 test" in lines
    assert "all is black" in show("20260102-030000", work)
    assert show("20260103-030000", work)[0].startswith("run 20260103-030000 has not ended")


def test_what_is_not_there(work, tmp_path):
    with pytest.raises(InputError, match="no run other"):
        show("other", work)
    with pytest.raises(InputError, match="nothing was run in"):
        list_runs(str(tmp_path / "nowhere"))
