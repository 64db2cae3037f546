"""The page of a run that the data gate refused: the problems, and pictures that show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import tensorflow as tf

from components.report.data import DataSet
from components.report.drawing.markup import Html, fragment, tag
from components.report.drawing.pictures import fitting_uris
from components.report.drawing.wording import moment
from components.report.page import document
from components.report.sections.dataset import facts
from components.report.sections.header import mark
from components.report.sections.layout import Section, aspect, note, picture
from components.report.sources.examples import View, read_data_set, where
from trainer.config import PreprocessingConfig

SHOWN = 24  # pictures of each kind
BUDGET = 260_000  # bytes of their PNG


@dataclass(frozen=True)
class Refusal:
    """The refusal of the data gate.

    Attributes:
        title: Title of the pictures.
        run_id: The run's id.
        reasons: The problems, one sentence each.
        evidence: For each reason: the feature, its wrong values, and whether the problem exists only in comparison with the last
            accepted pictures; see `components.data_gate.anomaly_text.Anomaly`. Empty for refusals without evidence.
        examples: The URI of the examples; '' if there are none.
        before: The URI of the last accepted examples; '' if there are none.
        rejects: Pictures that were rejected at ingestion.
    """

    title: str
    run_id: str
    reasons: Sequence[str]
    evidence: Sequence[Mapping[str, object]]
    examples: str
    before: str
    rejects: Sequence[Mapping[str, str]]


def write_refusal(refusal: Refusal, preprocessing: PreprocessingConfig, folder: Path) -> None:
    """Write index.html to a folder, which is created.

    Args:
        refusal: The refusal.
        preprocessing: The conversion of pictures for display: as for the model.
        folder: The destination.
    """
    view = View(preprocessing)
    sections = [_reason(i, refusal, view) for i in range(len(refusal.reasons))]
    sections.append(_data(refusal, view))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text(document(refusal.title, _header(refusal), sections), encoding="utf-8")


def _header(refusal: Refusal) -> Html:
    count = len(refusal.reasons)
    words = tag(
        "div",
        tag("p", mark(), "Darkroom", class_="brand"),
        tag("h1", refusal.title or "Pictures"),
        tag("p", "Refused ", moment(datetime.now().astimezone()), f" · run {refusal.run_id}", class_="when"),
        tag("p", tag("span", "✕", class_="symbol"), tag("span", "Refused by the data gate"), class_="badge refused"),
        tag(
            "p",
            f"Nothing was trained: {'one thing is' if count == 1 else f'{count} things are'} wrong with the pictures.",
            class_="lead",
        ),
        class_="words",
    )
    return tag("header", tag("div", words, class_="hero"), class_="head")


def _reason(place: int, refusal: Refusal, view: View) -> Section:
    evidence = refusal.evidence[place] if place < len(refusal.evidence) else {}
    feature, values = str(evidence.get("feature", "")), [str(value) for value in evidence.get("values", ())]
    rows = []
    if refusal.examples and feature:
        matches = _has(feature, values) if values and "vanished" not in refusal.reasons[place] else _any
        rows.append(("these pictures" if matches is _any else f"pictures with {', '.join(values[:5])}", refusal.examples, matches))
    if refusal.before and evidence.get("drifted"):
        gone = _has(feature, values) if values and "vanished" in refusal.reasons[place] else _any
        rows.append(("the pictures before", refusal.before, gone))
    body = fragment(_row(words, view([p for p in where(uri, matches, SHOWN)])) for words, uri, matches in rows)
    return Section(
        f"reason-{place + 1}",
        f"Reason {place + 1}",
        refusal.reasons[place],
        "Pictures that show it, as the model would have seen them." if rows else "",
        body or note("There are no pictures to show for this."),
    )


def _row(words: str, pictures: np.ndarray) -> Html:
    if not len(pictures):
        return tag("div", tag("p", words, class_="way-name"), note("None could be read."))
    frames = [tag("li", picture(uri, words, pictures.shape[1:])) for uri in fitting_uris(list(pictures), BUDGET)]
    sheet = tag("ol", frames, class_=f"film sheet {aspect(pictures.shape[1:])}")
    return tag("div", tag("p", words, class_="way-name"), sheet, class_="way")


def _data(refusal: Refusal, view: View) -> Section:
    if refusal.examples:
        data = read_data_set(refusal.examples, view)
    else:
        reasons: dict[str, int] = {}
        for reject in refusal.rejects:
            reasons[reject["reason"]] = reasons.get(reject["reason"], 0) + 1
        listed = [(reject["path"], reject["reason"]) for reject in refusal.rejects]
        data = DataSet(
            pictures={}, labels={}, rejected=len(listed), rejects_by_reason=reasons, rejects=listed, formats={}, sizes={}
        )
    return Section(
        "data", "Data", "What was read", "How many pictures there are, what they are, and what was refused.", facts(data, False)
    )


def _any(features: Mapping[str, tf.train.Feature]) -> bool:
    return True


def _has(feature: str, values: Sequence[str]):
    wanted = {value.encode() for value in values}
    return lambda features: feature in features and features[feature].bytes_list.value[:1][0] in wanted
