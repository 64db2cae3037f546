"""Progress as log records."""

from __future__ import annotations

import logging

import pytest

from trainer.progress import LOGGER, Progress, report_progress


def test_a_record_holds_the_numbers_and_reads_well(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOGGER):
        report_progress("training", done=512, total=60000, unit="steps", loss=1234.5)
        report_progress("decoding", done=7, **{"images/s": 0.25})
    first, second = caplog.records
    assert first.progress == Progress("training", 512, 60000, "steps", {"loss": 1234.5})
    assert first.getMessage() == "training: 512 of 60,000 steps, loss 1,234.5"
    assert second.getMessage() == "decoding: 7 images, images/s 0.25"
