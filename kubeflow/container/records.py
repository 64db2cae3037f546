"""Keep the outcome of each step of a run in the registry, because steps cannot query ML Metadata."""

from __future__ import annotations

import json
from typing import Any

from components.baselines import store
from components.baselines.registry import RUNS
from pipeline.verdict.nodes import summarize
from pipeline.verdict.outcomes import NodeOutcome
from pipeline.verdict.status import Status
from pipeline.verdict.verdict import FILE, Ending, Verdict, ending_of

RUN_ENV = "DARKROOM_RUN"  # the run's id, for components run by `kubeflow.entrypoint`


def run_of(uri: str, pipeline: str) -> str:
    """Return the run's id, which is part of the URI of each artifact; raise ValueError if the URI has neither of these forms.

    The URI is <root>/<pipeline>/<run>/<task>/.../<key> on Kubeflow Pipelines (backend/src/v2/driver/driver.go, RootDAG), and
    <root>/<project>/<pipeline>-<time>/<task>/<key> on Vertex AI.
    """
    parts = uri.rstrip("/").split("/")
    for place in range(len(parts) - 3, -1, -1):
        if parts[place] == pipeline:
            return parts[place + 1]
        if parts[place].startswith(f"{pipeline}-"):
            return parts[place]
    raise ValueError(f"{uri} does not name the pipeline {pipeline} and the run in it")


def record_of(outcome: NodeOutcome) -> dict[str, Any]:
    """Return the record of a step: its line for the console, its part of the verdict, and the reasons of a refusal or failure."""
    record: dict[str, Any] = {"name": outcome.name, "state": outcome.state, "seconds": round(outcome.seconds, 3)}
    if outcome.error is not None:
        return record | {"error": ending_of(outcome.error, limit=1000)._asdict()}
    summary = summarize(outcome)
    if summary.gate:
        record["error"] = Ending(Status.REFUSED, summary.gate, summary.reasons)._asdict()
    return record | {"said": summary.text, "verdict": {part: value for part, value in summary.parts.items() if value}}


def write_record(registry: str, run: str, record: dict[str, Any]) -> None:
    """Write a step's record. That of a later attempt replaces the earlier one."""
    content = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    store.write(f"{registry}/{RUNS}/{run}/{record['name']}.json", content.encode())


def read_records(registry: str, run: str) -> list[dict[str, Any]]:
    """Return the records of a run."""
    folder = f"{registry}/{RUNS}/{run}"
    names = [name for name in store.list_tree(folder) if name.endswith(".json") and name != FILE]
    return [json.loads(store.read(f"{folder}/{name}")) for name in names]


def write_verdict(registry: str, verdict: Verdict) -> str:
    """Write the verdict beside the records, and return its path."""
    path = f"{registry}/{RUNS}/{verdict.run}/{FILE}"
    store.write(path, verdict.to_json().encode())
    return path
