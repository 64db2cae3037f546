"""Count the evaluated pictures. This is not part of `extractors`, because TFX reloads that module for each evaluation."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from tensorflow_model_analysis.utils import util

from common.progress import report_progress

_SECONDS_BETWEEN_REPORTS = 0.25


class Meter:
    """Count the pictures that this process has evaluated, on any number of threads, and report them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begin(None)

    def start(self, total: int | None) -> None:
        """Reset the count for `total` pictures, None if unknown, and report that none are done."""
        self._begin(total)
        report_progress("evaluating", done=0, total=total)

    def count(self, pictures: int) -> None:
        """Count a batch of pictures."""
        with self._lock:
            self._done += pictures
            now = time.monotonic()
            if self._done != self._total and now - self._reported < _SECONDS_BETWEEN_REPORTS:
                return
            self._reported = now
            speed = self._done / max(now - self._started, 1e-3)
            report_progress("evaluating", done=self._done, total=self._total, **{"images/s": speed})

    def _begin(self, total: int | None) -> None:
        self._done, self._total = 0, total or None
        self._started = self._reported = time.monotonic()


# One per process: a DoFn is copied for each thread.
METER = Meter()


class CountPictures(beam.DoFn):
    """Pass batches on, and count their pictures."""

    def process(self, extracts: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Count the pictures of one batch of extracts."""
        METER.count(util.batch_size(extracts))
        yield extracts
