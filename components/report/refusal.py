"""The page of a run that the data gate refused: the problems, and pictures that show them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import tensorflow as tf

from components.report.data import DataSet
from components.report.drawing.pictures import fitting_uris
from components.report.drawing.rendering import render_template
from components.report.page import Section, render_document, render_section
from components.report.sections.dataset import facts
from components.report.sources.examples import View, matching_pictures, read_data_set
from trainer.config import PreprocessingConfig

MAX_SHOWN = 24  # pictures of each kind
BUDGET = 260_000  # bytes of their PNG


@dataclass(frozen=True)
class Refusal:
    """The refusal of the data gate."""

    title: str  # title of the pictures
    run_id: str  # the run's id
    reasons: Sequence[str]  # the problems, one sentence each
    # For each reason: the feature, its wrong values, and whether the problem exists only in comparison with the last accepted
    # pictures; see `components.data_gate.anomaly_text.Anomaly`. Empty for refusals without evidence
    evidence: Sequence[Mapping[str, object]]
    examples: str  # the URI of the examples; '' if there are none
    before: str  # the URI of the last accepted examples; '' if there are none
    rejects: Sequence[Mapping[str, str]]  # pictures that were rejected at ingestion


def write_refusal(refusal: Refusal, preprocessing: PreprocessingConfig, folder: Path) -> None:
    """Write index.html to a folder, which is created. Pictures are converted for display as for the model."""
    view = View(preprocessing)
    sections = [_reason(i, refusal, view) for i in range(len(refusal.reasons))]
    values = facts(_data_set(refusal, view))
    sections.append(render_section(len(sections) + 1, "data", "Data", "rejected-data.html", conditional=False, **values))
    header = render_template("refusal_header.html", refusal=refusal, when=datetime.now().astimezone())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text(render_document(refusal.title, header, sections), encoding="utf-8")


def _reason(index: int, refusal: Refusal, view: View) -> Section:
    evidence: Mapping[str, Any] = refusal.evidence[index] if index < len(refusal.evidence) else {}
    feature, values = str(evidence.get("feature", "")), [str(value) for value in evidence.get("values", ())]
    vanished = "vanished" in refusal.reasons[index]
    sources = []
    if refusal.examples and feature:
        wanted = [] if vanished else values
        sources.append((f"pictures with {', '.join(values[:5])}" if wanted else "these pictures", refusal.examples, wanted))
    if refusal.before and evidence.get("drifted"):
        sources.append(("the last accepted pictures", refusal.before, values if vanished else []))
    rows = []
    for name, uri, wanted in sources:
        pictures = view(matching_pictures(uri, lambda features, wanted=wanted: _has(features, feature, wanted), MAX_SHOWN))
        rows.append((name, fitting_uris(list(pictures), BUDGET)))
    number = index + 1
    variables = {"reason": refusal.reasons[index], "rows": rows, "shape": view.shape}
    return render_section(number, f"reason-{number}", f"Reason {number}", "reason.html", **variables)


def _data_set(refusal: Refusal, view: View) -> DataSet:
    if refusal.examples:
        return read_data_set(refusal.examples, view)
    listed = [(reject["path"], reject["reason"]) for reject in refusal.rejects]
    return DataSet(rejected=len(listed), rejects_by_reason=Counter(reason for _, reason in listed), rejects=listed)


def _has(features: Mapping[str, tf.train.Feature], name: str, values: Sequence[str]) -> bool:
    """Return whether a text feature has one of the values, or whether any value will do."""
    return not values or (name in features and features[name].bytes_list.value[0] in {value.encode() for value in values})
