"""What the tests of the trainer share: a Transform graph, one run of the Trainer, and a process with two devices."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from tests.trainer import tiny
from trainer.config import GenerationConfig, TrainerConfig


@pytest.fixture(scope="session")
def graph(tmp_path_factory: pytest.TempPathFactory) -> tft.TFTransformOutput:
    """The Transform graph of `tiny.PREPROCESSING`."""
    return tiny.transform_graph(tmp_path_factory.mktemp("transform"))


@dataclasses.dataclass(frozen=True)
class Trained:
    """One run of the Trainer.

    Attributes:
        model: The SavedModel's folder.
        run: The folder of the `model_run` artifact.
        held_out: The held-out pictures' bytes, in the order of the files.
        labels: Their labels, "" for none.
        train_labels: Those of the training pictures.
        loaded: The exported model.
    """

    model: Path
    run: Path
    held_out: list[bytes]
    labels: list[str]
    train_labels: list[str]
    loaded: tf.Module

    def json(self, name: str) -> dict:
        """A JSON file of the model's or the run's folder."""
        folder = self.model if (self.model / name).exists() else self.run
        return json.loads((folder / name).read_text(encoding="utf-8"))

    def ask(self, signature: str, **inputs: object) -> dict[str, np.ndarray]:
        """What the exported model answers."""
        return {name: value.numpy() for name, value in self.loaded.signatures[signature](**inputs).items()}


def run_trainer(
    folder: Path,
    graph: tft.TFTransformOutput,
    config: TrainerConfig,
    splits: dict[str, list[bytes]],
    labels: dict,
    checkpoints: Path | None = None,
) -> Trained:
    """Runs the Trainer as TFX calls it, on pictures' bytes and labels by split, with checkpoints if there is a folder for them."""
    from tfx.components.trainer.fn_args_utils import FnArgs

    from trainer.task import run_fn

    tiny.write_examples(folder / "examples", splits, labels)
    model, run = folder / "model" / "Format-Serving", folder / "run"
    model.mkdir(parents=True)
    run_fn(
        FnArgs(
            train_files=[str(folder / "examples" / "Split-train" / "*")],
            eval_files=[str(folder / "examples" / "Split-eval" / "*")],
            transform_output=os.path.dirname(graph.transform_savedmodel_dir),
            serving_model_dir=str(model),
            model_run_dir=str(run),
            custom_config=json.loads(json.dumps({"trainer": config.to_dict(), "code": "", "checkpoints": str(checkpoints or "")})),
        )
    )
    return Trained(model, run, splits["eval"], labels["eval"], labels["train"], tf.saved_model.load(str(model)))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, graph: tft.TFTransformOutput) -> Trained:
    """A run on PNG bars among pictures of other sizes and kinds, which have no label."""
    others = [tiny.encode(tiny.noise(seed, 12, 10, 3), kind) for seed, kind in enumerate(("JPEG", "BMP", "GIF", "PNG"))]
    splits, labels = {}, {}
    for split, count, seed in (("train", 96, 0), ("eval", 37, 1)):
        bars = tiny.labelled_bars(count, seed)
        splits[split] = [*others, *map(tiny.encode, bars.levels)]
        labels[split] = [""] * len(others) + [tiny.LABELS[label] for label in bars.labels]
    return run_trainer(tmp_path_factory.mktemp("trained"), graph, tiny.CONFIG, splits, labels)


@pytest.fixture(scope="session")
def conditional(tmp_path_factory: pytest.TempPathFactory, graph: tft.TFTransformOutput) -> Trained:
    """A run of a conditional model on bars, a quarter of them upright, whose codes are drawn from a mixture."""
    splits, labels = {}, {}
    for split, count, seed in (("train", 400, 0), ("eval", 60, 1)):
        bars = tiny.labelled_bars(count, seed)
        kept = (bars.labels == 0) | (np.arange(count) % 3 == 0)
        splits[split] = [tiny.encode(picture) for picture in bars.levels[kept]]
        labels[split] = [tiny.LABELS[label] for label in bars.labels[kept]]
    config = dataclasses.replace(
        tiny.CONFIG,
        model=dataclasses.replace(tiny.MODEL, hidden=(32, 32), conditional=True),
        training=dataclasses.replace(tiny.TRAINING, epochs=20),
        generation=GenerationConfig(density="mixture", components=4),
    )
    return run_trainer(tmp_path_factory.mktemp("conditional"), graph, config, splits, labels)


@pytest.fixture(scope="session")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What `tests.trainer.replicas` found in a process of its own."""
    return run_replicas(tmp_path_factory.mktemp("replicas"), "plain")


@pytest.fixture(scope="session")
def replicas_of_variants(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The same of other kinds of models and of noise."""
    return run_replicas(tmp_path_factory.mktemp("variants"), "variants")


def run_replicas(folder: Path, what: str) -> dict:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.trainer.replicas", str(folder), what]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads((folder / "found.json").read_text(encoding="utf-8"))
