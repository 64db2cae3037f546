"""What came of each step of a run, kept in the registry, for there is no ML Metadata that a step could ask."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from common.errors import GateRefused, InputError
from components.baselines import store
from components.baselines.registry import RUNS
from pipeline.verdict.outcomes import NodeOutcome
from pipeline.verdict.status import Status
from pipeline.verdict.steps import describe
from pipeline.verdict.verdict import Verdict, refusal_of

PARTS = ("data", "drift", "tuning", "figures", "baseline", "quality", "blessed_by", "overruled", "unjudged", "model")
VERDICT = "verdict.json"
RUN_ENV = "DARKROOM_RUN"  # the run's id, for the components that `kubeflow.entrypoint` runs


def run_of(uri: str, pipeline: str) -> str:
    """The run's id, which is part of the URI of each artifact: <root>/<pipeline>/<run>/<task>/.../<key> on Kubeflow Pipelines
    (backend/src/v2/driver/driver.go, RootDAG), <root>/<project>/<pipeline>-<time>/<task>/<key> on Vertex AI.

    Args:
        uri: An artifact's URI.
        pipeline: The pipeline's name.

    Raises:
        ValueError: It is not.
    """
    parts = uri.rstrip("/").split("/")
    for place in range(len(parts) - 3, -1, -1):
        if parts[place] == pipeline:
            return parts[place + 1]
        if parts[place].startswith(f"{pipeline}-"):
            return parts[place]
    raise ValueError(f"{uri} does not name the pipeline {pipeline} and the run in it")


def record_of(outcome: NodeOutcome) -> dict[str, Any]:
    """What a step leaves: its line for the console, its part of the verdict, and why it refused or failed."""
    verdict = Verdict(run="", title="", images="", started="")
    record: dict[str, Any] = {"name": outcome.name, "state": outcome.state, "seconds": round(outcome.seconds, 3)}
    if outcome.error is not None:
        return record | {"error": _error(outcome.error)}
    verdict.add(outcome)
    refusal = refusal_of(outcome)
    if refusal:
        record["error"] = {"status": int(Status.REFUSED), "gate": refusal[0], "reasons": refusal[1]}
    return record | {
        "said": describe(outcome),
        "verdict": {name: value for name, value in asdict(verdict).items() if name in PARTS and value},
    }


def _error(error: BaseException) -> dict[str, Any]:
    if isinstance(error, GateRefused):
        return {"status": int(Status.REFUSED), "gate": error.gate, "reasons": error.reasons}
    status = Status.MISTAKE if isinstance(error, InputError) else Status.FAULT
    words = str(error) if status is Status.MISTAKE else f"{type(error).__name__}: {error}"
    return {"status": int(status), "gate": None, "reasons": [" ".join(words.split())[:1000]]}


def write_record(registry: str, run: str, record: dict[str, Any]) -> None:
    """Leaves a step's record; a later try's in place of an earlier one's."""
    store.write(f"{registry}/{RUNS}/{run}/{record['name']}.json", _json(record))


def read_records(registry: str, run: str) -> list[dict[str, Any]]:
    """The records of a run."""
    folder = f"{registry}/{RUNS}/{run}"
    names = [name for name in store.list_tree(folder) if name.endswith(".json") and name != VERDICT]
    return [json.loads(store.read(f"{folder}/{name}")) for name in names]


def write_verdict(registry: str, verdict: Verdict) -> str:
    """Leaves the verdict beside the records; gives its place."""
    path = f"{registry}/{RUNS}/{verdict.run}/{VERDICT}"
    store.write(path, _json(asdict(verdict)))
    return path


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
