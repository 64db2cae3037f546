"""Configuration of the search for hyperparameters."""

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
    """The search for hyperparameters before the actual training.

    Attributes:
        trials: Number of configurations to try; 0 for no search.
        epochs: Epochs of each trial. null takes a quarter of `training.epochs`. All schedules are those of a training of that
            length.
        pictures: Maximum number of training images, the same ones in every trial.
        objective: The figure on held-out images by which trials are compared. `elbo` has beta = 1, even if a trial was trained with
            another beta. `bits_per_dimension` makes every likelihood a probability of 256 gray levels, so that different
            likelihoods can be compared.
        algorithm: `random`, or `bayesian`, which starts with random trials and then proposes values by a Gaussian process.
        space: Fields of `model` and `training`, each with a list of choices, or with `min`, `max`, `scale` (`linear` or `log`)
            and `step`. A number for a list of layers stands for that width in each of them.
    """

    trials: Annotated[int, Ge(0)] = 0
    epochs: PositiveInt | None = None
    pictures: PositiveInt = 10_000  # ranking trials takes fewer images than training the final model
    objective: Literal["elbo", "bits_per_dimension"] = "elbo"
    # No Hyperband: it resumes the training of promising trials. Here a short training is not the beginning of a long one, because
    # learning rate and KL weight follow schedules over the whole length.
    algorithm: Literal["random", "bayesian"] = "random"
    space: dict[str, Any] = field(default_factory=lambda: dict(DEFAULT_SPACE))

    def trial_epochs(self, epochs: int) -> int:
        """Return the epochs of a trial if the actual training has `epochs` epochs."""
        return self.epochs or math.ceil(epochs / 4)
