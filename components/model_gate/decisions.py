"""What is known of a blessed model, and what a person decided about it, as a `ModelBlessing` artifact keeps it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeVar

if TYPE_CHECKING:  # importing TFX takes seconds, and whoever reads verdicts imports this module
    from tfx import types

EVALUATION_ID = "evaluation_id"  # which evaluation was decided on; by it our gate's blessings are told from the Evaluator's
# How well the labels were learned, on how many held-out pictures, and which labels they are.
ACCURACY, PICTURES, LABELS = "label_accuracy", "label_pictures", "labels_sha256"
BELOW = "elbo_below_best"  # nats: how far the ELBO is below that of the best in the row of models that were judged one by the other
# log of the Frechet distance of its pictures over that of the best in that row: see `components.model_gate.pictures`
FRECHET_ABOVE = "frechet_above_best"
RECORD = "blessing.json"  # what was decided by whom, in a blessing's folder
FIRST_ID = "forced_blessing_id"  # the blessing that was forced, where this one only stands by it
WEIGHTS_SUM = "weights_sha256"  # of a model that was rolled back from: trained again, it is the same
_T = TypeVar("_T", bound="Decision")


@dataclass(frozen=True)
class Decision:
    """Who decided otherwise than the Evaluator did.

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
        """One that is made at this moment, for a reason in one line."""
        return cls(who, " ".join(why.split()), datetime.datetime.now().astimezone().isoformat(timespec="seconds"))

    @classmethod
    def property(cls, name: str) -> str:
        """The artifact's custom property that holds `who`, `why` or `when`."""
        return f"{cls.KIND}_{'by' if name == 'who' else name}"

    @classmethod
    def read(cls: type[_T], blessing: types.Artifact | None) -> _T | None:
        """The decision that a blessing carries; None where it is none of this kind."""
        if blessing is None or not blessing.has_custom_property(cls.property("who")):
            return None
        return cls(*(blessing.get_string_custom_property(cls.property(name)) for name in ("who", "why", "when")))

    def properties(self) -> dict[str, str]:
        """It as custom properties."""
        return {self.property(name): value for name, value in (("who", self.who), ("why", self.why), ("when", self.when))}

    def write(self, blessing: types.Artifact) -> None:
        """Puts it down in a blessing."""
        for name, value in self.properties().items():
            blessing.set_string_custom_property(name, value)


class Forced(Decision):
    """Who had a model blessed that the Evaluator had refused."""

    KIND = "forced"


class RolledBack(Decision):
    """Who put an earlier model back into service: the blessing of that, and the withdrawal of those pushed after it."""

    KIND = "rolled_back"

    def __str__(self) -> str:
        reason = f": {self.why}" if self.why else ", who gave no reason"
        return f"{self.when} by {self.who}{reason}"
