"""Read the judgments of the model and its pictures: Evaluator, serving check, SampleQuality, Pusher."""

from __future__ import annotations

import logging
import os
import re

import tensorflow as tf
from tfx.types import Artifact

from components import decisions
from components.evaluation import results as tfma_results
from components.report.data import CopyPair, Evaluation, Push, Serving, SignatureCheck
from components.report.drawing.formatting import MINUS
from components.report.sources.files import build, read_json
from components.report.sources.run import figures
from components.sample_quality.figures import QUALITY, Quality

_log = logging.getLogger("darkroom.report")

MINUS_SIGN = re.compile(r"(?<!\w)-(?=\d)")


def read_evaluation(measured: Artifact | None, blessing: Artifact | None) -> Evaluation:
    """Read the Evaluator's figures and the model gate's decision; missing parts are empty."""
    blessed, forced = _flag(blessing, decisions.BLESSED), decisions.Forced.read(blessing)
    if measured is None:
        return Evaluation(blessed=blessed)
    results = tfma_results.read_evaluation(measured.uri)
    record = read_json(blessing.uri, decisions.RECORD) if blessing else {}
    failures = record.get("failures", results.failures)
    return Evaluation(
        candidate=figures({**results.candidate, "pictures": results.pictures}),
        baseline=figures(results.baseline) if results.baseline else None,
        by_label={label: figures(values) for label, values in results.per_label.items()},
        blessed=blessed,
        failures=[] if blessed and not forced else [MINUS_SIGN.sub(MINUS, sentence) for sentence in failures],
        unjudged=list(record.get("unjudged", ())),
        forced=forced,
    )


def read_serving(blessing: Artifact | None) -> Serving | None:
    """Read the results of the serving check; None if the run had none."""
    if blessing is None:
        return None
    record = read_json(blessing.uri, decisions.SERVING_RECORD)
    checks = record.get("signatures") or {}
    reasons = record.get("reasons") or [record[key] for key in ("reason",) if record.get(key)]
    return Serving(
        blessed=_flag(blessing, decisions.BLESSED),
        signatures=[
            build(SignatureCheck, {**check, "name": name, "ok": bool(check.get("ok"))})
            for name, check in checks.items()
            if isinstance(check, dict)
        ],
        reasons=[str(reason) for reason in reasons],
        runtime=str(record.get("tensorflow") or ""),
    )


def read_push(pushed_model: Artifact | None) -> Push | None:
    """Return whether the model was pushed, and where to; None if the run had no Pusher."""
    if pushed_model is None:
        return None
    destination = pushed_model.get_string_custom_property("pushed_destination")
    version = pushed_model.get_string_custom_property("pushed_version") or os.path.basename(destination.rstrip("/"))
    return Push(bool(_flag(pushed_model, "pushed")), version, destination)


def _flag(artifact: Artifact | None, name: str) -> bool | None:
    """Return a custom property that is 1 or 0 as bool; None if it is not set."""
    value = decisions.get_property(artifact, name)
    return None if value is None else value == 1


def read_quality(artifact: Artifact | None) -> Quality | None:
    """Return the figures, or the reason for missing ones; None if the run had no SampleQuality or its file cannot be read."""
    record = read_json(artifact.uri, QUALITY) if artifact is not None else {}
    if not record:
        return None
    try:
        return Quality.from_dict(record)
    except (TypeError, ValueError) as error:
        _log.warning("%s is not as it should be: %s", QUALITY, error)
        return None


def read_copies(artifact: Artifact | None, quality: Quality | None) -> list[CopyPair]:
    """Return the stored near-copies, each beside its original; those with unreadable files are skipped."""
    pairs = []
    for copy in quality.copies.examples if artifact is not None and quality is not None and quality.copies else ():
        try:
            files = [tf.io.read_file(os.path.join(artifact.uri, name)) for name in (copy.generated_png, copy.training_png)]
            pictures = [tf.io.decode_png(file).numpy() for file in files]
        except (OSError, tf.errors.OpError) as error:
            _log.warning("a near-copy of %s cannot be shown: %s", copy.training, error)
            continue
        pairs.append(CopyPair(*pictures, copy.training, copy.distance))
    return pairs
