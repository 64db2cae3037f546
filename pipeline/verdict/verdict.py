"""How a run ended: the verdict that `verdict.json` holds and the exit status that the shell gets."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from components.evaluation.results import read_evaluation
from components.model_gate.decisions import RECORD as BLESSING
from components.sample_quality.figures import QUALITY
from pipeline.verdict.outcomes import NodeOutcome
from pipeline.verdict.status import Status
from pipeline.verdict.steps import SERVING, read_json, read_search


@dataclass
class Verdict:
    """How a run ended. The fields are those of `verdict.json`, described in `docs/verdict.md`.

    Attributes:
        run: The run's id.
        title: What the pictures are.
        images: Where they came from.
        started: Local time, ISO 8601.
        schema: Version of this format.
        seconds: How long the run took.
        status: The exit status.
        outcome: The same in a word.
        gate: Which gate refused.
        reasons: Why it ended other than with a push, a sentence each.
        data: Pictures by split, how many were refused, and how many were left out as copies of others.
        drift: By feature, how far the pictures are from the last that passed; empty where there were none.
        tuning: What came of the search for hyperparameters; empty where there was none.
        figures: The model's figures on the pictures that it was judged by, nats per picture.
        baseline: Those of the last blessed model on the same pictures; empty where there is none.
        quality: How near generated and rebuilt pictures come to held-out ones: the content of quality.json.
        blessed_by: `who`, `why` and `when`, where a person had a model blessed that the model gate had refused.
        overruled: What the model gate had refused it for, a sentence each.
        unjudged: Bounds on new pictures that the model gate could not apply, a sentence each.
        model: Its artifact, and version and folder where it was pushed.
        components: Name, state and seconds of each.
        report: The report's page.
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
        """Sets how the run ended."""
        self.status, self.outcome, self.gate, self.reasons = int(status), status.word, gate, list(reasons or [])

    def add(self, outcome: NodeOutcome) -> None:
        """Takes in what came of a component."""
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
        """Writes `verdict.json`, whole or not at all."""
        fresh = path.with_suffix(".tmp")
        fresh.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        fresh.replace(path)


def judge(outcomes: dict[str, NodeOutcome]) -> tuple[Status, str | None, list[str]]:
    """The verdict on a run that came to its end: status, the gate that refused, and why."""
    refusals = {name: refusal_of(outcome) for name, outcome in outcomes.items()}
    for name in ("ModelGate", "ServingCheck", "InfraValidator"):
        if refusals.get(name):
            return Status.REFUSED, *refusals[name]
    return Status.PUSHED, None, []


def refusal_of(outcome: NodeOutcome) -> tuple[str, list[str]] | None:
    """Which gate a component is that has refused the model, and why; None where it has not."""
    if outcome.name not in ("ModelGate", "ServingCheck", "InfraValidator"):
        return None
    blessing = outcome.outputs["blessing"]
    if blessing.properties.get("blessed") == 1:
        return None
    if outcome.name == "ModelGate":
        return "model", read_json(Path(blessing.uri, BLESSING))["failures"] or ["the Evaluator did not bless it"]
    found = read_json(Path(blessing.uri, "serving_check.json"))
    return "serving", found.get("reasons") or ["the exported model could not be served"]
