"""Which figures of new pictures refuse a model, and in which words."""

from __future__ import annotations

import dataclasses
import math

import pytest

from common.lines import in_one_line
from components.evaluation.results import MARGIN
from components.model_gate.config import PictureLimits
from components.model_gate.pictures import PictureJudgement, accumulated_rise, judge_pictures
from components.sample_quality.figures import Copies, Distances, Quality, Spread
from pipeline.config.eval_config import picture_limits
from pipeline.config.schema import EvaluationConfig

DEFAULTS = picture_limits(EvaluationConfig())
MADE = Distances(14.0, 9.5, 1.0, 0.98, 0.2, 1.6, 0.8, "classifier", "a" * 64, "b" * 64, 1000, 0.9, 0.45)
COPIES = Copies(0.03, 0.02, 30, 1000, 1.1)
REBUILT = dataclasses.replace(MADE, coverage=0.82)
GOOD = Quality(split="test", generated=MADE, baseline=MADE, rebuilt=REBUILT, copies=COPIES, spread=Spread(0.7, 0.01, 20))


def made(**figures: object) -> Quality:
    """The good model's figures, of which those of its new pictures are replaced."""
    return dataclasses.replace(GOOD, generated=dataclasses.replace(MADE, **figures))


def copied(share: float, floor: float = 0.02, pictures: int = 1000) -> Quality:
    """The good model's figures with other shares of near-copies."""
    return dataclasses.replace(GOOD, copies=Copies(share, floor, round(share * pictures), pictures, 0.5))


def test_a_good_model_passes_and_nothing_is_left_unjudged() -> None:
    assert judge_pictures(GOOD, DEFAULTS) == PictureJudgement(rise=0.0)


@pytest.mark.parametrize(
    ("quality", "limits", "words"),
    [
        (
            made(high_frequencies=0.014),
            {},
            [
                "new pictures are blurred: 1.4% of the fine detail",
                "the minimum is 5.0% (evaluation.min_high_frequencies); train longer",
            ],
        ),
        (
            made(coverage=0.31),
            {},
            [
                "cover 31% of the held-out ones, reconstructions 82%; the minimum is 37% (evaluation.min_coverage)",
                "generation.density",
            ],
        ),
        (
            made(frechet_distance=84.0),
            {},
            ["Frechet distance 84, 70 above the last blessed model's; 11.9 is allowed (evaluation.max_frechet_rise); train longer"],
        ),
        (
            made(two_sample=0.951),
            {"max_two_sample": 0.95},
            [
                "recognizes new pictures with 95.1% accuracy",
                "50% by chance",
                "95% is allowed (evaluation.max_two_sample)",
            ],
        ),
        (
            copied(0.5),
            {},
            ["50% of new pictures are near-copies", "2.0% of held-out ones; 10% more is allowed (evaluation.max_copies)"],
        ),
    ],
)
def test_what_is_worse_refuses_and_says_by_how_much(quality: Quality, limits: dict, words: list[str]) -> None:
    (failure,) = judge_pictures(quality, dataclasses.replace(DEFAULTS, **limits)).failures
    for text in words:
        assert text in failure, (text, failure)
    line = f"refused by the model gate: {failure} (see work/runs/20261120-093015)"
    assert in_one_line(line) == line, "it is not cut in the run's last line"


@pytest.mark.parametrize(
    ("quality", "limits"),
    [
        (made(high_frequencies=0.05), {}),
        (made(coverage=0.37), {}),
        (dataclasses.replace(made(coverage=0.18), rebuilt=dataclasses.replace(REBUILT, coverage=0.2)), {}),  # the decoder's fault
        (made(frechet_distance=14 * 1.5 + MARGIN * 0.7 - 0.01), {}),
        (made(frechet_distance=1.0), {}),
        (made(two_sample=1.0), {}),
        (made(two_sample=0.95), {"max_two_sample": 0.95}),
        (copied(0.12), {}),
        (copied(0.2, floor=0.15), {}),
        (copied(0.22, pictures=50), {}),  # chance: three standard errors of the difference
    ],
)
def test_what_is_within_the_bounds_passes(quality: Quality, limits: dict) -> None:
    assert judge_pictures(quality, dataclasses.replace(DEFAULTS, **limits)).failures == []


NOTHING = {field.name: None for field in dataclasses.fields(PictureLimits)}
WORST = dataclasses.replace(
    copied(1.0), generated=dataclasses.replace(MADE, frechet_distance=900.0, coverage=0.0, high_frequencies=0.0, two_sample=1.0)
)


@pytest.mark.parametrize(
    ("name", "bound"),
    [
        ("max_frechet_rise", 0.5),
        ("max_two_sample", 0.9),
        ("max_copies", 0.1),
        ("min_high_frequencies", 0.05),
        ("min_coverage", 0.5),
    ],
)
def test_each_bound_is_asked_by_itself_and_null_switches_it_off(name: str, bound: float) -> None:
    (failure,) = judge_pictures(WORST, PictureLimits(**{**NOTHING, name: bound})).failures
    assert f"evaluation.{name}" in failure
    everything = PictureLimits(0.5, 0.9, 0.1, 0.05, 0.5)
    without = judge_pictures(WORST, dataclasses.replace(everything, **{name: None})).failures
    assert len(without) == 4 and failure not in without


def test_with_nothing_asked_for_nothing_is_judged() -> None:
    assert judge_pictures(WORST, PictureLimits(**NOTHING)) == PictureJudgement()
    assert judge_pictures(None, DEFAULTS) == PictureJudgement()


def test_what_was_not_measured_refuses_nothing_and_is_said() -> None:
    few = Quality(reason="there are only 12 test pictures; at least 50 are needed")
    judged = judge_pictures(few, DEFAULTS)
    assert judged.failures == []
    assert judged.unjudged == ["new pictures were not judged: there are only 12 test pictures; at least 50 are needed"]


def test_figures_of_an_earlier_version_are_judged_as_far_as_they_go() -> None:
    worse = dataclasses.replace(MADE, frechet_distance=84.0, two_sample=None, high_frequencies=None)
    judged = judge_pictures(
        Quality(split="test", generated=worse, baseline=MADE), dataclasses.replace(DEFAULTS, max_two_sample=0.9)
    )
    assert ["max_frechet_rise" in failure for failure in judged.failures] == [True]
    assert {words.split()[0] for words in judged.unjudged} == {
        "evaluation.min_high_frequencies",
        "evaluation.min_coverage",
        "evaluation.max_two_sample",
        "evaluation.max_copies",
    }


def test_pictures_measured_by_other_features_are_not_compared() -> None:
    other = dataclasses.replace(GOOD, baseline=dataclasses.replace(MADE, frechet_distance=0.1, features_hash="c" * 64))
    judged = judge_pictures(other, DEFAULTS)
    assert judged.failures == [] and judged.rise is None
    assert judged.unjudged == [
        "evaluation.max_frechet_rise was not judged: the last blessed model's pictures were measured with other features"
    ]


def test_models_do_not_slide_down_a_little_at_a_time() -> None:
    noiseless = dataclasses.replace(GOOD, spread=None)
    step = dataclasses.replace(noiseless, generated=dataclasses.replace(MADE, frechet_distance=14 * 1.3))
    first = judge_pictures(step, DEFAULTS)
    assert first.failures == [] and first.rise == pytest.approx(math.log(1.3))
    above = accumulated_rise(0.0, first.rise)
    second = judge_pictures(step, DEFAULTS, above)
    (words,) = second.failures
    assert "69% above the best model's" in words and "50% is allowed in total" in words
    assert judge_pictures(noiseless, DEFAULTS, above).failures == [], "no worse than the last one"
    far = dataclasses.replace(noiseless, generated=dataclasses.replace(MADE, frechet_distance=140.0))
    assert len(judge_pictures(far, DEFAULTS, above).failures) == 1, "the same is not said twice"


def test_a_better_model_and_one_without_a_baseline_begin_a_new_row() -> None:
    assert accumulated_rise(0.3, -0.5) == 0.0
    assert accumulated_rise(0.3, -0.1) == pytest.approx(0.2)
    assert accumulated_rise(0.3, None) == 0.0
