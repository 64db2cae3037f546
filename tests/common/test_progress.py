"""Progress as log records."""

from __future__ import annotations

import logging

import pytest

from common.progress import LOGGER, Progress, report_progress, reported_as


def test_a_record_holds_the_numbers_and_reads_well(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOGGER):
        report_progress("training", done=512, total=60000, unit="steps", loss=1234.5)
        report_progress("decoding", done=7, **{"images/s": 0.25})
    first, second = caplog.records
    assert first.progress == Progress("training", 512, 60000, "steps", {"loss": 1234.5})
    assert first.getMessage() == "training: 512 of 60,000 steps, loss 1,234.5"
    assert second.getMessage() == "decoding: 7 images, images/s 0.25"


def test_progress_of_a_part_is_reported_as_that_of_the_whole(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOGGER):
        with reported_as(lambda part: Progress("search", part.done + 100, 200, part.unit)):
            report_progress("training", done=5, total=100, unit="steps")
        report_progress("training", done=6, total=100, unit="steps")
    assert [record.progress for record in caplog.records] == [
        Progress("search", 105, 200, "steps"),
        Progress("training", 6, 100, "steps"),
    ]
