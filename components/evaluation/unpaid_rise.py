"""A TFMA metric: how far, in nats, the mean of a term of the ELBO is above the last blessed model's, if the mean ELBO is lower.

The terms trade off against each other: a better model may have a larger KL divergence or a larger reconstruction term. A threshold
on the change of a term would therefore refuse better models. This metric is 0 for them.
"""

from __future__ import annotations

from tensorflow_model_analysis.metrics import calibration, metric_types
from tensorflow_model_analysis.proto import config_pb2

from components.evaluation.results import UNPAID_RISE


class UnpaidRise(metric_types.Metric):
    """The change of an output's mean, in nats, from the baseline to the candidate if the candidate's mean ELBO is lower, else 0.

    It is 0 for the baseline itself, and without a baseline.

    Args:
        name: The metric's name.
        code: Hash of this file, so that a change of the file changes the evaluation's cache key.
    """

    def __init__(self, name: str = UNPAID_RISE, code: str = ""):
        super().__init__(_computations, name=name)


def _computations(
    name: str, eval_config: config_pb2.EvalConfig, model_names: list[str], output_names: list[str], example_weighted: bool = False
) -> metric_types.MetricComputations:
    baseline = next((spec.name for spec in eval_config.model_specs if spec.is_baseline), None)
    computations = []

    def mean(model: str, output: str) -> metric_types.MetricKey:
        added = calibration.MeanPrediction().computations(
            eval_config=eval_config, model_names=[model], output_names=[output], example_weighted=example_weighted
        )
        computations.extend(added)
        return added[-1].keys[0]

    for output in output_names:
        for model in model_names:
            key = metric_types.MetricKey(name=name, model_name=model, output_name=output, example_weighted=example_weighted)
            means = None
            if baseline is not None and model != baseline:
                means = [(mean(model, wanted), mean(baseline, wanted)) for wanted in (output, "elbo")]
            computations.append(_derived(key, means))
    return computations


def _derived(
    key: metric_types.MetricKey, means: list[tuple[metric_types.MetricKey, metric_types.MetricKey]] | None
) -> metric_types.DerivedMetricComputation:
    """Derive the metric from the means of both models: of the term, and of the ELBO."""

    def unpaid_rise(metrics: dict[metric_types.MetricKey, float]) -> dict[metric_types.MetricKey, float]:
        if means is None:
            return {key: 0.0}
        term, elbo = (float(metrics[candidate]) - float(metrics[baseline]) for candidate, baseline in means)
        return {key: 0.0 if elbo >= 0 else term}  # a NaN ELBO does not count as better

    return metric_types.DerivedMetricComputation(keys=[key], result=unpaid_rise)
