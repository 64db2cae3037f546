"""The facts about a blessed model, and a person's decisions about it, as stored in a `ModelBlessing` artifact."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeVar

if TYPE_CHECKING:  # importing TFX takes seconds, and every reader of verdicts imports this module
    from tfx import types

EVALUATION_ID = "evaluation_id"  # id of the judged evaluation; it distinguishes our gate's blessings from the Evaluator's
# Accuracy of a classifier of the labels, the number of held-out pictures for it, and a hash of the labels.
ACCURACY, PICTURES, LABELS = "label_accuracy", "label_pictures", "labels_sha256"
BELOW = "elbo_below_best"  # nats: drop of the ELBO below the best in the row of models that were judged one by the other
# log of the Frechet distance of its pictures over that of the best in that row: see `components.model_gate.pictures`
FRECHET_ABOVE = "frechet_above_best"
RECORD = "blessing.json"  # file in a blessing's folder: the decision, and who made it
FIRST_ID = "forced_blessing_id"  # the earlier forced blessing that this one repeats
WEIGHTS_SUM = "weights_sha256"  # of a rolled-back model: training it again gives the same weights
_T = TypeVar("_T", bound="Decision")


@dataclass(frozen=True)
class Decision:
    """A person's decision against the Evaluator's.

    Attributes:
        who: The person, as user@host.
        why: The reason given.
        when: Local time with offset, ISO 8601.
    """

    who: str
    why: str
    when: str
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
        if blessing is None or not blessing.has_custom_property(cls.property("who")):
            return None
        return cls(*(blessing.get_string_custom_property(cls.property(name)) for name in ("who", "why", "when")))

    def properties(self) -> dict[str, str]:
        """Return the decision as custom properties."""
        return {self.property(name): value for name, value in (("who", self.who), ("why", self.why), ("when", self.when))}

    def write(self, blessing: types.Artifact) -> None:
        """Store the decision in a blessing."""
        for name, value in self.properties().items():
            blessing.set_string_custom_property(name, value)


class Forced(Decision):
    """A forced blessing: the person who had a refused model blessed."""

    KIND = "forced"


class RolledBack(Decision):
    """A rollback: the blessing of the reinstated model, and the withdrawal of the models pushed after it."""

    KIND = "rolled_back"

    def __str__(self) -> str:
        reason = f": {self.why}" if self.why else ", who gave no reason"
        return f"{self.when} by {self.who}{reason}"
