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
from tfx.utils import io_utils

from components.baselines.resolvers import BLESSED, SUBJECT_ID
from components.evaluation.results import Evaluation, read_evaluation
from components.feature_extractor.description import Description, read_description
from components.model_gate.config import PictureLimits
from components.model_gate.decisions import (
    ACCURACY,
    BELOW,
    EVALUATION_ID,
    FIRST_ID,
    FRECHET_ABOVE,
    LABELS,
    PICTURES,
    RECORD,
    Forced,
    RolledBack,
)
from components.model_gate.pictures import PictureJudgement, accumulated_rise, judge_pictures
from components.sample_quality.figures import QUALITY, Quality

STANDARD_ERRORS = 3.0
PASSED_ON = (constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY)


class Executor(base_executor.BaseExecutor):
    """See `components.model_gate.component.ModelGate`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Write the blessing: TFX's file and properties, and `blessing.json` with the decision and who made it."""
        evaluation = artifact_utils.get_single_instance(input_dict["evaluation"])
        decided = artifact_utils.get_single_instance(input_dict["evaluator_blessing"])
        earlier = next(iter(input_dict.get("forced_blessing") or ()), None)
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        withdrawal = next(iter(input_dict.get("withdrawal") or ()), None)
        if withdrawal and earlier and earlier.id < withdrawal.id:
            earlier = None  # a person's last decision is decisive
        found = [
            *withdrawn(RolledBack.read(withdrawal)),
            *labels_in_disorder(input_dict, exec_properties.get("max_label_accuracy_drop")),
        ]
        last = next(iter(input_dict.get("last_blessing") or ()), None)
        judged = read_evaluation(evaluation.uri)
        below = below_best(judged, last)
        found += slid_down(judged, below, exec_properties.get("max_drop"))
        pictures = judged_pictures(input_dict, exec_properties, last)
        found += pictures.failures
        refused = decided.get_int_custom_property(BLESSED) != constants.BLESSED_VALUE or bool(found)
        forced = decide(Forced.read(earlier), exec_properties["who"], exec_properties["why"]) if refused else None

        blessing.set_int_custom_property(SUBJECT_ID, decided.get_int_custom_property(SUBJECT_ID))
        blessing.set_int_custom_property(EVALUATION_ID, evaluation.id)
        for name in PASSED_ON:
            if decided.has_custom_property(name):
                blessing.set_string_custom_property(name, decided.get_string_custom_property(name))
        for learned in learned_labels(input_dict):
            blessing.set_float_custom_property(ACCURACY, learned.accuracy)
            blessing.set_int_custom_property(PICTURES, learned.held_out)
            blessing.set_string_custom_property(LABELS, hash_of(learned.labels))
        above = accumulated_rise(frechet_above(last), pictures.rise)
        # After a forced blessing, later models are compared with this one.
        blessing.set_float_custom_property(BELOW, 0.0 if forced else below)
        blessing.set_float_custom_property(FRECHET_ABOVE, 0.0 if forced else above)
        if forced:
            forced.write(blessing)
            if earlier and forced == Forced.read(earlier):
                blessing.set_int_custom_property(FIRST_ID, earlier.id)
        blessed = bool(forced) or not refused
        blessing.set_int_custom_property(BLESSED, constants.BLESSED_VALUE if blessed else constants.NOT_BLESSED_VALUE)
        file = constants.BLESSED_FILE_NAME if blessed else constants.NOT_BLESSED_FILE_NAME
        io_utils.write_string_file(os.path.join(blessing.uri, file), "")
        record = {
            "blessed": blessed,
            "forced": dataclasses.asdict(forced) if forced else None,
            "evaluation": evaluation.uri,
            "failures": [*judged.failures, *found],
            "unjudged": pictures.unjudged,
        }
        text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
        io_utils.write_string_file(os.path.join(blessing.uri, RECORD), text)


def decide(earlier: Forced | None, who: str, why: str) -> Forced | None:
    """Return the forced blessing of a refused model: the one requested now, else an earlier one, else None."""
    if why and (earlier is None or (earlier.who, earlier.why) != (who, why)):
        return Forced.now(who, why)
    return earlier


def below_best(evaluation: Evaluation, last: types.Artifact | None) -> float:
    """Return how far the model's ELBO is below the best earlier one's, nats per picture; 0 if it is the best.

    Each model was compared with the previous one on the same pictures; these differences are summed.
    """
    if not evaluation.baseline:
        return 0.0
    before = last.get_float_custom_property(BELOW) if last is not None and last.has_custom_property(BELOW) else 0.0
    return max(0.0, before + evaluation.baseline["elbo"] - evaluation.candidate["elbo"])


def slid_down(evaluation: Evaluation, below: float, most: float | None) -> list[str]:
    """Return the reason to refuse a model that is within the allowed drop from the last model, but not from the best one."""
    if most is None or below <= most or evaluation.baseline["elbo"] - evaluation.candidate["elbo"] > most:
        return []  # the Evaluator reports a single drop that is too large
    return [
        f"ELBO is {below:.2f} nats worse than that of the best of the models before, each a little worse than the last; "
        f"allowed are {most:.2f} in all"
    ]


def judged_pictures(
    input_dict: dict[str, list[types.Artifact]], exec_properties: dict[str, Any], last: types.Artifact | None
) -> PictureJudgement:
    """Judge the figures of new pictures by the limits in the parameters."""
    quality = next((read_quality(artifact.uri) for artifact in input_dict.get("quality") or ()), None)
    limits = PictureLimits(**json.loads(exec_properties.get("picture_limits") or "{}"))
    return judge_pictures(quality, limits, frechet_above(last))


def read_quality(uri: str) -> Quality:
    """Read SampleQuality's figures from its artifact's folder."""
    with fileio.open(os.path.join(uri, QUALITY), "r") as file:
        return Quality.from_dict(json.load(file))


def frechet_above(last: types.Artifact | None) -> float:
    """Return the rise of the last blessed model's Frechet distance above the best of its row; see `accumulated_rise`."""
    return last.get_float_custom_property(FRECHET_ABOVE) if last is not None and last.has_custom_property(FRECHET_ABOVE) else 0.0


def learned_labels(input_dict: dict[str, list[types.Artifact]]) -> list[Description]:
    """Return the descriptions of feature spaces whose classifier was measured on held-out pictures."""
    found = [read_description(artifact.uri) for artifact in input_dict.get("features") or ()]
    return [description for description in found if description.accuracy is not None]


def hash_of(labels: Sequence[str]) -> str:
    """Return the SHA-256 of a set of labels."""
    return hashlib.sha256(json.dumps(sorted(labels)).encode()).hexdigest()


def labels_in_disorder(input_dict: dict[str, list[types.Artifact]], most: float | None) -> list[str]:
    """Return the reason to refuse a model if a classifier learns the labels far worse than at the last good model.

    The drop must exceed `most` and chance: three standard errors of the difference of two shares. Other sets of labels are not
    compared: more labels, or finer ones, are harder to distinguish.
    """
    last = next(iter(input_dict.get("last_blessing") or ()), None)
    if most is None or last is None or not last.has_custom_property(ACCURACY):
        return []
    before, pictures = last.get_float_custom_property(ACCURACY), last.get_int_custom_property(PICTURES)
    for now in learned_labels(input_dict):
        if hash_of(now.labels) != last.get_string_custom_property(LABELS):
            continue
        error = math.sqrt(before * (1 - before) / max(pictures, 1) + now.accuracy * (1 - now.accuracy) / max(now.held_out, 1))
        if before - now.accuracy > max(most, STANDARD_ERRORS * error):
            return [
                f"the labels are in disorder: a classifier that was trained on them names {now.accuracy:.1%} of {now.held_out:,} "
                f"held-out pictures right, {before:.1%} at the last good model; "
                f"evaluation.max_label_accuracy_drop allows {most:.0%} less"
            ]
    return []


def withdrawn(rollback: RolledBack | None) -> list[str]:
    """Return the reason to refuse a model that a person rolled back."""
    return [f"this very model was taken out of service on {rollback}"] if rollback else []
