"""Describe the outcome of each component in a few words, for its line on the console."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from components.decisions import RECORD as BLESSING
from components.decisions import Forced
from components.evaluation.results import read_evaluation
from components.sample_quality.figures import QUALITY, Quality, comparable
from pipeline.verdict.outcomes import NodeOutcome, Output
from trainer.tuning.trials import FILE as TRIALS

MOST_NOTES = 12  # on the console
SERVING = "Format-Serving"  # where TFX keeps a servable model in a Model artifact


def describe(outcome: NodeOutcome) -> str:
    """Return a few words; empty if there is nothing to report."""
    describer = _DESCRIBERS.get(outcome.name)
    if outcome.state == "failed" or describer is None:
        return ""
    return describer(outcome.outputs)


def read_json(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file of an artifact; empty if there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _examples(outputs: dict[str, Output]) -> str:
    summary = read_json(Path(outputs["examples"].uri, "summary.json"))
    pictures, refused = summary["pictures"], summary["rejected"]
    splits = ", ".join(f"{count:,} {split}" for split, count in pictures.items() if count)
    said = f"{sum(pictures.values()):,} pictures ({splits})"
    said += f", {refused:,} refused" if refused else ""
    missing = summary["labelled_but_missing"]
    return f"{said}; the label file names {missing:,} that are not there" if missing else said


def notes_of(outputs: dict[str, Output]) -> list[str]:
    """Return notes on how the pictures were read, one line each, up to a maximum."""
    notes = read_json(Path(outputs["examples"].uri, "summary.json")).get("notes", [])
    more = [f"... and {len(notes) - MOST_NOTES:,} more, in the run's log"] if len(notes) > MOST_NOTES else []
    return notes[:MOST_NOTES] + more


def read_search(outputs: dict[str, Output]) -> dict[str, Any]:
    """Return the verdict's entry on a hyperparameter search; see `tuning` in `docs/verdict.md`."""
    found = read_json(Path(outputs["tuner_results"].uri, TRIALS))
    best = found["trials"][found["best"] - 1]
    return {
        "trials": len(found["trials"]),
        "failed": sum(trial["state"] == "failed" for trial in found["trials"]),
        "objective": found["objective"],
        "best": {"trial": best["number"], "score": best[found["objective"]], "values": best["values"]},
    }


def _search(outputs: dict[str, Output]) -> str:
    search = read_search(outputs)
    best, trials = search["best"], search["trials"]
    figure = f"ELBO {best['score']:.2f} nats" if search["objective"] == "elbo" else f"{best['score']:.3f} bits per dimension"
    values = ", ".join(f"{name.split('.')[1]} {_short(value)}" for name, value in best["values"].items())
    failed = f"; {search['failed']} failed" if search["failed"] else ""
    return f"trial {best['trial']} of {trials} is the best: {figure} with {values}{failed}"


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _model(outputs: dict[str, Output]) -> str:
    metrics = read_json(Path(outputs["model"].uri, SERVING, "metrics.json"))
    figures = metrics["eval"]
    anew = metrics.get("started_anew")
    resumed = f", no warm start: {anew}" if anew else ""
    resumed += f", gone on after epoch {metrics['resumed_from']}" if metrics.get("resumed_from") else ""
    mirroring = metrics.get("mirroring")
    if mirroring:
        resumed += ", mirrored pictures too" if mirroring["mirrored"] else f", not mirrored: {mirroring['reason']}"
    return (
        f"ELBO {figures['elbo']:.2f} nats on eval pictures "
        f"(reconstruction {figures['reconstruction']:.2f}, KL {figures['kl']:.2f}), "
        f"epoch {metrics['best_epoch']} of {metrics['epochs']}, {metrics['images_per_second']:,.0f} images/s{resumed}"
    )


def _features(outputs: dict[str, Output]) -> str:
    found = read_json(Path(outputs["features"].uri, "features.json"))
    if found["kind"] == "encoder":
        return f"the model's own encoder: {found['reason']}"
    if found["kind"] == "self_supervised":
        return f"self-supervised network {found['hash'][:12]} of {found['pictures']:,} pictures"
    accuracy = "" if found["accuracy"] is None else f", {found['accuracy']:.1%} of {found['held_out']:,} held-out pictures right"
    return f"classifier {found['hash'][:12]} of {len(found['labels'])} labels{accuracy}"


def _quality(outputs: dict[str, Output]) -> str:
    found = Quality.from_dict(read_json(Path(outputs["quality"].uri, QUALITY)))
    if found.generated is None:
        return f"not measured: {found.reason}"
    others = {"last model": found.baseline, "prior alone": found.prior, "floor": found.floor}
    beside = [f"{name} {f.frechet_distance:.4g}" for name, f in others.items() if comparable(found.generated, f)]
    against = f" ({', '.join(beside)})" if beside else ""
    made = found.generated
    copies = f", {found.copies.share:.1%} near-copies" if found.copies else ""
    return (
        f"Frechet distance {made.frechet_distance:.4g}{against}, precision {made.precision:.2f}, recall {made.recall:.2f}{copies}; "
        f"{made.features} {made.features_hash[:12]}, {made.pictures:,} pictures"
    )


def _evaluation(outputs: dict[str, Output]) -> str:
    evaluation = read_evaluation(outputs["evaluation"].uri)
    elbo = evaluation.candidate.get("elbo")
    against = f", the last good model {evaluation.baseline['elbo']:.2f}" if "elbo" in evaluation.baseline else ""
    verdict = "blessed" if outputs["blessing"].properties.get("blessed") == 1 else "not blessed"
    return f"{verdict}: ELBO {elbo:.2f} nats{against}" if elbo is not None else verdict


def _model_gate(outputs: dict[str, Output]) -> str:
    properties = outputs["blessing"].properties
    who, why = (properties.get(Forced.property(name)) for name in ("who", "why"))
    if who:
        return f"blessed by {who}, who overruled the gate: {why}"
    said = "passed" if properties.get("blessed") == 1 else "refused"
    unjudged = read_json(Path(outputs["blessing"].uri, BLESSING)).get("unjudged")
    return f"{said}; {'; '.join(unjudged)}" if unjudged else said


def _serving_check(outputs: dict[str, Output]) -> str:
    check = read_json(Path(outputs["blessing"].uri, "serving_check.json"))
    signatures = check.get("signatures", {})
    good = sum(1 for s in signatures.values() if s.get("ok"))
    verdict = "blessed" if outputs["blessing"].properties.get("blessed") == 1 else "not blessed"
    return f"{verdict}: {good} of {len(signatures)} signatures answer as the trainer's own model" if signatures else verdict


def _pushed(outputs: dict[str, Output]) -> str:
    properties = outputs["pushed_model"].properties
    return f"version {properties['pushed_version']}" if properties.get("pushed") == 1 else "nothing pushed"


_DESCRIBERS: dict[str, Callable[[dict[str, Output]], str]] = {
    "ImageExampleGen": _examples,
    "DataGate": lambda _: "passed",
    "Tuner": _search,
    "Trainer": _model,
    "FeatureExtractor": _features,
    "SampleQuality": _quality,
    "Evaluator": _evaluation,
    "ModelGate": _model_gate,
    "ServingCheck": _serving_check,
    "Pusher": _pushed,
}
