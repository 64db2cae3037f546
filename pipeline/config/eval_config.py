"""Translate the bounds and margins of the configuration to TFMA's thresholds and the limits of the model gate."""

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

FIGURES = ("elbo", "importance_weighted", "reconstruction", "kl", "gain")  # the outputs of the signature `evaluate`
OVERALL = config_pb2.SlicingSpec()
ANY_NUMBER = -sys.float_info.max


def evaluation_config(config: EvaluationConfig) -> config_pb2.EvalConfig:
    """Return TFMA's configuration: the metrics that it computes, and the thresholds for the blessing.

    The metrics are means over the pictures of the outputs of `evaluate`. Thresholds apply to all pictures together. Metrics per
    label are only reported: a label with few pictures would refuse good models by chance.
    """
    bounds = {
        # Without min_elbo any number passes. TFMA blesses no model if there is no threshold at all.
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
        # Without a label key MeanPrediction silently reports 0. Any numeric feature serves.
        model_specs=[config_pb2.ModelSpec(signature_name="evaluate", model_type="tf_generic", label_key=features.MEAN)],
        slicing_specs=[OVERALL, config_pb2.SlicingSpec(feature_keys=[features.LABEL])],
        metrics_specs=specs,
    )


def picture_limits(config: EvaluationConfig) -> PictureLimits:
    """Return the model gate's limits for new pictures."""
    return PictureLimits(**{field.name: getattr(config, field.name) for field in dataclasses.fields(PictureLimits)})


def _metric(name: str, threshold: config_pb2.MetricThreshold | None = None) -> config_pb2.MetricConfig:
    metric = config_pb2.MetricConfig(class_name=name)
    if threshold is not None and threshold != config_pb2.MetricThreshold():
        metric.per_slice_thresholds.add(slicing_specs=[OVERALL], threshold=threshold)
    return metric


def _threshold(lowest: float | None, highest: float | None, max_drop: float | None) -> config_pb2.MetricThreshold:
    """Return a threshold: bounds of a metric, and its maximum drop below the last blessed model's; None for no such limit."""
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
    """Limit the rise of a term above the last blessed model's where the ELBO is not better."""
    metric = _metric("UnpaidRise", _threshold(None, allowed, None))
    metric.module = components.evaluation.unpaid_rise.__name__
    metric.config = json.dumps({"code": code_hash(components.evaluation.unpaid_rise)})
    return metric
