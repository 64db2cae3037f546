"""Read the Evaluator's results: figures of the model and of the baseline, overall and by label, and failed thresholds."""

from __future__ import annotations

import functools
import math
import os
from dataclasses import dataclass, field

from common.features import LABEL

MARGIN = 5 * math.sqrt(2)  # allowed drop below another model, in standard deviations over seeds: 5 of the difference of two models
UNPAID_RISE = "unpaid_rise"  # the metric `components.evaluation.unpaid_rise`
NAMES = {
    "elbo": "ELBO",
    "importance_weighted": "importance-weighted bound",
    "reconstruction": "reconstruction term",
    "kl": "KL divergence",
    "gain": "gain over the mean picture",
}


@dataclass(frozen=True)
class Evaluation:
    """An evaluation. The figures are means over pictures, in nats."""

    # The model's figures by name: `elbo`, `reconstruction`, `kl`, `importance_weighted`, `gain`
    candidate: dict[str, float] = field(default_factory=dict)
    baseline: dict[str, float] = field(default_factory=dict)  # the figures of the last blessed model; empty if there was none
    pictures: int | None = None  # number of pictures
    per_label: dict[str, dict[str, float]] = field(default_factory=dict)  # the model's figures by label; each includes `pictures`
    failures: list[str] = field(default_factory=list)  # one sentence for each missed threshold


@functools.cache  # artifacts do not change after they are written
def read_evaluation(uri: str) -> Evaluation:
    """Read the evaluation artifact in a folder; empty if the folder does not hold one."""
    import tensorflow_model_analysis as tfma  # takes seconds, and every reader of verdicts imports this module
    from tfx.dsl.io import fileio

    if not fileio.exists(os.path.join(uri, "eval_config.json")):
        return Evaluation()
    specs = tfma.load_eval_result(uri).config.model_specs
    judged = any(spec.is_baseline for spec in specs)
    candidate = _slices(uri, tfma.CANDIDATE_KEY if judged else None)
    baseline = _slices(uri, tfma.BASELINE_KEY) if judged else {}
    overall = candidate.pop((), {})
    return Evaluation(
        candidate={k: v for k, v in overall.items() if k != "pictures"},
        baseline={k: v for k, v in baseline.get((), {}).items() if k != "pictures"},
        pictures=int(overall["pictures"]) if "pictures" in overall else None,
        per_label={key[0][1]: figures for key, figures in candidate.items() if len(key) == 1 and key[0][0] == LABEL},
        failures=_failures(uri),
    )


def _slices(uri: str, model_name: str | None) -> dict[tuple, dict[str, float]]:
    """Return the figures of one model by slice."""
    import tensorflow_model_analysis as tfma

    result = tfma.load_eval_result(uri, model_name=model_name)
    slices = {}
    for key, outputs in result.slicing_metrics:
        figures = {}
        for output, by_sub_key in outputs.items():
            for metric, value in by_sub_key.get("", {}).items():
                number = float(value.get("doubleValue", math.nan))  # TFMA returns values that are not numbers as text
                if math.isfinite(number) and metric in ("mean_prediction", "example_count"):
                    figures[output if metric == "mean_prediction" else "pictures"] = number
        slices[key] = figures
    return slices


def _failures(uri: str) -> list[str]:
    import tensorflow_model_analysis as tfma

    try:
        result = tfma.load_validation_result(uri)
    except (OSError, IndexError, ValueError):
        return []
    failures = [failure for validated in result.metric_validations_per_slice for failure in validated.failures]
    order = list(NAMES)
    failures.sort(key=lambda f: order.index(f.metric_key.output_name) if f.metric_key.output_name in order else len(order))
    sentences = [_sentence(failure) for failure in failures]
    return sentences + [f"there are no held-out pictures to evaluate ({missing})" for missing in result.missing_slices]


def _sentence(failure) -> str:
    """Describe a failure: the figure, its value and the allowed value."""
    key, threshold = failure.metric_key, failure.metric_threshold
    name = NAMES.get(key.output_name, key.output_name)
    if not failure.HasField("metric_value"):
        return f"{name} was not measured"
    value = failure.metric_value.double_value.value
    if not math.isfinite(value):
        return f"{name} is not a number"
    bounds = threshold.value_threshold
    if key.is_diff:
        allowed = -threshold.change_threshold.absolute.value
        return f"{name} is {-value:.2f} nats worse than the last blessed model's; {allowed:.2f} is allowed"
    if key.name == UNPAID_RISE:
        allowed = bounds.upper_bound.value
        return f"{name} is {value:.2f} nats above the last blessed model's and the ELBO is not better; {allowed:.2f} is allowed"
    if bounds.HasField("lower_bound") and value < bounds.lower_bound.value:
        bound = bounds.lower_bound.value
        return f"{name} is {value:.2f} nats; the minimum is {bound:.2f} ({bound - value:.2f} too low)"
    bound = bounds.upper_bound.value
    return f"{name} is {value:.2f} nats; the maximum is {bound:.2f} ({value - bound:.2f} too high)"
