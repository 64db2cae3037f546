"""What the tests of the trainer share: a Transform graph, one run of the Trainer, and a process with two devices."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402  TensorFlow reads the variable when it is imported.
import tensorflow as tf  # noqa: E402
import tensorflow_transform as tft  # noqa: E402

from tests.trainer import tiny  # noqa: E402


@pytest.fixture(scope="session")
def graph(tmp_path_factory: pytest.TempPathFactory) -> tft.TFTransformOutput:
    """The Transform graph of `tiny.PREPROCESSING`."""
    return tiny.transform_graph(tmp_path_factory.mktemp("transform"))


@dataclass(frozen=True)
class Trained:
    """One run of the Trainer.

    Attributes:
        model: The SavedModel's folder.
        run: The folder of the `model_run` artifact.
        held_out: The held-out pictures' bytes, in the order of the files.
        loaded: The exported model.
    """

    model: Path
    run: Path
    held_out: list[bytes]
    loaded: tf.Module

    def json(self, name: str) -> dict:
        """A JSON file of the model's or the run's folder."""
        folder = self.model if (self.model / name).exists() else self.run
        return json.loads((folder / name).read_text(encoding="utf-8"))

    def ask(self, signature: str, **inputs: object) -> dict[str, np.ndarray]:
        """What the exported model answers."""
        return {name: value.numpy() for name, value in self.loaded.signatures[signature](**inputs).items()}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, graph: tft.TFTransformOutput) -> Trained:
    """One run of the Trainer as TFX calls it, on PNG bars among pictures of other sizes and kinds."""
    from tfx.components.trainer.fn_args_utils import FnArgs

    from trainer.task import run_fn

    folder = tmp_path_factory.mktemp("trained")
    others = [tiny.encode(tiny.noise(seed, 12, 10, 3), kind) for seed, kind in enumerate(("JPEG", "BMP", "GIF", "PNG"))]
    train, held_out = (
        [*others, *(tiny.encode(picture) for picture in tiny.bars(count, seed))] for seed, count in ((0, 96), (1, 37))
    )
    tiny.write_examples(folder / "examples", {"train": train, "eval": held_out}, {"lying": 50, "": 4, "upright": 46})
    model, run = folder / "model" / "Format-Serving", folder / "run"
    model.mkdir(parents=True)
    run_fn(
        FnArgs(
            train_files=[str(folder / "examples" / "Split-train" / "*")],
            eval_files=[str(folder / "examples" / "Split-eval" / "*")],
            transform_output=os.path.dirname(graph.transform_savedmodel_dir),
            serving_model_dir=str(model),
            model_run_dir=str(run),
            custom_config=json.loads(json.dumps({"trainer": tiny.CONFIG.to_dict()})),
        )
    )
    return Trained(model, run, held_out, tf.saved_model.load(str(model)))


@pytest.fixture(scope="session")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What `tests.trainer.replicas` found in a process of its own."""
    folder = tmp_path_factory.mktemp("replicas")
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.trainer.replicas", str(folder)]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads((folder / "found.json").read_text(encoding="utf-8"))
