"""Write `metrics.prom`: the state of a work folder for the textfile collector of Prometheus' node_exporter."""

from __future__ import annotations

import datetime
import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from components.pusher.versions import versions
from pipeline.metadata.history import killed
from pipeline.verdict.status import Status
from pipeline.workspace.layout import Workspace

FILE = "metrics.prom"
LOOKED = ".looked"  # its modification time is that of the last check by `retrain`
UNENDED = "unended"  # the outcome of a killed run
OUTCOMES = (*(status.word for status in Status if status is not Status.BUSY), UNENDED)


@dataclass
class Family:
    """A metric. All metrics are gauges.

    Attributes:
        name: Its name without `darkroom_`.
        help: Its description.
        samples: Labels in addition to `work`, and the value of each; None is left out.
    """

    name: str
    help: str
    samples: list[tuple[dict[str, str], float | None]] = field(default_factory=list)


def write_metrics(workspace: Workspace) -> None:
    """Write the file, completely or not at all.

    Raises:
        OSError: It cannot be written.
    """
    fresh = workspace.root / f".{FILE}.{os.getpid()}"
    try:
        fresh.write_text(render(workspace.root.name, families(workspace, time.time())), encoding="utf-8")
        fresh.replace(workspace.root / FILE)
    finally:
        fresh.unlink(missing_ok=True)


def render(work: str, found: Iterator[Family]) -> str:
    """Return metrics in Prometheus' text format; those without a value are left out."""
    lines = []
    for family in found:
        samples = [(labels, value) for labels, value in family.samples if value is not None]
        if not samples:
            continue
        name = f"darkroom_{family.name}"
        lines += [f"# HELP {name} {family.help}", f"# TYPE {name} gauge"]
        for labels, value in samples:
            text = ",".join(f'{key}="{_escaped(label)}"' for key, label in {"work": work, **labels}.items())
            lines.append(f"{name}{{{text}}} {_number(value)}")
    return "".join(f"{line}\n" for line in lines)


def families(workspace: Workspace, now: float) -> Iterator[Family]:
    """Yield all metrics of a work folder."""
    verdicts, dead = read_verdicts(workspace), killed(workspace)
    if dead and dead[-1] == workspace.runs()[-1].name:
        yield _outcome(UNENDED)
    elif verdicts:
        yield from _last_run(verdicts[-1])
    counts = Counter({UNENDED: len(dead)} | Counter(verdict.get("outcome") for verdict in verdicts))
    yield Family("runs", "Runs in the work folder by how they ended.", [({"outcome": word}, counts[word]) for word in OUTCOMES])
    numbers = versions(workspace.serving)
    if numbers:
        pushed = (workspace.serving / str(numbers[-1])).stat().st_mtime
        yield Family("served_version", "Version of the model in service.", [({}, numbers[-1])])
        yield Family("served_pushed_timestamp_seconds", "When the model in service was pushed.", [({}, pushed)])
        yield Family("served_age_seconds", "Age of the model in service when this was written.", [({}, now - pushed)])
    looked = workspace.root / LOOKED
    if looked.exists():
        yield Family(
            "retrain_looked_timestamp_seconds",
            "When darkroom retrain last looked for new pictures.",
            [({}, looked.stat().st_mtime)],
        )


def read_verdicts(workspace: Workspace) -> list[dict[str, Any]]:
    """Return the verdicts of all ended runs, oldest first; damaged ones are skipped."""
    found = []
    for path in sorted(workspace.root.glob("runs/*/verdict.json")):
        try:
            verdict = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(verdict, dict):
            found.append(verdict)
    return found


def _outcome(outcome: str) -> Family:
    samples = [({"outcome": word}, int(word == outcome)) for word in OUTCOMES]
    return Family("run_outcome", "How the last run ended: 1 for that outcome.", samples)


def _last_run(verdict: Mapping[str, Any]) -> Iterator[Family]:
    yield _outcome(verdict["outcome"])
    yield Family("run_exit_status", "Exit status of the last run.", [({}, verdict["status"])])
    started = datetime.datetime.fromisoformat(verdict["started"]).timestamp()
    yield Family("run_start_timestamp_seconds", "When the last run began.", [({}, started)])
    yield Family("run_end_timestamp_seconds", "When the last run ended.", [({}, started + verdict["seconds"])])
    yield Family("run_duration_seconds", "How long the last run took.", [({}, verdict["seconds"])])
    times = [({"component": step["name"]}, step["seconds"]) for step in verdict["components"]]
    yield Family("component_duration_seconds", "How long each component of the last run took.", times)
    data = verdict["data"]
    pictures = [({"split": split}, count) for split, count in data.get("pictures", {}).items()]
    yield Family("pictures", "Pictures of the last run by split.", pictures)
    yield Family("rejected_pictures", "Pictures that the last run refused.", [({}, data.get("rejected"))])
    yield Family("duplicate_pictures", "Pictures that the last run left out as copies of others.", [({}, data.get("duplicates"))])
    drift = [({"feature": feature}, value) for feature, value in verdict.get("drift", {}).items()]
    yield Family("drift_divergence", "Largest Jensen-Shannon divergence from the last pictures that passed, base 2.", drift)
    figures = [
        ({"model": model, "figure": figure}, value)
        for model, key in (("candidate", "figures"), ("baseline", "baseline"))
        for figure, value in verdict[key].items()
    ]
    yield Family("figure_nats", "Held-out figures of the last run's model and of the last good one, nats per picture.", figures)
    quality = [
        ({"pictures": kind}, verdict["quality"][kind]["frechet_distance"])
        for kind in ("generated", "prior", "floor")
        if verdict["quality"].get(kind)
    ]
    yield Family("frechet_distance", "Frechet distance of new, prior-drawn and training pictures from held-out ones.", quality)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    text = repr(value)
    return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}.get(text, text)
