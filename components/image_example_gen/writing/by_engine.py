"""Count pictures with Beam's metrics, and report progress where an engine reads them in other processes."""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import apache_beam as beam
from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.runners.runner import PipelineResult

from common.progress import report_progress

_LOGGER = logging.getLogger("darkroom.ingest")
NAMESPACE = "darkroom.ingest"
# Counted once per unit and not per picture: an update takes longer than a small picture.
ACCEPTED, REJECTED = Metrics.counter(NAMESPACE, "accepted"), Metrics.counter(NAMESPACE, "rejected")
_SECONDS_BETWEEN_POLLS = 2.0


def counted(result: PipelineResult) -> dict[str, int]:
    """Return the counters of a pipeline by name, as far as it has come."""
    # A copy, because Beam's result keeps the first answer of the engine.
    counters = copy.copy(result).metrics().query(MetricsFilter().with_namespace(NAMESPACE))["counters"]
    return {counter.key.metric.name: counter.result for counter in counters}


@contextmanager
def followed(pipeline: beam.Pipeline, total: int) -> Iterator[None]:
    """Within the context, report how many of `total` pictures the engine that runs `pipeline` has read.

    An engine that reads them in this process returns its result only at the end; there `ingest.METER` reports.
    """
    done = threading.Event()

    def poll() -> None:
        while not done.wait(_SECONDS_BETWEEN_POLLS):
            result = getattr(pipeline, "result", None)
            if result is None:
                continue
            try:
                counts = counted(result)
            except Exception:  # an engine need not have metrics
                _LOGGER.debug("the engine gives no metrics", exc_info=True)
                return
            done_so_far = sum(counts.values())
            if done_so_far:
                total_of_all = max(total, done_so_far)  # an archive's content is counted by names
                report_progress("ingesting", done=done_so_far, total=total_of_all, rejects=counts.get(REJECTED.metric_name.name, 0))

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(_SECONDS_BETWEEN_POLLS)
