"""What a meter reports."""

from __future__ import annotations

import logging

import pytest

from common.meter import Meter
from common.progress import LOGGER, Progress


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """Return the log, by a clock that advances 50 ms with each look at it."""
    clock = iter(range(1000))
    monkeypatch.setattr("common.meter.time.monotonic", lambda: next(clock) / 20)
    caplog.set_level(logging.INFO, LOGGER)
    return caplog


def test_reports_are_a_few_a_second_and_the_last_is_complete(log: pytest.LogCaptureFixture) -> None:
    meter = Meter("evaluating", speed=True)
    meter.start(100)
    for _ in range(50):
        meter.count(2)
    done = [report.progress.done for report in log.records]
    assert done == sorted(done) and done[0] == 0 and done[-1] == 100 and 5 <= len(done) <= 15
    assert log.records[-1].progress.figures["images/s"] == pytest.approx(40, rel=0.1)


def test_figures_are_added_up_and_a_new_start_forgets_them(log: pytest.LogCaptureFixture) -> None:
    meter = Meter("ingesting", "rejects")
    for _ in range(2):
        meter.start(3)
        meter.count(rejects=True)
        meter.count(2, rejects=False)
        assert log.records[-1].progress == Progress("ingesting", 3, 3, "images", {"rejects": 1})


def test_more_than_was_expected_is_the_new_total(log: pytest.LogCaptureFixture) -> None:
    meter = Meter("ingesting")
    meter.start(3)
    for _ in range(20):
        meter.count()
    assert log.records[-1].progress.done == log.records[-1].progress.total > 3
    meter.start(None)
    for _ in range(20):
        meter.count()
    assert log.records[-1].progress.total is None
