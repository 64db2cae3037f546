"""The verdict: the checks and decisions of each gate in words, and their figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from components.report.data import TERMS, Evaluation, ReportData
from components.report.drawing.formatting import NOTHING, count, listing, nats, number

NAMES = {
    "elbo": "ELBO",
    "reconstruction": "Reconstruction",
    "kl": "KL divergence",
    "importance_weighted": "Importance-weighted bound",
    "gain": "Gain over the mean picture",
}
MAX_LABELS = 15


@dataclass(frozen=True)
class Gate:
    """One gate of the run."""

    name: str
    # `passed`, `refused`, `forced` (refused, but overruled by a person), `skipped` (an earlier gate refused) or `unknown`
    state: str
    sentence: str  # what it checked, and its decision
    reasons: list[str] = field(default_factory=list)  # the reasons of a refusal, overruled or not


@dataclass(frozen=True)
class Outcome:
    """The outcome of the run: `state` is `passed` (pushed), `refused` or `unknown`."""

    state: str
    headline: str


def judge(report: ReportData) -> Outcome:
    """Return the verdict of the run: the first gate that refused, else whether the model was pushed."""
    for gate in gates(report)[:-1]:
        if gate.state == "refused":
            return Outcome("refused", f"Refused by the {gate.name.lower()}: {'; '.join(gate.reasons) or 'no reason was recorded'}")
    if report.push is not None and report.push.pushed:
        version = f" as version {report.push.version}" if report.push.version else ""
        forced = report.evaluation.forced
        against = f"; {forced.who} overruled the model gate: {forced.why}" if forced else ""
        return Outcome("passed", f"Pushed{version}{against}")
    if report.push is not None:
        return Outcome("refused", "Not pushed")
    if report.evaluation.blessed:
        return Outcome("unknown", "Blessed, but not pushed by this run")
    return Outcome("unknown", "No decision")


def gates(report: ReportData) -> list[Gate]:
    """Return the gates in the order of a run; the last one is the push."""
    return [_data(report), _model(report), _serving(report), _push(report)]


def _data(report: ReportData) -> Gate:
    rejected = report.data.rejected
    refused = f" {count(rejected, 'file')} {'was' if rejected == 1 else 'were'} rejected." if rejected else ""
    return Gate("Data gate", "passed", f"The pictures passed: otherwise there would be no model.{refused}")


def _model(report: ReportData) -> Gate:
    evaluation = report.evaluation
    if evaluation.blessed is None:
        return Gate("Model gate", "unknown", "No decision was recorded.")
    against = "and with the last blessed model" if evaluation.baseline else "there was no earlier model to compare with"
    on = f" on {count(evaluation.candidate.pictures, 'held-out picture')}" if evaluation.candidate.pictures else ""
    sentence = f"The ELBO was compared{on} with absolute bounds{' ' if evaluation.baseline else '; '}{against}."
    sentence += _pictures(report)
    forced = evaluation.forced
    if forced:
        sentence += f" It refused the model; {forced.who} blessed it anyway ({forced.when}): {forced.why}"
        return Gate("Model gate", "forced", sentence, evaluation.failures)
    return Gate(
        "Model gate", "passed" if evaluation.blessed else "refused", sentence, [] if evaluation.blessed else evaluation.failures
    )


def _pictures(report: ReportData) -> str:
    """Describe the gate's checks beyond the ELBO."""
    if report.evaluation.unjudged:
        return "".join(f" {unjudged[:1].upper()}{unjudged[1:]}." for unjudged in report.evaluation.unjudged)
    if report.quality is None or report.quality.generated is None:
        return ""
    beside = " and with the last blessed model's" if report.quality.baseline else ""
    return f" New pictures were compared with held-out ones{beside}."


def _serving(report: ReportData) -> Gate:
    serving = report.serving
    if serving is None or serving.blessed is None:
        return Gate("Serving check", "unknown", "The exported model was not checked in this run.")
    failed = [check for check in serving.signatures if not check.ok]
    if serving.blessed:
        answering = f"all {number(len(serving.signatures))} signatures" if serving.signatures else "the exported model"
        return Gate("Serving check", "passed", f"In a clean process, {answering} gave the same answers as in training.")
    reasons = serving.reasons or [f"{check.name}: {check.reason or 'its answer differs'}" for check in failed]
    names = listing([check.name for check in failed]) or "the exported model"
    return Gate("Serving check", "refused", f"In a clean process, {names} did not give the same answers as in training.", reasons)


def _push(report: ReportData) -> Gate:
    if report.push is None:
        return Gate("Push", "unknown", "No push was recorded.")
    if report.push.pushed:
        return Gate("Push", "passed", f"{'Version ' + report.push.version if report.push.version else 'The model'} is in service.")
    return Gate("Push", "skipped", "Nothing was pushed: an earlier gate refused.")


def verdict(report: ReportData) -> dict[str, Any]:
    """Return the gates, their figures, and the figures by label, lowest ELBO first."""
    scored = {label: figures for label, figures in report.evaluation.by_label.items() if figures.elbo is not None}
    hardest = sorted(scored.items(), key=lambda item: item[1].elbo)
    return {
        "headline": judge(report).headline,
        "gates": gates(report),
        "figure_rows": [_row(report.evaluation, term) for term in TERMS if getattr(report.evaluation.candidate, term) is not None],
        "label_rows": [
            [label or "(no label)", nats(figures.elbo), nats(figures.reconstruction), nats(figures.kl), number(figures.pictures)]
            for label, figures in hardest[:MAX_LABELS]
        ],
        "scored_labels": len(scored),
    }


def _row(evaluation: Evaluation, term: str) -> list[str]:
    """Return the name of a figure and its value; with a baseline, also the baseline's value and the difference."""
    new = getattr(evaluation.candidate, term)
    row = [NAMES[term], nats(new)]
    if evaluation.baseline is not None:
        old = getattr(evaluation.baseline, term)
        row += [nats(old), NOTHING if old is None else nats(new - old, sign=True)]
    return row
