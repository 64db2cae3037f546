"""What `darkroom retrain` says and keeps beside the run itself."""

from __future__ import annotations

import errno

import pytest

from pipeline.config.schema import Config
from pipeline.reporting.prometheus import FILE
from pipeline.running import new_data as retraining
from pipeline.running.new_data import RECORD, State, look, read, retrain, why_not, write
from pipeline.running.request import Request
from pipeline.verdict.status import Status
from pipeline.workspace.layout import Workspace
from tests.project import write_discs


@pytest.fixture
def request_(tmp_path):
    write_discs(tmp_path / "pictures" / "span-9", 12)
    write_discs(tmp_path / "pictures" / "span-10", 12, seed=1)
    return Request(f"{tmp_path}/pictures/span-{{SPAN}}", Config(), tmp_path / "work")


@pytest.mark.parametrize(("first", "words"), [(1, "in spans 1 to 3 and"), (3, "in span 3 and"), (0, "in span 3 and")])
def test_the_window_is_named(first, words):
    state = State("p", "c", 1200, 3, int(Status.PUSHED), first)
    assert f"the 1,200 pictures {words} the configuration" in why_not(state, state)


def test_all_spans_of_the_window_are_seen(request_):
    from pipeline.config.loading import build_config

    several = Request(request_.images, build_config({"data": {"span_window": 5}}), request_.work)
    assert (look(several).first, look(several).span, look(request_).first, look(request_).span) == (9, 10, 10, 10)


@pytest.mark.parametrize(("status", "said"), [(Status.PUSHED, 1), (Status.REFUSED, 1), (Status.FAULT, 0), (Status.INTERRUPTED, 0)])
def test_a_record_that_cannot_be_written_is_a_warning_at_the_most(request_, monkeypatch, status, said):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    lines = []
    monkeypatch.setattr(retraining, "run", lambda *_: status)
    monkeypatch.setattr(retraining, "write", full)
    assert retrain(request_, lines.append) is status
    assert len(lines) == said and all(line.startswith(f"warning: {RECORD} was not written") for line in lines)


def test_a_killed_run_shows_in_the_metrics_before_the_next_one(request_, monkeypatch):
    workspace = Workspace.create(request_.work)
    workspace.new_run()

    def look_at_metrics(*_):
        assert 'run_outcome{outcome="unended",work="work"} 1.0' in (workspace.root / FILE).read_text()
        return Status.FAULT

    monkeypatch.setattr(retraining, "run", look_at_metrics)
    assert retrain(request_, print) is Status.FAULT


def test_the_record_comes_back_and_an_older_one_too(tmp_path):
    state = State("p", "c", 1, 2, 0, 1)
    write(tmp_path, state)
    assert read(tmp_path) == state and [path.name for path in tmp_path.iterdir()] == [RECORD]
    (tmp_path / RECORD).write_text('{"pictures": "p", "config": "c", "count": 1, "span": 2, "status": 0}')
    assert read(tmp_path) == State("p", "c", 1, 2, 0)
