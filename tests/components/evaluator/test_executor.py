"""The Evaluator shows how far it has come, and judges as TFX's own does."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from common.progress import LOGGER, Progress
from components.evaluator.executor import count_pictures
from pipeline.config.schema import EvaluationConfig
from tests.components.judged import Bench, figures


@pytest.fixture(name="reports")
def _reports(caplog: pytest.LogCaptureFixture) -> list[Progress]:
    """What was reported, as it comes."""
    found: list[Progress] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.progress)

    logger, handler = logging.getLogger(LOGGER), Keep()
    caplog.set_level(logging.INFO, LOGGER)
    logger.addHandler(handler)
    yield found
    logger.removeHandler(handler)


def test_every_picture_is_counted_once_of_two_models(tmp_path: Path, reports: list[Progress]) -> None:
    bench = Bench(tmp_path, {"new": figures(-100.0, 10.0), "old": figures(-101.0, 10.0)})
    Path(bench.examples.uri, "summary.json").write_text(json.dumps({"pictures": {"test": 12, "train": 90}}), encoding="utf-8")
    judged = bench.judge(EvaluationConfig(max_drop=0.5), "new", "old")
    assert judged.blessed and judged.read().pictures == 12
    assert [report.done for report in reports][:: len(reports) - 1] == [0, 12]
    assert {(report.step, report.total, report.unit) for report in reports} == {("evaluating", 12, "images")}
    refused = bench.judge(EvaluationConfig(max_drop=0.5), "old", "new")
    assert not refused.blessed and reports[-1].done == 12, "counted anew"


def test_how_many_pictures_there_are_is_not_known_without_a_summary(tmp_path: Path) -> None:
    assert count_pictures(str(tmp_path), ["test"]) is None
    (tmp_path / "summary.json").write_text(json.dumps({"pictures": {"eval": 3, "test": 4}}), encoding="utf-8")
    assert count_pictures(str(tmp_path), ["eval", "test"]) == 7
