"""What the search for hyperparameters can be told."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge

from trainer.config import PositiveInt

DEFAULT_SPACE: dict[str, Any] = {
    "model.latent_dim": {"min": 2, "max": 64, "scale": "log"},
    "model.hidden": [128, 256, 512],
    "training.beta": {"min": 0.5, "max": 2.0, "scale": "log"},
    "training.learning_rate": {"min": 3e-4, "max": 3e-3, "scale": "log"},
}


@dataclass(frozen=True)
class TuningConfig:
    """The search for hyperparameters before the training proper.

    Attributes:
        trials: How many configurations are tried; 0 for no search.
        epochs: Of each trial; null takes a quarter of `training.epochs`. All schedules are those of a training of that length.
        pictures: So many of the training pictures at the most, the same ones in every trial.
        objective: What trials are compared by, on held-out pictures: `elbo`, with beta = 1 whatever they were trained with; or
            `bits_per_dimension`, in which every likelihood counts as a probability of 256 grey levels, so that different ones
            can be compared.
        algorithm: `random`, or `bayesian`, which after some random trials proposes what a Gaussian process deems promising.
        space: Fields of `model` and `training` with a list of choices each, or with `min`, `max`, `scale` (`linear` or
            `log`) and `step`. A number for a list of layers stands for that width in each of them.
    """

    trials: Annotated[int, Ge(0)] = 0
    epochs: PositiveInt | None = None
    pictures: PositiveInt = 10_000  # to rank trials fewer do than to train the model that is kept
    objective: Literal["elbo", "bits_per_dimension"] = "elbo"
    # No Hyperband: it goes on with a trial's training where it is promising, but here a short training is no beginning of a
    # long one, for learning rate and KL weight follow schedules over the whole length.
    algorithm: Literal["random", "bayesian"] = "random"
    space: dict[str, Any] = field(default_factory=lambda: dict(DEFAULT_SPACE))

    def trial_epochs(self, epochs: int) -> int:
        """How long a trial trains for where the training proper has so many epochs."""
        return self.epochs or math.ceil(epochs / 4)
