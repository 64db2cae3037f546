"""The registry of nodes: read the outputs of a finished node once, and summarize them.

A summary has the node's line on the console, its part of the verdict, and its refusal if it is a gate that refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.decisions import BLESSED, SERVING_RECORD, Forced
from components.decisions import RECORD as BLESSING
from components.evaluation.results import read_evaluation
from components.sample_quality.figures import QUALITY, Quality, comparable
from pipeline.verdict.outcomes import NodeOutcome, Output
from trainer.tuning.trials import FILE as TRIALS

MAX_NOTES = 12  # on the console
SERVING = "Format-Serving"  # where TFX keeps a servable model in a Model artifact


@dataclass(frozen=True)
class Summary:
    """What a finished node contributes to its run."""

    text: str = ""  # a few words for the console
    parts: Mapping[str, Any] = field(default_factory=dict)  # fields of the verdict by name; see `pipeline.verdict.verdict.Verdict`
    gate: str | None = None  # the gate that refused; None if none did
    reasons: list[str] = field(default_factory=list)  # its reasons, one sentence each
    notes: list[str] = field(default_factory=list)  # notes for the console on how the pictures were read, one line each


def summarize(outcome: NodeOutcome) -> Summary:
    """Return the summary of a node; an empty one for a node that failed or is not in the registry."""
    summarizer = NODES.get(outcome.name)
    if summarizer is None or not outcome.outputs:
        return Summary()
    return summarizer(outcome.outputs)


def _read(output: Output, name: str) -> dict[str, Any]:
    """Return the content of a JSON file of an artifact; empty if there is none."""
    path = Path(output.uri, name)
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _is_blessed(output: Output) -> bool:
    return output.properties.get(BLESSED) == 1


def _examples(outputs: dict[str, Output]) -> Summary:
    summary, span = _read(outputs["examples"], "summary.json"), outputs["examples"].properties.get("span", 0)
    pictures, rejected, missing = summary["pictures"], summary["rejected"], summary["labelled_but_missing"]
    splits = ", ".join(f"{count:,} {split}" for split, count in pictures.items() if count)
    text = f"{sum(pictures.values()):,} pictures ({splits})"
    text += f", {rejected:,} rejected" if rejected else ""
    text += f"; {missing:,} files named in the label file are missing" if missing else ""
    data = {name: summary[name] for name in ("pictures", "rejected", "duplicates")} | {"span": int(span)}
    notes = summary.get("notes", [])
    more = [f"... and {len(notes) - MAX_NOTES:,} more, in the run's log"] if len(notes) > MAX_NOTES else []
    return Summary(text, {"data": data}, notes=notes[:MAX_NOTES] + more)


def _data_gate(outputs: dict[str, Output]) -> Summary:
    return Summary("passed", {"drift": _read(outputs["blessing"], "verdict.json").get("drift", {})})


def _tuner(outputs: dict[str, Output]) -> Summary:
    search = _read(outputs["tuner_results"], TRIALS)
    trials, objective = search["trials"], search["objective"]
    best = trials[search["best"] - 1]
    score, failed = best[objective], sum(trial["state"] == "failed" for trial in trials)
    metric = f"ELBO {score:.2f} nats" if objective == "elbo" else f"{score:.3f} bits per dimension"
    values = ", ".join(f"{name.split('.')[1]} {_short(value)}" for name, value in best["values"].items())
    text = f"trial {best['number']} of {len(trials)} is the best: {metric} with {values}" + (f"; {failed} failed" if failed else "")
    tuning = {
        "trials": len(trials),
        "failed": failed,
        "objective": objective,
        "best": {"trial": best["number"], "score": score, "values": best["values"]},
    }
    return Summary(text, {"tuning": tuning})


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _trainer(outputs: dict[str, Output]) -> Summary:
    metrics = _read(outputs["model"], f"{SERVING}/metrics.json")
    figures, mirroring = metrics["eval"], metrics.get("mirroring")
    text = (
        f"ELBO {figures['elbo']:.2f} nats on eval pictures "
        f"(reconstruction {figures['reconstruction']:.2f}, KL {figures['kl']:.2f}), "
        f"epoch {metrics['best_epoch']} of {metrics['epochs']}, {metrics['images_per_second']:,.0f} images/s"
    )
    text += f", no warm start: {metrics['started_anew']}" if metrics.get("started_anew") else ""
    text += f", resumed after epoch {metrics['resumed_from']}" if metrics.get("resumed_from") else ""
    if mirroring:
        text += ", mirrored pictures too" if mirroring["mirrored"] else f", not mirrored: {mirroring['reason']}"
    return Summary(text, {"model": {"artifact": str(Path(outputs["model"].uri, SERVING))}})


def _feature_extractor(outputs: dict[str, Output]) -> Summary:
    features = _read(outputs["features"], "features.json")
    if features["kind"] == "encoder":
        return Summary(f"the model's own encoder: {features['reason']}")
    if features["kind"] == "none":
        return Summary(f"not trained: {features['reason']}")
    if features["kind"] == "self_supervised":
        return Summary(f"self-supervised network {features['hash'][:12]} of {features['pictures']:,} pictures")
    accuracy = features["accuracy"]
    right = "" if accuracy is None else f", {accuracy:.1%} of {features['held_out']:,} held-out pictures right"
    return Summary(f"classifier {features['hash'][:12]} of {len(features['labels'])} labels{right}")


def _sample_quality(outputs: dict[str, Output]) -> Summary:
    content = _read(outputs["quality"], QUALITY)
    quality, parts = Quality.from_dict(content), {"quality": content}
    generated = quality.generated
    if generated is None:
        return Summary(f"not measured: {quality.reason}", parts)
    others = {"last model": quality.baseline, "prior alone": quality.prior, "floor": quality.floor}
    beside = [f"{name} {other.frechet_distance:.4g}" for name, other in others.items() if comparable(generated, other)]
    against = f" ({', '.join(beside)})" if beside else ""
    copies = f", {quality.copies.share:.1%} near-copies" if quality.copies else ""
    text = (
        f"Frechet distance {generated.frechet_distance:.4g}{against}, precision {generated.precision:.2f}, "
        f"recall {generated.recall:.2f}{copies}; {generated.features} {generated.features_hash[:12]}, "
        f"{generated.pictures:,} pictures"
    )
    return Summary(text, parts)


def _evaluator(outputs: dict[str, Output]) -> Summary:
    evaluation = read_evaluation(outputs["evaluation"].uri)
    text = "blessed" if _is_blessed(outputs["blessing"]) else "not blessed"
    if "elbo" in evaluation.candidate:
        text += f": ELBO {evaluation.candidate['elbo']:.2f} nats"
        text += f", the last blessed model {evaluation.baseline['elbo']:.2f}" if "elbo" in evaluation.baseline else ""
    return Summary(text, {"figures": evaluation.candidate, "baseline": evaluation.baseline})


def _model_gate(outputs: dict[str, Output]) -> Summary:
    blessing = outputs["blessing"]
    record, blessed = _read(blessing, BLESSING), _is_blessed(blessing)
    forced, unjudged = record.get("forced"), record.get("unjudged", [])
    parts = {"blessed_by": forced, "overruled": record["failures"] if forced else [], "unjudged": unjudged}
    who, why = (blessing.properties.get(Forced.property(name)) for name in ("who", "why"))
    text = "; ".join(["passed" if blessed else "refused", *unjudged])
    if who:
        text = f"blessed by {who}, who overruled the gate: {why}"
    if blessed:
        return Summary(text, parts)
    return Summary(text, parts, "model", record["failures"] or ["the Evaluator did not bless it"])


def _serving_check(outputs: dict[str, Output]) -> Summary:
    check, blessed = _read(outputs["blessing"], SERVING_RECORD), _is_blessed(outputs["blessing"])
    signatures = check.get("signatures", {}).values()
    text = "blessed" if blessed else "not blessed"
    if signatures:
        right = sum(1 for signature in signatures if signature.get("ok"))
        text += f": {right} of {len(signatures)} signatures answer as the trainer's own model"
    if blessed:
        return Summary(text)
    return Summary(text, gate="serving", reasons=check.get("reasons") or ["the exported model could not be served"])


def _pusher(outputs: dict[str, Output]) -> Summary:
    properties = outputs["pushed_model"].properties
    if properties.get("pushed") != 1:
        return Summary("nothing pushed")
    version = int(properties["pushed_version"])
    return Summary(f"version {version}", {"model": {"version": version, "path": properties["pushed_destination"]}})


# By a component's id. If several gates refuse, the first of them decides.
NODES: Mapping[str, Callable[[dict[str, Output]], Summary]] = {
    "ImageExampleGen": _examples,
    "DataGate": _data_gate,
    "Tuner": _tuner,
    "Trainer": _trainer,
    "FeatureExtractor": _feature_extractor,
    "SampleQuality": _sample_quality,
    "Evaluator": _evaluator,
    "ModelGate": _model_gate,
    "ServingCheck": _serving_check,
    "InfraValidator": _serving_check,
    "Pusher": _pusher,
}
