"""The two ways in which a run ends in order without a model, and the figures in what is said of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Integral

MOST_DIGITS = 15  # of a figure that is written out


def figure(n: float) -> str:
    """Return a number for a sentence: 1,234,567, and 8.3e+23 in place of its 24 digits.

    Args:
        n: Any number, NumPy's included.
    """
    number = int(n) if isinstance(n, Integral) else float(n)
    if number != number or abs(number) == float("inf"):
        return f"{number}"
    if abs(number) >= 10**MOST_DIGITS:
        return f"{Decimal(number):.1e}"  # by way of Decimal, for integers may be larger than any float
    return f"{number:,}" if isinstance(number, int) else f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"


class InputError(ValueError):
    """The user's mistake: an argument, the configuration or the input. Ends the run with exit status 2.

    The message is one line for the person who meets it: what was wrong, where, what to do.

    Args:
        message: That line.
        rejects: Pictures refused on the way, as `{"path": ..., "reason": ...}`, so that they are listed all the same.
    """

    def __init__(self, message: str, rejects: Sequence[dict[str, str]] = ()):
        super().__init__(message)
        self.rejects = list(rejects)


class GateRefused(RuntimeError):
    """A gate said no: nothing is pushed. Ends the run with exit status 3.

    Args:
        gate: Which gate: "data", "model" or "serving".
        reasons: What was wrong, a sentence each.
        rejects: Pictures refused on the way, as `{"path": ..., "reason": ...}`, so that they are listed all the same.
        evidence: For each reason what shows it, in the gate's own terms.
        compared_with: The URI of what the gate compared with, '' for nothing.
        drift: By feature, how far the data is from that.
    """

    def __init__(
        self,
        gate: str,
        reasons: Sequence[str],
        rejects: Sequence[dict[str, str]] = (),
        evidence: Sequence[dict[str, object]] = (),
        compared_with: str = "",
        drift: Mapping[str, float] | None = None,
    ):
        super().__init__(f"the {gate} gate said no: {'; '.join(reasons)}")
        self.gate = gate
        self.reasons = list(reasons)
        self.rejects = list(rejects)
        self.evidence = list(evidence)
        self.compared_with = compared_with
        self.drift = dict(drift or {})


def one_line(error: Exception | str) -> str:
    """Returns the first line of what an error says, without TensorFlow's names of the nodes it passed."""
    first = (str(error) or type(error).__name__).splitlines()[0]
    return re.sub(r"\[\[.*|\{\{.*?\}\}", "", first).strip().rstrip(".")
