"""The decisions of gates and persons, as stored in a blessing artifact.

Every gate collects its reasons for a refusal and calls `write_decision`. The data gate instead raises `GateRefused` if it refuses,
because the steps behind it must not run: TFX runs them after any component that succeeds.
"""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:  # importing TFX takes seconds, and every reader of verdicts imports this module
    from tfx import types

# Custom properties of every blessing.
BLESSED = "blessed"  # 1 or 0
SUBJECT_ID = "current_model_id"  # of the judged artifact; TFX's Evaluator chose the name, and the data gate uses it for statistics

# Custom properties of the data gate's blessing.
BASELINE_ID = "baseline_id"  # of the statistics that the pictures were compared with, 0 for none
REJECTS = "reject_share"  # share of pictures that were rejected at ingestion
SPANS = "spans"  # the picture counts of each span, as JSON; see `components.image_example_gen.writing.by_span`

# Custom properties of the model gate's blessing.
EVALUATION_ID = "evaluation_id"  # of the judged evaluation; it distinguishes our gate's blessings from the Evaluator's
ACCURACY = "label_accuracy"  # of a classifier of the labels
PICTURES = "label_pictures"  # number of held-out pictures for it
LABELS = "labels_sha256"  # hash of the labels
ELBO_BELOW = "elbo_below_best"  # nats: drop of the ELBO below the best in the row of models that were judged one by the other
# log of the Frechet distance of its pictures over that of the best in that row: see `components.model_gate.pictures`
FRECHET_ABOVE = "frechet_above_best"
FORCED_BLESSING_ID = "forced_blessing_id"  # of the earlier forced blessing that this one repeats
WEIGHTS_SUM = "weights_sha256"  # of a rolled-back model: training it again gives the same weights

RECORD = "blessing.json"  # file in a model blessing's folder: the decision, and who made it
SERVING_RECORD = "serving_check.json"  # file in an infra blessing's folder

_T = TypeVar("_T", bound="PersonalDecision")


def write_decision(
    blessing: types.Artifact,
    blessed: bool,
    record: tuple[str, Mapping[str, Any]],
    *,
    properties: Mapping[str, int | float | str | None] | None = None,
    markers: tuple[str, str] | None = None,
) -> None:
    """Write a gate's decision to its output artifact.

    Args:
        blessing: The artifact.
        blessed: The decision.
        record: Name and content of the JSON file with the reasons.
        properties: Further custom properties; None values are not set.
        markers: Names of the empty file for a blessing and for a refusal, as TFX's own gate of this kind writes them.
    """
    from tfx.utils import io_utils

    set_properties(blessing, {BLESSED: int(blessed), **(properties or {})})
    name, content = record
    io_utils.write_string_file(os.path.join(blessing.uri, name), json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    if markers:
        io_utils.write_string_file(os.path.join(blessing.uri, markers[not blessed]), "")


def set_properties(artifact: types.Artifact, values: Mapping[str, int | float | str | None]) -> None:
    """Set custom properties of an artifact; None values are skipped."""
    setters = {
        int: artifact.set_int_custom_property,
        float: artifact.set_float_custom_property,
        str: artifact.set_string_custom_property,
    }
    for name, value in values.items():
        if value is not None:
            setters[type(value)](name, value)


def get_property(artifact: types.Artifact | None, name: str, default: Any = None) -> Any:
    """Return a custom property of an artifact, or the default if there is no artifact or it lacks the property."""
    if artifact is None or not artifact.has_custom_property(name):
        return default
    value = artifact.get_json_value_custom_property(name)  # on Vertex AI
    if value is None:
        stored = artifact.mlmd_artifact.custom_properties[name]
        value = getattr(stored, stored.WhichOneof("value"))
    return value


@dataclass(frozen=True)
class PersonalDecision:
    """A person's decision against a gate's."""

    who: str  # the person, as user@host
    why: str  # the reason given
    when: str  # local time with offset, ISO 8601
    KIND: ClassVar[str]

    @classmethod
    def now(cls: type[_T], who: str, why: str) -> _T:
        """Return a decision made now, with the reason in one line."""
        return cls(who, " ".join(why.split()), datetime.datetime.now().astimezone().isoformat(timespec="seconds"))

    @classmethod
    def property(cls, name: str) -> str:
        """Return the name of the custom property that holds `who`, `why` or `when`."""
        return f"{cls.KIND}_{'by' if name == 'who' else name}"

    @classmethod
    def read(cls: type[_T], blessing: types.Artifact | None) -> _T | None:
        """Return the decision stored in a blessing, or None if it has none of this kind."""
        values = [get_property(blessing, cls.property(name)) for name in ("who", "why", "when")]
        return None if values[0] is None else cls(*values)

    def properties(self) -> dict[str, str]:
        """Return the decision as custom properties."""
        return {self.property(name): value for name, value in (("who", self.who), ("why", self.why), ("when", self.when))}


class Forced(PersonalDecision):
    """A forced blessing: the person who had a refused model blessed."""

    KIND = "forced"


class RolledBack(PersonalDecision):
    """A rollback: the blessing of the reinstated model, and the withdrawal of the models pushed after it."""

    KIND = "rolled_back"

    def __str__(self) -> str:
        reason = f": {self.why}" if self.why else ", who gave no reason"
        return f"{self.when} by {self.who}{reason}"
