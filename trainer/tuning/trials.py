"""What came of trials, as the Trainer's report and the run's verdict read it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from trainer.tuning.config import TuningConfig

FILE = "trials.json"
HIGHER_IS_BETTER = {"elbo": True, "bits_per_dimension": False}  # by objective


@dataclass(frozen=True)
class Trial:
    """One configuration that was tried.

    Attributes:
        number: From 1, in the order of trial.
        values: What it was tried with, by the fields' full names.
        state: `done`, or `failed` where training diverged or the values did not go together.
        reason: Why it failed.
        elbo: On held-out pictures, nats per picture, in the units of its likelihood.
        reconstruction: -log p(x|z), likewise.
        kl: KL divergence, likewise.
        bits_per_dimension: See `trainer.tuning.levels`; None where trials are not compared by it.
        epochs: Epochs trained.
        best_epoch: The one that the figures are of.
        seconds: In all.
    """

    number: int
    values: dict[str, Any]
    state: Literal["done", "failed"]
    reason: str = ""
    elbo: float | None = None
    reconstruction: float | None = None
    kl: float | None = None
    bits_per_dimension: float | None = None
    epochs: int | None = None
    best_epoch: int | None = None
    seconds: float | None = None

    def score(self, objective: str) -> float:
        """The figure that trials are compared by."""
        return getattr(self, objective)


@dataclass
class Trials:
    """All trials of a search.

    Attributes:
        tuning: What was asked for.
        epochs: Of each trial at the most.
        pictures: By split, what each trial was trained on and judged by.
        trials: In the order of trial.
    """

    tuning: TuningConfig
    epochs: int
    pictures: dict[str, int]
    trials: list[Trial] = field(default_factory=list)

    @property
    def best(self) -> Trial | None:
        """The best one so far; the first of equals. None where none came to an end."""
        done = [trial for trial in self.trials if trial.state == "done"]
        sign = 1 if HIGHER_IS_BETTER[self.tuning.objective] else -1
        return max(done, key=lambda trial: sign * trial.score(self.tuning.objective), default=None)

    def to_dict(self) -> dict[str, Any]:
        """As `trials.json` holds it."""
        best = self.best
        return {
            "schema": 1,
            "objective": self.tuning.objective,
            "algorithm": self.tuning.algorithm,
            "epochs": self.epochs,
            "pictures": self.pictures,
            "best": best.number if best else None,
            "trials": [dataclasses.asdict(trial) for trial in self.trials],
        }
