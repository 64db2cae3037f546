"""The search: KerasTuner proposes values, and the training loop of this project trains each trial."""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import Any

import keras
import keras_tuner
import tensorflow as tf
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.errors import FailedTrialError, FatalError
from keras_tuner.oracles import BayesianOptimizationOracle, RandomSearchOracle

from common.errors import InputError
from common.progress import Progress, report_progress, reported_as
from trainer.config import TrainerConfig
from trainer.data import Pictures
from trainer.features.distance import FeatureDistance
from trainer.loop import Loop
from trainer.mirroring import decide_augmentation
from trainer.replication import get_strategy
from trainer.task import feature_distance, training_data
from trainer.tuning.config import TuningConfig
from trainer.tuning.levels import bits_per_dimension
from trainer.tuning.space import Choices, Domain, Space, decode, encode, field_value, parse_space, with_values
from trainer.tuning.trials import HIGHER_IS_BETTER, Trial, Trials
from trainer.vae import VAE

LOGGER = logging.getLogger("darkroom.tuning")
WORDS = {"elbo": "best ELBO", "bits_per_dimension": "best bits"}  # labels beside the progress bar


class _ConfigurationFirst:
    """Make an oracle start with the configuration's own values, if they lie in the space.

    So the result of the search is never worse, by its objective, than its starting point.
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Return the values of the next trial; see `keras_tuner.Oracle`."""
        if not self.trials:
            return {"status": "RUNNING", "values": {hp.name: hp.default for hp in self.hyperparameters.space}}
        proposal = super().populate_space(trial_id)
        for hp in self.hyperparameters.space if proposal.get("values") else ():
            if hasattr(hp, "max_value"):  # the Gaussian process may exceed the maximum of an integer by 1
                proposal["values"][hp.name] = min(proposal["values"][hp.name], hp.max_value)
        tried = [trial.hyperparameters.values for trial in self.trials.values()]
        # A Gaussian process repeats a proposal that it is certain of, although the result would be the same.
        return proposal if proposal.get("values") not in tried else RandomSearchOracle.populate_space(self, trial_id)


class _Random(_ConfigurationFirst, RandomSearchOracle):
    pass


class _Bayesian(_ConfigurationFirst, BayesianOptimizationOracle):
    pass


class Search(BaseTuner):
    """Trials of a configuration, each with other values from the search space and with the same seed.

    Args:
        config: The configuration whose values the trials override.
        tuning: The search space and the algorithm.
        labels: Number of labels, for conditional models.
        folder: Folder for KerasTuner's notes.

    Attributes:
        results: Results of the trials so far.
    """

    def __init__(self, config: TrainerConfig, tuning: TuningConfig, labels: int, folder: str):
        self.config, self.tuning, self.labels = config, tuning, labels
        self._distance: FeatureDistance | None = None
        epochs = tuning.trial_epochs(config.training.epochs)
        self.results = Trials(tuning, epochs, {})
        super().__init__(oracle=make_oracle(config, tuning), directory=folder, project_name="search")
        self.oracle.verbose = 0

    def search(self, train: Pictures, held_out: Pictures) -> None:
        """Run all trials on training images, and compare them by held-out images.

        Raises:
            InputError: No trial was completed.
        """
        self.results.pictures = {"train": len(train), "eval": len(held_out)}
        try:
            super().search(train=train, held_out=held_out)
        except FatalError as error:
            raise error.__cause__ or error  # noqa: B904 - the cause is what happened
        if self.results.best is None:
            last = self.results.trials[-1]
            raise InputError(
                f"none of {len(self.results.trials)} trials of the search for hyperparameters came to an end: {last.reason}; "
                "narrow tuning.space"
            )

    def run_trial(self, trial: keras_tuner.engine.trial.Trial, train: Pictures, held_out: Pictures) -> dict[str, float]:
        """Train and evaluate one configuration. Return the objective by its name.

        Raises:
            FailedTrialError: Training diverged, the model does not fit into memory, or the values are not consistent. The search
                goes on.
            FatalError: Any other error. It would occur in every trial.
        """
        encoded, begin = trial.hyperparameters.values, time.perf_counter()
        values = {name: decode(value, field_value(self.config, name)) for name, value in encoded.items()}
        done = Trial(len(self.results.trials) + 1, values, "failed")
        try:
            with reported_as(self._as_part):
                report_progress("building", done=0, total=1, unit="model")  # the build takes seconds before the first step
                figures = self._train(encoded, train, held_out)
            done = dataclasses.replace(done, state="done", **figures)
            return {self.tuning.objective: done.score(self.tuning.objective)}
        except (InputError, tf.errors.ResourceExhaustedError) as error:
            done = dataclasses.replace(done, reason=str(error).splitlines()[0])
            raise FailedTrialError(done.reason) from error
        except Exception as error:
            raise FatalError(str(error)) from error
        finally:
            done = dataclasses.replace(done, seconds=round(time.perf_counter() - begin, 3))
            self.results.trials.append(done)
            LOGGER.info("%s", done)

    def _train(self, encoded: dict[str, Any], train: Pictures, held_out: Pictures) -> dict[str, Any]:
        """Train one configuration, and return the resulting fields of `Trial`."""
        try:
            config = with_values(self.config, encoded)
        except ValueError as error:
            raise InputError(str(error)) from error
        training, _ = decide_augmentation(config.training, train)
        training = dataclasses.replace(training, epochs=self.results.epochs)
        keras.utils.set_random_seed(training.seed)
        strategy = get_strategy("mirrored" if training.strategy == "mirrored" else "one_device")
        with strategy.scope():
            vae = VAE(config.model, config.preprocessing.image_shape, training_data(config, train, self.labels))
        history = _EpochFigures()
        if training.feature_weight and self._distance is None:
            self._distance = feature_distance(training, train)  # the same in all trials
        outcome = Loop(vae, train, held_out, training, strategy, self._distance).fit(history)
        compared_by_bits = self.tuning.objective == "bits_per_dimension"
        return {
            **history.held_out[outcome.best_epoch - 1],
            "bits_per_dimension": bits_per_dimension(vae, held_out) if compared_by_bits else None,
            "epochs": outcome.epochs,
            "best_epoch": outcome.best_epoch,
        }

    def _as_part(self, progress: Progress) -> Progress:
        """Convert the progress of a trial to progress of the search."""
        before, best = len(self.results.trials), self.results.best
        share = min(1.0, progress.done / progress.total) if progress.total else 0.0
        figures: dict[str, float] = {"trial": before + 1, "of": self.tuning.trials}
        if best is not None:
            figures[WORDS[self.tuning.objective]] = best.score(self.tuning.objective)
        epochs = self.results.epochs
        return Progress("search", int((before + share) * epochs), self.tuning.trials * epochs, "epochs", figures)


class _EpochFigures:
    """A substitute for `History` in a trial: it keeps only the held-out figures of each epoch."""

    def __init__(self) -> None:
        self.held_out: list[dict[str, float]] = []

    def write(self, *, eval: dict[str, float], **_: Any) -> None:
        """Add an epoch; see `History`."""
        self.held_out.append(eval)


def make_oracle(config: TrainerConfig, tuning: TuningConfig) -> keras_tuner.Oracle:
    """Build the oracle that proposes the values of trials."""
    space = parse_space(tuning.space)
    objective = keras_tuner.Objective(tuning.objective, "max" if HIGHER_IS_BETTER[tuning.objective] else "min")
    common = {
        "objective": objective,
        "max_trials": tuning.trials,
        "hyperparameters": to_hyperparameters(space, config),
        "seed": config.training.seed + 1,  # KerasTuner takes 0 for no seed
        "max_consecutive_failed_trials": tuning.trials + 1,  # the search goes on after any number of failures
    }
    if tuning.algorithm == "random":
        return _Random(**common)
    # By default KerasTuner makes three random trials for each field, which could use up a short search.
    return _Bayesian(**common, num_initial_points=max(2, min(3 * len(space), tuning.trials // 2)))


def to_hyperparameters(space: Space, config: TrainerConfig) -> keras_tuner.HyperParameters:
    """Convert a search space to KerasTuner's. Defaults are the configuration's own values if they lie in the space."""
    made = keras_tuner.HyperParameters()
    for name, domain in space.items():
        _add(made, name, domain, field_value(config, name))
    return made


def _add(made: keras_tuner.HyperParameters, name: str, domain: Domain, current: Any) -> None:
    if isinstance(domain, Choices):
        values = encode(domain)
        made.Choice(name, values, default=next((v for v in values if decode(v, current) == current), values[0]))
        return
    own = current[0] if isinstance(current, tuple) and len(set(current)) == 1 else current
    inside = isinstance(own, (int, float)) and domain.min <= own <= domain.max
    kind = made.Float if isinstance(current, float) else made.Int
    kind(name, domain.min, domain.max, step=domain.step, sampling=domain.scale, default=own if inside else domain.min)
