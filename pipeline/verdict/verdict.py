"""The verdict of a run, which is stored in `verdict.json`: assemble it, write it and read it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from common.errors import GateRefused, InputError, MachineFault
from common.writing import write_text
from pipeline.verdict.status import Status

FILE = "verdict.json"
# The fields that components fill.
PARTS = ("data", "drift", "tuning", "figures", "baseline", "quality", "blessed_by", "overruled", "unjudged", "model")


class DamagedVerdict(InputError):
    """A `verdict.json` cannot be read."""


class Ending(NamedTuple):
    """How a run ends."""

    status: Status  # the exit status
    gate: str | None = None  # the gate that refused
    reasons: Sequence[str] = ()  # the reasons why nothing was pushed, one sentence each


@dataclass
class Verdict:
    """How a run ended. The fields are those of `verdict.json`, described in `docs/verdict.md`."""

    run: str  # the run's id
    title: str  # the subject of the pictures
    images: str  # where the pictures came from
    started: str  # local time, ISO 8601
    schema: int = 1  # version of this format
    seconds: float = 0.0  # duration of the run in seconds
    status: int = Status.FAULT  # the exit status
    outcome: str = Status.FAULT.word  # the exit status as one word
    gate: str | None = None  # the gate that refused
    reasons: list[str] = field(default_factory=list)  # the reasons why nothing was pushed, one sentence each
    # The number of pictures by split, of rejected pictures, and of pictures left out as copies of others
    data: dict[str, Any] = field(default_factory=dict)
    # The divergence from the last accepted pictures by feature; empty without a baseline
    drift: dict[str, float] = field(default_factory=dict)
    tuning: dict[str, Any] = field(default_factory=dict)  # the result of the hyperparameter search; empty without a search
    figures: dict[str, float] = field(default_factory=dict)  # the model's metrics on held-out pictures, nats per picture
    # The metrics of the last blessed model on the same pictures; empty without one
    baseline: dict[str, float] = field(default_factory=dict)
    # How close generated and reconstructed pictures are to held-out ones: the content of quality.json
    quality: dict[str, Any] = field(default_factory=dict)
    # `who`, `why` and `when`, if a person forced the blessing of a model that the model gate had refused
    blessed_by: dict[str, str] | None = None
    overruled: list[str] = field(default_factory=list)  # the reasons of the model gate in that case, one sentence each
    # Bounds on new pictures that the model gate could not apply, one sentence each
    unjudged: list[str] = field(default_factory=list)
    model: dict[str, Any] = field(default_factory=dict)  # the model artifact, and its version and folder if it was pushed
    components: list[dict[str, Any]] = field(default_factory=list)  # name, state and seconds of each component
    report: str | None = None  # the page of the report

    def end(self, status: Status, gate: str | None = None, reasons: Sequence[str] | None = ()) -> None:
        """Set how the run ended."""
        self.status, self.outcome, self.gate, self.reasons = int(status), status.word, gate, list(reasons or ())

    def add(self, name: str, state: str, seconds: float, parts: Mapping[str, Any]) -> None:
        """Add a finished component with its fields of the verdict; see `pipeline.verdict.nodes.Summary`. Ignore other names."""
        step = {"name": name, "state": state, "seconds": round(seconds, 3)}
        self.components = [other for other in self.components if other["name"] != name] + [step]
        for part, value in parts.items():
            if part == "model":
                self.model |= value
            elif part in PARTS:
                setattr(self, part, value)

    def to_json(self) -> str:
        """Return the content of `verdict.json`."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    def write(self, path: Path) -> None:
        """Write `verdict.json`, completely or not at all."""
        write_text(self.to_json(), path)


def read_verdict(folder: Path) -> Verdict | None:
    """Return the verdict of a run from its folder; None if the run has not ended. Raise DamagedVerdict if it is not a verdict."""
    try:
        return parse_verdict((folder / FILE).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        raise DamagedVerdict(f"the verdict of run {folder.name} is damaged: {folder / FILE}") from None


def parse_verdict(content: bytes) -> Verdict:
    """Return a verdict from the content of `verdict.json`, of this or an earlier version; raise ValueError if it is none."""
    values = json.loads(content)
    try:
        Status(values["status"])
        return Verdict(**{item.name: values[item.name] for item in fields(Verdict) if item.name in values})
    except (KeyError, TypeError) as error:
        raise ValueError(str(error)) from None


def read_verdicts(runs: Iterable[Path]) -> list[Verdict]:
    """Return the verdicts of the runs that have ended, in the order of their folders; damaged ones are skipped."""
    verdicts = []
    for folder in runs:
        with suppress(DamagedVerdict, OSError):
            verdict = read_verdict(folder)
            verdicts += [verdict] if verdict else []
    return verdicts


def ending_of(error: BaseException, limit: int = 300) -> Ending:
    """Return how a run ends that raises an exception; `limit` bounds the message of an unexpected exception, in characters."""
    if isinstance(error, GateRefused):
        return Ending(Status.REFUSED, error.gate, error.reasons)
    if isinstance(error, InputError):
        return Ending(Status.MISTAKE, None, [str(error)])
    if isinstance(error, MachineFault):
        return Ending(Status.FAULT, None, [str(error)])
    text = " ".join(str(error).split())
    return Ending(Status.FAULT, None, [f"{type(error).__name__}: {text[:limit]}" if text else type(error).__name__])
