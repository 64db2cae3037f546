"""Read the records of the gates: Evaluator, serving check, Pusher."""

from __future__ import annotations

import os
import re
from typing import Any

from tfx.types import Artifact

from components import decisions
from components.evaluation import results as tfma_results
from components.report.data import Evaluation, Push, Serving, SignatureCheck
from components.report.drawing.formatting import MINUS
from components.report.sources.files import read_json, to_float
from components.report.sources.run import figures

MINUS_SIGN = re.compile(r"(?<!\w)-(?=\d)")


def read_evaluation(measured: Artifact | None, blessing: Artifact | None) -> Evaluation:
    """Read the Evaluator's figures and the model gate's decision; missing parts are empty."""
    blessed, forced = _flag(blessing, decisions.BLESSED), decisions.Forced.read(blessing)
    if measured is None:
        return Evaluation(blessed=blessed)
    found = tfma_results.read_evaluation(measured.uri)
    record = read_json(blessing.uri, decisions.RECORD) if blessing else {}
    failures = record.get("failures", found.failures)
    return Evaluation(
        candidate=figures({**found.candidate, "pictures": found.pictures}),
        baseline=figures(found.baseline) if found.baseline else None,
        by_label={label: figures(values) for label, values in found.per_label.items()},
        blessed=blessed,
        failures=[] if blessed and not forced else [MINUS_SIGN.sub(MINUS, sentence) for sentence in failures],
        unjudged=list(record.get("unjudged", ())),
        forced=forced,
    )


def read_serving(blessing: Artifact | None) -> Serving | None:
    """Read the results of the serving check; None if the run had none."""
    if blessing is None:
        return None
    found = read_json(blessing.uri, decisions.SERVING_RECORD)
    checks = found.get("signatures") or {}
    reasons = found.get("reasons") or [found[key] for key in ("reason",) if found.get(key)]
    return Serving(
        blessed=_flag(blessing, decisions.BLESSED),
        signatures=[_check(str(name), check) for name, check in checks.items() if isinstance(check, dict)],
        reasons=[str(reason) for reason in reasons],
        runtime=str(found.get("tensorflow") or ""),
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


def _check(name: str, found: dict[str, Any]) -> SignatureCheck:
    return SignatureCheck(
        name=name,
        ok=bool(found.get("ok")),
        max_difference=to_float(found.get("max_difference")),
        milliseconds=to_float(found.get("milliseconds")),
        reason=str(found.get("reason") or ""),
    )
