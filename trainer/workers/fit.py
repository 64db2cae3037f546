"""Train a model on workers in place of this process."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainer.checkpoint import Checkpoint, training_key
from trainer.config import TrainerConfig
from trainer.data import Pictures
from trainer.features.distance import FeatureDistance
from trainer.history import History
from trainer.loop import Outcome
from trainer.vae import VAE, TrainingData
from trainer.workers.cluster import TrainJobSpec
from trainer.workers.job import Job
from trainer.workers.launch import train_here
from trainer.workers.train_job import train_on_cluster


def fit_on_workers(
    vae: VAE,
    config: TrainerConfig,
    pictures: Mapping[str, Pictures],
    data: TrainingData,
    distance: FeatureDistance | None,
    history: History,
    checkpoint: Checkpoint | None = None,
    train_job: Mapping[str, Any] | None = None,
    origin: str = "",
) -> Outcome:
    """Train a model on `training.workers` processes, as `Loop.fit` does on one.

    Args:
        vae: The model with its initial weights. It gets the trained ones.
        config: The trainer's configuration. `training.augmentation` does not contain `auto`.
        pictures: The images of the splits `train` and `eval`.
        data: The statistics that the model was built with.
        distance: The distance for `training.feature_weight`, if any.
        history: Gets a line per epoch, after the training.
        checkpoint: Checkpoint of the training on this machine.
        train_job: The fields of `TrainJobSpec`, to train on the pods of a cluster. None trains on this machine.
        origin: Text that tells this training from others of the cluster, and is the same for each attempt of a step.

    Raises:
        InputError: The training has diverged.
        MachineFault: Workers failed.
    """
    workers = config.training.workers

    def write(job: Job, kept: Checkpoint | None) -> Job:
        job.write(config, pictures, data, vae.get_weights(), distance, kept)
        return job

    def take(job: Job) -> Outcome:
        outcome, course = job.read_outcome(vae)
        for line in course.lines:
            history.write(**line)
        return outcome

    if train_job is None:
        with tempfile.TemporaryDirectory(prefix="darkroom-workers-") as folder:
            job = write(Job(Path(folder)), checkpoint)
            train_here(job, workers)
            return take(job)
    spec = TrainJobSpec(**train_job)
    name = f"darkroom-{training_key({'config': config.to_dict(), 'origin': origin}, [])[:16]}"
    shared = Path(spec.folder, name)
    job = write(Job(shared), Checkpoint(shared, "progress"))
    train_on_cluster(job, name, workers, spec)
    outcome = take(job)
    shutil.rmtree(shared)  # a failed attempt leaves it to the next one, which goes on from the checkpoint
    return outcome
