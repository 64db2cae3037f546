"""The errors that have an exit status, and the number format of messages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Integral

MAX_DIGITS = 15  # longer numbers use scientific notation


def figure(n: float) -> str:
    """Format a number, also a NumPy scalar, for a sentence: 1,234,567 or 8.3e+23."""
    number = int(n) if isinstance(n, Integral) else float(n)
    if number != number or abs(number) == float("inf"):
        return f"{number}"
    if abs(number) >= 10**MAX_DIGITS:
        return f"{Decimal(number):.1e}"  # Decimal, because an integer can exceed the largest float
    return f"{number:,}" if isinstance(number, int) else f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"


class InputError(ValueError):
    """A mistake of the user in an argument, the configuration or the input. It ends the run with exit status 2.

    Args:
        message: One line for the user: what was wrong, where, and what to do.
        rejects: Pictures rejected before the error, as `{"path": ..., "reason": ...}`, so that they are still listed.
    """

    def __init__(self, message: str, rejects: Sequence[dict[str, str]] = ()):
        super().__init__(message)
        self.rejects = list(rejects)


class MachineFault(RuntimeError):
    """A fault of the machine that the program recognizes. It ends the run with exit status 1. The message is one line as in `InputError`."""


class GateRefused(RuntimeError):
    """The refusal of a gate: nothing is pushed. It ends the run with exit status 3.

    Args:
        gate: The gate: "data", "model" or "serving".
        reasons: The reasons, one sentence each.
        rejects: Pictures rejected before the refusal, as `{"path": ..., "reason": ...}`, so that they are still listed.
        evidence: One mapping for each reason, such as the fields of the data gate's `Anomaly`.
        compared_with: The URI of the artifact that the gate compared with, '' for none.
        drift: The Jensen-Shannon divergence of the data from that artifact, 0 to 1, by feature.
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
    """Return the first line of an error message, without the names of TensorFlow nodes."""
    first = (str(error) or type(error).__name__).splitlines()[0]
    return re.sub(r"\[\[.*|\{\{.*?\}\}", "", first).strip().rstrip(".")
