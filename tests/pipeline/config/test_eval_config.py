"""By what models are blessed: the configuration's bounds and margins, judged by TFX's own Evaluator."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2

from pipeline.config.eval_config import evaluation_config
from pipeline.config.schema import EvaluationConfig
from tests.components.judged import Bench, figures

OPEN = EvaluationConfig(min_gain=None, max_drop=None, max_reconstruction_rise=None)
MARGINS = dataclasses.replace(OPEN, max_drop=1.0, max_reconstruction_rise=3.0)
BROKEN = {**figures(-100, 10), "elbo": np.full(12, np.nan)}
MODELS = {
    "last": figures(-100, 10),
    "worse": figures(-104, 10),
    "better": figures(-90, 16),
    "loose": figures(-101, 10, bound=-1.5),
    "collapsed": figures(-100.5, 1),
    "thrifty": figures(-95, 1),
    "lavish": figures(-100.5, 30),
    "broken": BROKEN,
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("bench"), MODELS)


def thresholds(config):
    found = {}
    for spec in evaluation_config(config).metrics_specs:
        for metric in spec.metrics:
            for limited in metric.per_slice_thresholds:
                assert list(limited.slicing_specs) == [config_pb2.SlicingSpec()]
                assert not metric.HasField("threshold"), "that would hold for every label"
                found[spec.output_names[0], metric.class_name] = limited.threshold
    return found


def test_bounds_and_margins_hold_for_the_pictures_as_a_whole_only():
    config = EvaluationConfig(
        min_elbo=-300,
        min_importance_weighted=-290,
        max_reconstruction=280,
        min_kl=3,
        max_kl=40,
        min_gain=2,
        max_drop=0.5,
        max_reconstruction_rise=1.5,
        max_kl_rise=9,
    )
    found = thresholds(config)
    mean = {output: found[output, "MeanPrediction"] for output, kind in found if kind == "MeanPrediction"}
    for output, bound in (("elbo", -300), ("importance_weighted", -290)):
        assert mean[output].value_threshold.lower_bound.value == bound
        assert mean[output].change_threshold.absolute.value == -0.5
        assert mean[output].change_threshold.direction == config_pb2.MetricDirection.HIGHER_IS_BETTER
    assert mean["reconstruction"].value_threshold.upper_bound.value == 280
    assert mean["kl"].value_threshold.lower_bound.value == 3
    assert mean["kl"].value_threshold.upper_bound.value == 40
    assert mean["gain"].value_threshold.lower_bound.value == 2
    rises = {output: found[output, "UnpaidRise"] for output, kind in found if kind == "UnpaidRise"}
    assert {output: rise.value_threshold.upper_bound.value for output, rise in rises.items()} == {"reconstruction": 1.5, "kl": 9}
    tfma.utils.verify_eval_config(evaluation_config(config))


def test_what_is_not_asked_for_is_no_threshold():
    (only,) = thresholds(OPEN).values()
    assert not only.HasField("change_threshold")


def test_every_absolute_bound_that_is_missed_is_a_reason(bench):
    asked = EvaluationConfig(min_elbo=-90, min_importance_weighted=-98, max_reconstruction=80, min_kl=12, min_gain=6)
    judged = bench.judge(asked, "last")
    assert not judged.blessed
    assert judged.read().failures == [
        "ELBO is -100.00 nats; the minimum is -90.00 (10.00 too low)",
        "importance-weighted bound is -99.00 nats; the minimum is -98.00 (1.00 too low)",
        "reconstruction term is 90.00 nats; the maximum is 80.00 (10.00 too high)",
        "KL divergence is 10.00 nats; the minimum is 12.00 (2.00 too low)",
        "gain over the mean picture is 5.00 nats; the minimum is 6.00 (1.00 too low)",
    ]


def test_what_is_no_number_is_refused_even_where_nothing_is_asked_for(bench):
    judged = bench.judge(dataclasses.replace(OPEN, min_kl=2, max_kl=9), "broken")
    assert not judged.blessed
    assert judged.read().failures == [
        "ELBO is not a number",
        "KL divergence is 10.00 nats; the maximum is 9.00 (1.00 too high)",
    ]


def test_a_first_model_that_meets_all_bounds_is_blessed(bench):
    config = EvaluationConfig(-101, -100, 91, 9, 11, 4, max_drop=0, max_reconstruction_rise=0, max_kl_rise=0)
    judged = bench.judge(config, "last")
    assert judged.blessed
    assert judged.read().failures == []
    assert judged.read().baseline == {}
    assert set(judged.read().per_label) == {"a", "b"}


@pytest.mark.parametrize(
    ("asked", "candidate", "sentences"),
    [
        (
            {},
            "worse",
            [
                "ELBO is 4.00 nats worse than the last blessed model's; 1.00 is allowed",
                "importance-weighted bound is 4.00 nats worse than the last blessed model's; 1.00 is allowed",
                "reconstruction term is 4.00 nats above the last blessed model's and the ELBO is not better; 3.00 is allowed",
            ],
        ),
        ({}, "loose", ["importance-weighted bound is 3.50 nats worse than the last blessed model's; 1.00 is allowed"]),
        (
            {},
            "collapsed",
            ["reconstruction term is 9.50 nats above the last blessed model's and the ELBO is not better; 3.00 is allowed"],
        ),
        (
            {"max_kl_rise": 3},
            "lavish",
            ["KL divergence is 20.00 nats above the last blessed model's and the ELBO is not better; 3.00 is allowed"],
        ),
        ({"max_kl_rise": 3}, "better", []),
        ({}, "thrifty", []),
        ({}, "lavish", []),
        ({"max_drop": None, "max_reconstruction_rise": None}, "worse", []),
    ],
)
def test_beside_the_last_model(bench, asked, candidate, sentences):
    judged = bench.judge(dataclasses.replace(MARGINS, **asked), candidate, "last")
    assert judged.read().failures == sentences
    assert judged.blessed == (not sentences)
    assert judged.read().baseline["elbo"] == pytest.approx(-100)
