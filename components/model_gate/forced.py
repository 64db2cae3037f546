"""A blessing that a person forced, as a `ModelBlessing` artifact keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # importing TFX takes seconds, and whoever reads verdicts imports this module
    from tfx import types

WHO, WHY, WHEN = "forced_by", "forced_why", "forced_when"
EVALUATION_ID = "evaluation_id"  # which evaluation was decided on; by it our gate's blessings are told from the Evaluator's
RECORD = "blessing.json"  # what was decided by whom, in a blessing's folder
FIRST_ID = "forced_blessing_id"  # the blessing that was forced, where this one only stands by it


@dataclass(frozen=True)
class Forced:
    """Who had a model blessed that the Evaluator had refused.

    Attributes:
        who: The person, as user@host.
        why: The reason given.
        when: Local time with offset, ISO 8601.
    """

    who: str
    why: str
    when: str

    def write(self, blessing: types.Artifact) -> None:
        """Puts it down in a blessing's properties."""
        for name, value in ((WHO, self.who), (WHY, self.why), (WHEN, self.when)):
            blessing.set_string_custom_property(name, value)


def read_forced(blessing: types.Artifact | None) -> Forced | None:
    """Who forced a blessing; None where nobody did."""
    if blessing is None or not blessing.has_custom_property(WHO):
        return None
    return Forced(*(blessing.get_string_custom_property(name) for name in (WHO, WHY, WHEN)))
