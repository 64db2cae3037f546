"""By what a model is blessed: the configuration's bounds and margins, as TFMA's thresholds and the model gate's."""

from __future__ import annotations

import dataclasses
import json
import sys

from tensorflow_model_analysis.proto import config_pb2

import components.evaluation.unpaid_rise
from common import features
from common.code_hash import code_hash
from components.model_gate.config import PictureLimits
from pipeline.config.schema import EvaluationConfig

FIGURES = ("elbo", "importance_weighted", "reconstruction", "kl", "gain")  # what the signature `evaluate` answers with
OVERALL = config_pb2.SlicingSpec()
ANY_NUMBER = -sys.float_info.max


def evaluation_config(config: EvaluationConfig) -> config_pb2.EvalConfig:
    """What TFMA computes, and by what it blesses: means over pictures of the figures that `evaluate` answers with.

    Thresholds hold for the pictures as a whole; figures per label are reported, for a label with few pictures would refuse
    good models by chance.
    """
    bounds = {
        # Any number at all, where none is asked for: TFMA blesses nothing if it has no threshold to judge by.
        "elbo": (ANY_NUMBER if config.min_elbo is None else config.min_elbo, None),
        "importance_weighted": (config.min_importance_weighted, None),
        "reconstruction": (None, config.max_reconstruction),
        "kl": (config.min_kl, config.max_kl),
        "gain": (config.min_gain, None),
    }
    drops = {"elbo": config.max_drop, "importance_weighted": config.max_drop}
    rises = {"reconstruction": config.max_reconstruction_rise, "kl": config.max_kl_rise}
    specs = []
    for output in FIGURES:
        metrics = [_metric("MeanPrediction", _threshold(*bounds[output], drops.get(output)))]
        if rises.get(output) is not None:
            metrics.append(_unpaid_rise(rises[output]))
        specs.append(config_pb2.MetricsSpec(output_names=[output], metrics=metrics))
    specs.append(config_pb2.MetricsSpec(output_names=["elbo"], metrics=[_metric("ExampleCount")]))
    return config_pb2.EvalConfig(
        # Without a label MeanPrediction silently reports 0; any numeric feature will do.
        model_specs=[config_pb2.ModelSpec(signature_name="evaluate", model_type="tf_generic", label_key=features.MEAN)],
        slicing_specs=[OVERALL, config_pb2.SlicingSpec(feature_keys=[features.LABEL])],
        metrics_specs=specs,
    )


def picture_limits(config: EvaluationConfig) -> PictureLimits:
    """By what the model gate judges new pictures."""
    return PictureLimits(**{field.name: getattr(config, field.name) for field in dataclasses.fields(PictureLimits)})


def _metric(name: str, threshold: config_pb2.MetricThreshold | None = None) -> config_pb2.MetricConfig:
    """A metric that is computed for every slice and judged, if at all, on the pictures as a whole."""
    metric = config_pb2.MetricConfig(class_name=name)
    if threshold is not None and threshold != config_pb2.MetricThreshold():
        metric.per_slice_thresholds.add(slicing_specs=[OVERALL], threshold=threshold)
    return metric


def _threshold(lowest: float | None, highest: float | None, max_drop: float | None) -> config_pb2.MetricThreshold:
    """Bounds of a figure, and how far it may be below the last blessed model's; None for none of that."""
    threshold = config_pb2.MetricThreshold()
    if lowest is not None:
        threshold.value_threshold.lower_bound.value = lowest
    if highest is not None:
        threshold.value_threshold.upper_bound.value = highest
    if max_drop is not None:
        threshold.change_threshold.absolute.value = -max_drop
        threshold.change_threshold.direction = config_pb2.MetricDirection.HIGHER_IS_BETTER
    return threshold


def _unpaid_rise(allowed: float) -> config_pb2.MetricConfig:
    """How far a term may rise above the last blessed model's where the ELBO is not better."""
    metric = _metric("UnpaidRise", _threshold(None, allowed, None))
    metric.module = components.evaluation.unpaid_rise.__name__
    metric.config = json.dumps({"code": code_hash(components.evaluation.unpaid_rise)})
    return metric
