"""Training on several real workers: the same as on one device, whatever happens to the workers."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow_transform as tft

from common.errors import InputError, MachineFault
from tests.project import ROOT
from tests.trainer import tiny
from tests.trainer.conftest import Trained, run_trainer
from trainer.checkpoint import Checkpoint
from trainer.config import TrainerConfig
from trainer.task import feature_distance, training_data
from trainer.vae import VAE
from trainer.workers.job import Job
from trainer.workers.launch import train_here
from trainer.workers.worker import weights_checksum

# All that depends on more than one image: sigma and free bits on the batch, means of weights, parts, and every kind of draw.
MODEL = {"likelihood": "gaussian", "sigma": "optimal", "conditional": True}
TRAINING = {
    "epochs": 2,
    "free_bits": 0.1,
    "corruption": "masking",
    "augmentation": ("mirrored", "shifted", "jittered"),
    "accumulate": 2,
    "weight_average": 0.9,
    "feature_weight": 0.3,
}


def written(
    folder: Path, workers: int, model: dict[str, object], checkpoint: Path | None = None, **training: object
) -> tuple[Job, VAE]:
    """A job on bars, and a model of its networks."""
    config = dataclasses.replace(
        tiny.CONFIG,
        model=dataclasses.replace(tiny.MODEL, **model),
        training=dataclasses.replace(tiny.TRAINING, strategy="multi_worker", workers=workers, **training),
    )
    pictures = {"train": tiny.labelled_bars(97), "eval": tiny.labelled_bars(40, seed=1)}
    keras.utils.set_random_seed(config.training.seed)
    data = training_data(config, pictures["train"], len(tiny.LABELS))
    vae, job = VAE(config.model, tiny.SHAPE, data), Job(folder)
    job.write(
        config,
        pictures,
        data,
        vae.get_weights(),
        feature_distance(config.training, pictures["train"]),
        checkpoint and Checkpoint(checkpoint, "kept"),
    )
    return job, vae


def figures(history: list[dict]) -> np.ndarray:
    return np.array([[*line["train"].values(), *line["eval"].values(), line["beta"]] for line in history])


def test_three_workers_train_as_one_device_does(tmp_path: Path) -> None:
    """The workers themselves refuse to end with different weights; the outcome has the checksum of each."""
    job, vae = written(tmp_path / "job", 3, MODEL, **TRAINING)
    train_here(job, 3)
    outcome, course = job.read_outcome(vae)
    alone = tiny.fit(tmp_path / "alone", model=MODEL, **TRAINING)
    assert (outcome.epochs, outcome.best_epoch) == (alone.outcome.epochs, alone.outcome.best_epoch)
    np.testing.assert_allclose(figures(course.lines), figures(alone.history), rtol=1e-3, atol=1e-4)
    for mine, theirs in zip(vae.get_weights(), alone.vae.get_weights(), strict=True):
        # Adam takes steps of full length, 0.01, also along gradients that are next to nothing but rounding.
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=2e-3)
    assert job.read_checksums() == [weights_checksum(vae)] * 3


def test_divergence_on_workers_is_the_users_mistake(tmp_path: Path) -> None:
    job, _ = written(tmp_path / "job", 2, {}, epochs=1, learning_rate=1e30)
    with pytest.raises(InputError, match=r"diverged in epoch 1.*lower training.learning_rate"):
        train_here(job, 2)
    assert not list(workers_of(os.getpid()))


def test_a_worker_that_fails_ends_the_training_in_one_line(tmp_path: Path) -> None:
    job, _ = written(tmp_path / "job", 2, {})
    (job.folder / "train.levels.npy").write_bytes(b"damaged")
    with pytest.raises(
        MachineFault, match="^training worker [01] ended with status 1: .*; its last lines are in the run's log$"
    ) as raised:
        train_here(job, 2)
    assert len(str(raised.value)) < 200 and "\n" not in str(raised.value)


EPOCHS = 60


def config(**training: object) -> TrainerConfig:
    changed = {"epochs": EPOCHS, "patience": EPOCHS, **training}
    return dataclasses.replace(tiny.CONFIG, training=dataclasses.replace(tiny.TRAINING, **changed))


def trained(folder: Path, graph: tft.TFTransformOutput, checkpoints: Path | None = None, **training: object) -> Trained:
    splits, labels = {}, {}
    for split, count, seed in (("train", 96, 0), ("eval", 37, 1)):
        bars = tiny.labelled_bars(count, seed)
        splits[split], labels[split] = [tiny.encode(levels) for levels in bars.levels], [tiny.LABELS[i] for i in bars.labels]
    return run_trainer(folder, graph, config(**training), splits, labels, checkpoints)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, graph: tft.TFTransformOutput) -> Trained:
    return trained(tmp_path_factory.mktemp("alone"), graph)


@pytest.mark.slow  # workers are started twice
@pytest.mark.parametrize("index", [0, 1])
def test_a_killed_worker_comes_back_and_training_goes_on_to_the_same_end(
    index: int, tmp_path: Path, graph: tft.TFTransformOutput, alone: Trained
) -> None:
    checkpoints = tmp_path / "checkpoints"
    killed: list[int] = []

    def kill() -> None:
        """Kills a worker once there is a checkpoint."""
        while not list(checkpoints.glob("*.npz")):
            time.sleep(0.01)
        for pid in workers_of(os.getpid(), index):
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    together = trained(tmp_path / "run", graph, checkpoints, strategy="multi_worker", workers=2)
    thread.join(timeout=1)
    assert len(killed) == 1
    mine, theirs = together.json("metrics.json"), alone.json("metrics.json")
    assert 1 <= mine["resumed_from"] < EPOCHS and theirs["resumed_from"] == 0
    lines = [tiny.read_lines(run.run / "history.jsonl") for run in (together, alone)]
    np.testing.assert_allclose(figures(lines[0]), figures(lines[1]), rtol=1e-3, atol=1e-4)
    assert mine["eval"]["elbo"] == pytest.approx(theirs["eval"]["elbo"], rel=1e-3)
    codes = np.array([[0.5, -1.0], [0.0, 0.0]], np.float32)
    found, expected = (run.ask("serving_default", latents=codes)["images"].astype(int) for run in (together, alone))
    assert np.abs(found - expected).max() <= 1, "the exported model is that of one device"
    assert not list(workers_of(os.getpid()))


def workers_of(parent: int, index: int | None = None) -> Iterator[int]:
    """The processes of a launcher's workers that live, or of the one with an index."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes()
            variables = dict(each.split(b"=", 1) for each in (folder / "environ").read_bytes().split(b"\0") if b"=" in each)
        except OSError:
            continue
        if int(status[1]) != parent or status[0] == "Z" or b"trainer.workers.worker" not in command:
            continue
        if index is None or json.loads(variables[b"TF_CONFIG"])["task"]["index"] == index:
            yield int(folder.name)


@pytest.mark.slow  # workers are started twice
def test_workers_end_with_a_trainer_that_is_killed_and_the_next_one_goes_on(tmp_path: Path) -> None:
    job, vae = written(tmp_path / "job", 2, {}, checkpoint=tmp_path / "progress", epochs=150, patience=150)
    code = "import pathlib, sys; from trainer.workers import job, launch; launch.train_here(job.Job(pathlib.Path(sys.argv[1])), 2)"
    with subprocess.Popen([sys.executable, "-c", code, str(job.folder)], cwd=ROOT) as trainer:
        while not list(tmp_path.glob("progress/*.npz")):
            assert trainer.poll() is None
            time.sleep(0.01)
        workers = [f"/proc/{pid}" for pid in workers_of(trainer.pid)]
        trainer.kill()
    assert len(workers) == 2
    while any(map(os.path.exists, workers)):  # a worker that stayed would keep the test from ending
        time.sleep(0.1)
    assert not job.is_done()
    train_here(job, 2)
    assert job.read_outcome(vae)[0].resumed_from >= 1
