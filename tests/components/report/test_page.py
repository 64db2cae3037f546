"""The page: whole, self-contained, escaped, and tolerant of what a run may lack."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from components.decisions import Forced
from components.report.data import (
    Answers,
    Code,
    DataSet,
    Denoising,
    Epoch,
    Evaluation,
    Figures,
    Layer,
    Push,
    Samples,
    Serving,
    SignatureCheck,
    Training,
)
from components.report.page import render
from components.report.sources.run import read_model_facts
from tests.components.report.made import FIGURES, pictures, report
from tests.components.report.reading import Page

ANCHORS = [
    "generated",
    "data",
    "curves",
    "reconstructions",
    "quality",
    "interpolation",
    "latent",
    "manifold",
    "kl",
    "code",
    "networks",
    "verdict",
]
HOSTILE = "<script>alert('\"&')</script>"


def test_every_section_is_there_in_order() -> None:
    page = Page(render(report()))
    assert [i for i in page.ids if i in ANCHORS] == ANCHORS
    assert len(page.ids) == len(set(page.ids))
    assert "Pushed as version 3" in page.words
    assert "−240.00" in page.words


def test_needs_no_other_file() -> None:
    content = render(report())
    page = Page(content)
    outside = [a for a in page.addresses if not a.startswith("data:image/png;base64,") and not a.startswith("#")]
    assert outside == []
    assert not re.search(r"https?://|//[a-z]+\.|@import|<link|<iframe|fetch\(", content)


def test_every_picture_is_a_png() -> None:
    images = Page(render(report(shape=(8, 12, 3)))).pictures()
    assert len(images) > 40
    assert all(min(image.size) > 0 for image in images)


def test_whatever_comes_from_data_is_escaped() -> None:
    hostile = report(labels=(HOSTILE, "bee"), title=HOSTILE, run_id=HOSTILE, config=HOSTILE, locations={HOSTILE: HOSTILE})
    data = dataclasses.replace(
        hostile.data,
        rejected=1,
        rejects_by_reason={HOSTILE: 1},
        rejects=[(HOSTILE, HOSTILE)],
        formats={HOSTILE: 1},
        sizes={HOSTILE: 1},
    )
    serving = Serving(False, [SignatureCheck(HOSTILE, False, None, None, HOSTILE)])
    answers = dataclasses.replace(hostile.answers, problems=[HOSTILE])
    content = render(dataclasses.replace(hostile, data=data, serving=serving, answers=answers))
    page = Page(content)
    assert "<script>alert" not in content
    assert page.tags.count("script") == 1
    assert HOSTILE in page.words


@pytest.mark.parametrize(
    "case",
    [
        {"shape": (8, 8, 3)},
        {"shape": (30, 5, 1)},
        {"shape": (5, 30, 3)},
        {"shape": (1, 1, 1)},
        {"shape": (300, 200, 3), "points": 20},
        {"latent_dim": 1},
        {"latent_dim": 2},
        {"latent_dim": 512},
        {"epochs": 1},
        {"epochs": 0},
        {"epochs": 400},
        {"labels": ()},
        {"labels": ("only",)},
        {"labels": tuple(f"label {i}" for i in range(1000)), "points": 1000},
        {"points": 1},
        {"serving": None},
        {"push": None},
        {"serving": Serving()},
        {"push": Push(False)},
        {"evaluation": Evaluation()},
        {"answers": Answers()},
        {"data": DataSet()},
        {"training": Training()},
        {"title": "", "config": "", "locations": {}},
    ],
    ids=lambda case: "-".join(case),
)
def test_tolerates(case: dict) -> None:
    content = render(report(**case))
    assert set(ANCHORS) <= set(Page(content).ids)
    assert len(content) < 3_000_000
    assert not re.search(r"\b(nan|inf|None)\b", Page(content).words)


def test_figures_that_are_no_numbers_are_left_out() -> None:
    lost = Figures(math.nan, math.inf, -math.inf, math.nan)
    training = Training(
        epochs=[Epoch(i, lost, lost, math.nan, None) for i in range(1, 9)], kl_per_dimension=np.array([math.nan, 1.0])
    )
    made = report(training=training, evaluation=Evaluation(lost, FIGURES, {"ant": lost}, False))
    content = render(made)
    assert not re.search(r"[\s\">](nan|inf)[\s\"<]", content)
    assert "NaN" not in Page(content).words


def test_collapsed_codes_are_drawn() -> None:
    answers = report().answers
    codes = dataclasses.replace(answers.codes, means=np.zeros_like(answers.codes.means))
    Page(render(report(answers=dataclasses.replace(answers, codes=codes))))


def test_the_layers_have_a_table_with_the_sum_of_their_parameters() -> None:
    layers = [Layer("down", "Conv2D", (14, 14, 32), 320, "32 filters, relu"), Layer("mean", "Dense", (16,), 200)]
    words = Page(render(report(training=Training(encoder=layers)))).words
    assert "downConv2D32 filters, relu14×14×32320" in words and "All520" in words


def test_refusals_are_told_with_their_reasons() -> None:
    evaluation = Evaluation(FIGURES, None, {}, False, ["ELBO is −240.00 nats; the minimum is −200.00"])
    words = Page(render(report(evaluation=evaluation, push=Push(False)))).words
    assert words.count("Refused by the model gate: ELBO is −240.00 nats") == 2
    serving = Serving(False, [SignatureCheck("encode", False, 3.0, 1.0, "the answer differs")])
    words = Page(render(report(serving=serving, push=Push(False)))).words
    assert "Refused by the serving check: encode: the answer differs" in words


def test_what_could_not_be_judged_is_told() -> None:
    evaluation = Evaluation(FIGURES, None, {}, True, unjudged=["new pictures were not judged: there are only 12 test pictures"])
    assert "New pictures were not judged: there are only 12 test pictures." in Page(render(report(evaluation=evaluation))).words
    assert "not judged" not in Page(render(report())).words


def test_a_blessing_that_a_person_forced_is_told_with_who_why_and_what_was_worse() -> None:
    forced = Forced("ada@engine", "new camera", "2026-01-01T10:00:00+00:00")
    evaluation = Evaluation(FIGURES, None, {}, True, ["ELBO is −240.00 nats; the minimum is −200.00"], forced)
    words = Page(render(report(evaluation=evaluation, push=Push(True, "2")))).words
    assert "Pushed as version 2; ada@engine overruled the model gate: new camera" in words
    assert "ada@engine blessed it anyway (2026-01-01T10:00:00+00:00): new camera" in words
    assert "ELBO is −240.00 nats; the minimum is −200.00" in words
    assert "overruled" in words
    serving = Serving(False, [SignatureCheck("encode", False, 3.0, 1.0, "the answer differs")])
    words = Page(render(report(evaluation=evaluation, serving=serving, push=Push(False)))).words
    assert "Refused by the serving check: encode" in words


def test_the_last_blessed_model_is_compared_with() -> None:
    words = Page(render(report(evaluation=Evaluation(FIGURES, Figures(elbo=-241.5), {}, True)))).words
    assert "▲ +1.50 vs last blessed" in words
    assert "Last blessed" in words


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ({"mirrored": True, "reason": ""}, "Training pictures were mirrored at random"),
        ({"mirrored": False, "reason": "30 pictures are too few"}, "Training pictures were not mirrored: 30 pictures are too few."),
        (None, ""),
    ],
)
def test_the_decision_on_mirroring_is_told(found: dict | None, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({"mirroring": found}))
    facts = dataclasses.replace(report().model, mirroring=read_model_facts(str(tmp_path)).mirroring)
    words = Page(render(report(model=facts))).words
    assert sentence in words and ("Training pictures were" in words) == bool(sentence)


def test_bits_per_dimension_only_where_they_make_sense() -> None:
    assert report().bits_per_dimension is None
    density = dataclasses.replace(report().model, likelihood="gaussian")
    assert report(model=density).bits_per_dimension is None
    model = dataclasses.replace(report().model, likelihood="discretized_logistic_mixture")
    made = report(model=model)
    assert made.bits_per_dimension == pytest.approx(240 / 64 / math.log(2))
    assert "bits per dimension" in Page(render(made)).words


def test_heavy_pictures_keep_the_page_light() -> None:
    shape = (128, 128, 3)
    made = report(shape=shape, points=300)
    many = {
        "generated": pictures(96, shape),
        "originals": pictures(24, shape),
        "reconstructions": pictures(24, shape),
        "labels": [],
    }
    answers = dataclasses.replace(made.answers, **many)
    assert len(render(dataclasses.replace(made, answers=answers))) < 3_000_000


def test_a_conditional_models_labels_have_a_row_each() -> None:
    plain = report()
    assert "by-label" not in Page(render(plain)).ids
    rows = [Samples(label, pictures(5, (8, 8, 1), seed)) for seed, label in enumerate(("ant", HOSTILE))]
    page = Page(render(dataclasses.replace(plain, answers=dataclasses.replace(plain.answers, by_label=rows))))
    assert "by-label" in page.ids and HOSTILE in page.words
    assert len(page.pictures()) >= len(Page(render(plain)).pictures()) + 10


def test_denoising_shows_spoilt_denoised_and_original() -> None:
    plain = report(shape=(8, 8, 3))
    found = Denoising("salt_and_pepper", 0.25, *(pictures(4, (8, 8, 3), seed) for seed in range(3)), 12.34, 20.06)
    page = Page(render(dataclasses.replace(plain, training=dataclasses.replace(plain.training, denoising=found))))
    for words in ("corrupted (salt and pepper, 0.25) · 12.3 dB", "denoised · 20.1 dB"):
        assert words in page.words
    assert "denoising" not in Page(render(plain)).ids


def test_rate_and_distortion_are_told_as_far_as_they_are_known() -> None:
    plain = report()
    assert "The trainer recorded none of these figures" in Page(render(plain)).words
    code = Code(2, 1.5, 0.25, 40, 31.0, 31 / 64, 14.2, 16.7, 3.456)
    words = Page(render(dataclasses.replace(plain, model=dataclasses.replace(plain.model, code=code)))).words
    for figure in ("2 of 3", "1.50 nats", "31 bits, 0.484 bits per pixel", "14.2 dB", "16.7 dB", "3.456 bits per dimension"):
        assert figure in words
