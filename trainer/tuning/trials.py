"""Results of trials, as the report and the run's verdict read them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from trainer.tuning.config import TuningConfig

FILE = "trials.json"
HIGHER_IS_BETTER = {"elbo": True, "bits_per_dimension": False}  # by objective


@dataclass(frozen=True)
class Trial:
    """One configuration that was tried. Figures are on held-out images, nats per image, in the units of the trial's likelihood.

    Attributes:
        number: From 1, in the order of the trials.
        values: Values of the trial, by the fields' full names.
        state: `done`, or `failed` for the `reason`: training diverged, or the values were not consistent.
        bits_per_dimension: See `trainer.tuning.levels`. None if trials are not compared by it.
        epochs: Number of epochs trained.
        best_epoch: The epoch of the figures.
        seconds: Total time.
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
        """Return the figure that trials are compared by."""
        return getattr(self, objective)


@dataclass
class Trials:
    """All trials of a search.

    Attributes:
        tuning: Configuration of the search.
        epochs: Maximum number of epochs of each trial.
        pictures: Number of images by split, for training and for the comparison.
        trials: The trials in their order.
    """

    tuning: TuningConfig
    epochs: int
    pictures: dict[str, int]
    trials: list[Trial] = field(default_factory=list)

    @property
    def best(self) -> Trial | None:
        """Return the best completed trial so far, the first of equals. Return None if none was completed."""
        done = [trial for trial in self.trials if trial.state == "done"]
        sign = 1 if HIGHER_IS_BETTER[self.tuning.objective] else -1
        return max(done, key=lambda trial: sign * trial.score(self.tuning.objective), default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `trials.json`."""
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
