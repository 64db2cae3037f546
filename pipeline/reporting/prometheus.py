"""Write `metrics.prom`: the state of a work folder for the textfile collector of Prometheus' node_exporter."""

from __future__ import annotations

import datetime
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from prometheus_client import write_to_textfile
from prometheus_client.core import GaugeMetricFamily

from components.pusher.versions import versions
from pipeline.metadata.history import killed
from pipeline.verdict.status import Status
from pipeline.verdict.verdict import Verdict, read_verdicts
from pipeline.workspace.layout import Workspace

FILE = "metrics.prom"
LOOKED = ".looked"  # its modification time is that of the last check by `retrain`
UNENDED = "unended"  # the outcome of a killed run
OUTCOMES = (*(status.word for status in Status if status is not Status.BUSY), UNENDED)

Key: TypeAlias = str | tuple[str, ...]  # the values of a metric's labels
Metric: TypeAlias = tuple[str, str, Sequence[str], Mapping[Key, float | None]]  # see `gauge`


def write_metrics(workspace: Workspace) -> None:
    """Write the file, completely or not at all; raise OSError if it cannot be written."""
    write_to_textfile(str(workspace.root / FILE), Metrics(workspace, time.time()))


class Metrics:
    """The metrics of a work folder at a time in seconds since 1970, as a collector of prometheus_client. All are gauges."""

    def __init__(self, workspace: Workspace, now: float):
        self.workspace, self.now = workspace, now

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, text, labels, values in self._metrics():
            family = gauge(self.workspace.root.name, name, text, labels, values)
            if family.samples:
                yield family

    def _metrics(self) -> Iterator[Metric]:
        verdicts, dead = read_verdicts(self.workspace.runs()), killed(self.workspace)
        if dead and dead[-1] == self.workspace.runs()[-1].name:
            yield _outcome(UNENDED)
        elif verdicts:
            yield from _last_run(verdicts[-1])
        counts = Counter({UNENDED: len(dead)} | Counter(verdict.outcome for verdict in verdicts))
        yield "runs", "Runs in the work folder by how they ended.", ["outcome"], {word: counts[word] for word in OUTCOMES}
        numbers = versions(self.workspace.serving)
        if numbers:
            pushed = (self.workspace.serving / str(numbers[-1])).stat().st_mtime
            yield "served_version", "Version of the model in service.", [], {(): numbers[-1]}
            yield "served_pushed_timestamp_seconds", "When the model in service was pushed.", [], {(): pushed}
            yield "served_age_seconds", "Age of the model in service when this was written.", [], {(): self.now - pushed}
        looked = self.workspace.root / LOOKED
        if looked.exists():
            text = "When darkroom retrain last looked for new pictures."
            yield "retrain_looked_timestamp_seconds", text, [], {(): looked.stat().st_mtime}


def gauge(work: str, name: str, text: str, labels: Sequence[str], values: Mapping[Key, float | None]) -> GaugeMetricFamily:
    """Return a metric with the label `work` and others.

    `values` has the value for each combination of the other labels; None is left out.
    """
    family = GaugeMetricFamily(f"darkroom_{name}", text, labels=["work", *labels])
    for key, value in values.items():
        if value is not None:
            family.add_metric([work, *((key,) if isinstance(key, str) else key)], value)
    return family


def _outcome(outcome: str) -> Metric:
    text = "How the last run ended: 1 for that outcome."
    return "run_outcome", text, ["outcome"], {word: int(word == outcome) for word in OUTCOMES}


def _last_run(verdict: Verdict) -> Iterator[Metric]:
    yield _outcome(verdict.outcome)
    yield "run_exit_status", "Exit status of the last run.", [], {(): verdict.status}
    started = datetime.datetime.fromisoformat(verdict.started).timestamp()
    yield "run_start_timestamp_seconds", "When the last run began.", [], {(): started}
    yield "run_end_timestamp_seconds", "When the last run ended.", [], {(): started + verdict.seconds}
    yield "run_duration_seconds", "How long the last run took.", [], {(): verdict.seconds}
    times = {step["name"]: step["seconds"] for step in verdict.components}
    yield "component_duration_seconds", "How long each component of the last run took.", ["component"], times
    data = verdict.data
    yield "pictures", "Pictures of the last run by split.", ["split"], data.get("pictures", {})
    yield "rejected_pictures", "Pictures that the last run rejected.", [], {(): data.get("rejected")}
    yield "duplicate_pictures", "Pictures that the last run left out as copies of others.", [], {(): data.get("duplicates")}
    text = "Largest Jensen-Shannon divergence from the last pictures that passed, base 2."
    yield "drift_divergence", text, ["feature"], verdict.drift
    figures = {
        (model, figure): value
        for model, metrics in (("candidate", verdict.figures), ("baseline", verdict.baseline))
        for figure, value in metrics.items()
    }
    text = "Held-out figures of the last run's model and of the last blessed one, nats per picture."
    yield "figure_nats", text, ["model", "figure"], figures
    quality = {kind: (verdict.quality.get(kind) or {}).get("frechet_distance") for kind in ("generated", "prior", "floor")}
    text = "Frechet distance of new, prior-drawn and training pictures from held-out ones."
    yield "frechet_distance", text, ["pictures"], quality
