"""The Tuner as TFX runs it: on its artifacts, with what it leaves for the Trainer, the report and the verdict."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import tensorflow_transform as tft
from tfx.components.trainer.executor import GenericExecutor
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import standard_artifacts
from tfx.utils import json_utils

from components.tuner.component import Executor
from tests.components.report.fakes import artifact
from tests.trainer import tiny


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> tft.TFTransformOutput:
    """The Transform graph of `tiny.PREPROCESSING`."""
    return tiny.transform_graph(tmp_path_factory.mktemp("transform"))


def test_it_leaves_the_best_values_and_all_trials(
    tmp_path: Path, graph: tft.TFTransformOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    splits = {split: [tiny.encode(p) for p in tiny.bars(n, n)] for split, n in (("train", 50), ("eval", 20))}
    tiny.write_examples(tmp_path / "examples", splits)
    examples = artifact(standard_artifacts.Examples, tmp_path / "examples")
    examples.split_names = '["train", "eval"]'
    transform = artifact(standard_artifacts.TransformGraph, Path(os.path.dirname(graph.transform_savedmodel_dir)))
    outputs = {
        "best_hyperparameters": [artifact(standard_artifacts.HyperParameters, tmp_path / "best")],
        "tuner_results": [artifact(standard_artifacts.TunerResults, tmp_path / "results")],
    }
    space = {"training.learning_rate": [1e-2, 1e30]}
    tuning = {"trials": 2, "epochs": 4, "pictures": 40, "space": space}
    properties = {
        "tuner_fn": "trainer.tuning.task.tuner_fn",
        "train_args": '{"splits": ["train"]}',
        "eval_args": '{"splits": ["eval"]}',
        "custom_config": json_utils.dumps({"trainer": tiny.CONFIG.to_dict(), "tuning": tuning}),
    }
    inputs = {"examples": [examples], "transform_graph": [transform]}
    Executor(BaseExecutor.Context(tmp_dir=str(tmp_path), unique_id="1")).Do(inputs, outputs, properties)

    found = json.loads((tmp_path / "results" / "trials.json").read_text())
    assert [trial["state"] for trial in found["trials"]] == ["done", "failed"] and found["best"] == 1
    assert found["pictures"] == {"train": 40, "eval": 20} and found["epochs"] == 4
    assert list(temporary.glob("darkroom-*")) == [], "pixels are not kept"

    taken = {**inputs, "hyperparameters": outputs["best_hyperparameters"]}
    left = {"model": standard_artifacts.Model, "model_run": standard_artifacts.ModelRun}
    made = {name: [artifact(kind, tmp_path / name)] for name, kind in left.items()}
    fn_args = GenericExecutor()._GetFnArgs(taken, made, properties)
    assert fn_args.hyperparameters["values"] == {"training.learning_rate": 1e-2}
