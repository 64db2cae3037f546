"""The verdict of a run, which is stored in `verdict.json`, and the exit status."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from components.decisions import RECORD as BLESSING
from components.evaluation.results import read_evaluation
from components.sample_quality.figures import QUALITY
from pipeline.verdict.outcomes import NodeOutcome
from pipeline.verdict.status import Status
from pipeline.verdict.steps import SERVING, read_json, read_search


@dataclass
class Verdict:
    """How a run ended. The fields are those of `verdict.json`, described in `docs/verdict.md`.

    Attributes:
        run: The run's id.
        title: The subject of the pictures.
        images: Where the pictures came from.
        started: Local time, ISO 8601.
        schema: Version of this format.
        seconds: Duration of the run in seconds.
        status: The exit status.
        outcome: The exit status as one word.
        gate: The gate that refused.
        reasons: The reasons why nothing was pushed, one sentence each.
        data: The number of pictures by split, of rejected pictures, and of pictures left out as copies of others.
        drift: The divergence from the last accepted pictures by feature; empty without a baseline.
        tuning: The result of the hyperparameter search; empty without a search.
        figures: The model's metrics on held-out pictures, nats per picture.
        baseline: The metrics of the last blessed model on the same pictures; empty without one.
        quality: How close generated and reconstructed pictures are to held-out ones: the content of quality.json.
        blessed_by: `who`, `why` and `when`, if a person forced the blessing of a model that the model gate had refused.
        overruled: The reasons of the model gate in that case, one sentence each.
        unjudged: Bounds on new pictures that the model gate could not apply, one sentence each.
        model: The model artifact, and its version and folder if it was pushed.
        components: Name, state and seconds of each component.
        report: The page of the report.
    """

    run: str
    title: str
    images: str
    started: str
    schema: int = 1
    seconds: float = 0.0
    status: int = Status.FAULT
    outcome: str = Status.FAULT.word
    gate: str | None = None
    reasons: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    drift: dict[str, float] = field(default_factory=dict)
    tuning: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    baseline: dict[str, float] = field(default_factory=dict)
    quality: dict[str, Any] = field(default_factory=dict)
    blessed_by: dict[str, str] | None = None
    overruled: list[str] = field(default_factory=list)
    unjudged: list[str] = field(default_factory=list)
    model: dict[str, Any] = field(default_factory=dict)
    components: list[dict[str, Any]] = field(default_factory=list)
    report: str | None = None

    def end(self, status: Status, gate: str | None = None, reasons: list[str] | None = None) -> None:
        """Set how the run ended."""
        self.status, self.outcome, self.gate, self.reasons = int(status), status.word, gate, list(reasons or [])

    def add(self, outcome: NodeOutcome) -> None:
        """Add the outcome of a component."""
        line = {"name": outcome.name, "state": outcome.state, "seconds": round(outcome.seconds, 3)}
        self.components = [c for c in self.components if c["name"] != outcome.name] + [line]
        outputs = outcome.outputs
        if outcome.name == "ImageExampleGen" and outputs:
            summary = read_json(Path(outputs["examples"].uri, "summary.json"))
            self.data = {name: summary[name] for name in ("pictures", "rejected", "duplicates")}
            self.data["span"] = int(outputs["examples"].properties.get("span", 0))
        elif outcome.name == "DataGate" and outputs:
            self.drift = read_json(Path(outputs["blessing"].uri, "verdict.json")).get("drift", {})
        elif outcome.name == "Tuner" and outputs:
            self.tuning = read_search(outputs)
        elif outcome.name == "Trainer" and outputs:
            self.model = {"artifact": str(Path(outputs["model"].uri, SERVING))}
        elif outcome.name == "Evaluator" and outputs:
            evaluation = read_evaluation(outputs["evaluation"].uri)
            self.figures, self.baseline = evaluation.candidate, evaluation.baseline
        elif outcome.name == "SampleQuality" and outputs:
            self.quality = read_json(Path(outputs["quality"].uri, QUALITY))
        elif outcome.name == "ModelGate" and outputs:
            record = read_json(Path(outputs["blessing"].uri, BLESSING))
            self.blessed_by = record.get("forced")
            self.overruled = record["failures"] if self.blessed_by else []
            self.unjudged = record.get("unjudged", [])
        elif outcome.name == "Pusher" and outputs and outputs["pushed_model"].properties.get("pushed") == 1:
            properties = outputs["pushed_model"].properties
            self.model |= {"version": int(properties["pushed_version"]), "path": properties["pushed_destination"]}

    def write(self, path: Path) -> None:
        """Write `verdict.json`, completely or not at all."""
        fresh = path.with_suffix(".tmp")
        fresh.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        fresh.replace(path)


def judge(outcomes: dict[str, NodeOutcome]) -> tuple[Status, str | None, list[str]]:
    """Return the verdict on a run whose components all succeeded: status, the gate that refused, and the reasons."""
    refusals = {name: refusal_of(outcome) for name, outcome in outcomes.items()}
    for name in ("ModelGate", "ServingCheck", "InfraValidator"):
        if refusals.get(name):
            return Status.REFUSED, *refusals[name]
    return Status.PUSHED, None, []


def refusal_of(outcome: NodeOutcome) -> tuple[str, list[str]] | None:
    """Return the gate and the reasons of a component that refused the model; None if it did not refuse."""
    if outcome.name not in ("ModelGate", "ServingCheck", "InfraValidator"):
        return None
    blessing = outcome.outputs["blessing"]
    if blessing.properties.get("blessed") == 1:
        return None
    if outcome.name == "ModelGate":
        return "model", read_json(Path(blessing.uri, BLESSING))["failures"] or ["the Evaluator did not bless it"]
    found = read_json(Path(blessing.uri, "serving_check.json"))
    return "serving", found.get("reasons") or ["the exported model could not be served"]
