"""The executor of the model gate: run the checks that the Evaluator does not, and combine all decisions."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Sequence
from typing import Any

from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components.artifacts import Artifacts
from components.decisions import (
    ACCURACY,
    BLESSED,
    ELBO_BELOW,
    EVALUATION_ID,
    FORCED_BLESSING_ID,
    FRECHET_ABOVE,
    LABELS,
    PICTURES,
    RECORD,
    SUBJECT_ID,
    Forced,
    RolledBack,
    get_property,
    write_decision,
)
from components.evaluation.results import Evaluation, read_evaluation
from components.feature_extractor.description import Description, read_description
from components.model_gate.config import PictureLimits
from components.model_gate.pictures import PictureJudgement, accumulated_rise, judge_pictures
from components.sample_quality.figures import QUALITY, Quality

STANDARD_ERRORS = 3.0
MARKERS = (constants.BLESSED_FILE_NAME, constants.NOT_BLESSED_FILE_NAME)
COPIED = (SUBJECT_ID, constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY)


class Executor(base_executor.BaseExecutor):
    """See `components.model_gate.component.ModelGate`."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Write the blessing: TFX's file and properties, and `blessing.json` with the decision and who made it."""
        evaluation = artifact_utils.get_single_instance(input_dict["evaluation"])
        evaluator_blessing = artifact_utils.get_single_instance(input_dict["evaluator_blessing"])
        earlier, withdrawal, last, features, measured = (
            next(iter(input_dict.get(name) or ()), None)
            for name in ("forced_blessing", "withdrawal", "last_blessing", "features", "quality")
        )
        if withdrawal and earlier and earlier.id < withdrawal.id:
            earlier = None  # a person's last decision is decisive

        rollback = RolledBack.read(withdrawal)
        results = read_evaluation(evaluation.uri)
        labels = read_description(features.uri) if features else None
        elbo_drop = drop_below_best(results, last)
        pictures = judge_new_pictures(measured, exec_properties, last)
        failures = [
            *([f"this model was withdrawn by a rollback on {rollback}"] if rollback else []),
            *label_failures(labels, last, exec_properties.get("max_label_accuracy_drop")),
            *accumulated_drop_failures(results, elbo_drop, exec_properties.get("max_drop")),
            *pictures.failures,
        ]
        refused = get_property(evaluator_blessing, BLESSED) != constants.BLESSED_VALUE or bool(failures)
        forced = decide(Forced.read(earlier), exec_properties["who"], exec_properties["why"]) if refused else None

        properties = {name: get_property(evaluator_blessing, name) for name in COPIED}
        if labels and labels.accuracy is not None:
            properties |= {ACCURACY: labels.accuracy, PICTURES: labels.held_out, LABELS: hash_of(labels.labels)}
        # After a forced blessing, later models are compared with this one.
        properties[ELBO_BELOW] = 0.0 if forced else elbo_drop
        properties[FRECHET_ABOVE] = 0.0 if forced else accumulated_rise(get_property(last, FRECHET_ABOVE, 0.0), pictures.rise)
        if forced:
            properties |= forced.properties()
            properties[FORCED_BLESSING_ID] = earlier.id if earlier and forced == Forced.read(earlier) else None
        blessed = bool(forced) or not refused
        record = {
            "blessed": blessed,
            "forced": dataclasses.asdict(forced) if forced else None,
            "evaluation": evaluation.uri,
            "failures": [*results.failures, *failures],
            "unjudged": pictures.unjudged,
        }
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        write_decision(
            blessing, blessed, (RECORD, record), properties={EVALUATION_ID: evaluation.id, **properties}, markers=MARKERS
        )


def decide(earlier: Forced | None, who: str, why: str) -> Forced | None:
    """Return the forced blessing of a refused model: the one requested now, else an earlier one, else None."""
    if why and (earlier is None or (earlier.who, earlier.why) != (who, why)):
        return Forced.now(who, why)
    return earlier


def drop_below_best(results: Evaluation, last: types.Artifact | None) -> float:
    """Return how far the model's ELBO is below the best earlier one's, nats per picture; 0 if it is the best.

    Each model was compared with the previous one on the same pictures; these differences are summed.
    """
    if not results.baseline:
        return 0.0
    return max(0.0, get_property(last, ELBO_BELOW, 0.0) + results.baseline["elbo"] - results.candidate["elbo"])


def accumulated_drop_failures(results: Evaluation, drop: float, max_drop: float | None) -> list[str]:
    """Return the reason to refuse a model that is within the allowed drop from the last model, but not from the best one."""
    if max_drop is None or drop <= max_drop or results.baseline["elbo"] - results.candidate["elbo"] > max_drop:
        return []  # the Evaluator reports a single drop that is too large
    return [
        f"ELBO is {drop:.2f} nats worse than the best earlier model's, after several small drops; "
        f"{max_drop:.2f} is allowed in total (evaluation.max_drop)"
    ]


def judge_new_pictures(
    measured: types.Artifact | None, exec_properties: dict[str, Any], last: types.Artifact | None
) -> PictureJudgement:
    """Judge SampleQuality's figures of new pictures by the limits in the parameters."""
    quality = None
    if measured:
        with fileio.open(os.path.join(measured.uri, QUALITY), "r") as file:
            quality = Quality.from_dict(json.load(file))
    limits = PictureLimits(**json.loads(exec_properties.get("picture_limits") or "{}"))
    return judge_pictures(quality, limits, get_property(last, FRECHET_ABOVE, 0.0))


def label_failures(now: Description | None, last: types.Artifact | None, max_drop: float | None) -> list[str]:
    """Return the reason to refuse a model if a classifier learns the labels far worse than at the last blessed model.

    The drop must exceed `max_drop` and chance: three standard errors of the difference of two shares. Other sets of labels are not
    compared: more labels, or finer ones, are harder to distinguish.
    """
    before = get_property(last, ACCURACY)
    if max_drop is None or before is None or now is None or now.accuracy is None:
        return []
    if hash_of(now.labels) != get_property(last, LABELS):
        return []
    pictures = get_property(last, PICTURES)
    error = math.sqrt(before * (1 - before) / max(pictures, 1) + now.accuracy * (1 - now.accuracy) / max(now.held_out, 1))
    if before - now.accuracy <= max(max_drop, STANDARD_ERRORS * error):
        return []
    return [
        f"the labels look shuffled: a classifier trained on them labels {now.accuracy:.1%} of {now.held_out:,} "
        f"held-out pictures correctly, {before:.1%} at the last blessed model; "
        f"evaluation.max_label_accuracy_drop allows a drop of {max_drop:.0%}"
    ]


def hash_of(labels: Sequence[str]) -> str:
    """Return the SHA-256 of a set of labels."""
    return hashlib.sha256(json.dumps(sorted(labels)).encode()).hexdigest()
