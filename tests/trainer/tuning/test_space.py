"""Values on their way from the search space to the configuration."""

from __future__ import annotations

import json
from pathlib import Path

import keras_tuner
import pytest
from tfx.components.trainer.fn_args_utils import FnArgs

import trainer.task
from tests.trainer.tiny import CONFIG
from trainer.config import TrainerConfig
from trainer.tuning.config import TuningConfig
from trainer.tuning.space import Choices, decode, encode, with_values


def test_a_trial_is_a_quarter_as_long_where_nothing_else_is_said() -> None:
    assert [TuningConfig().trial_epochs(epochs) for epochs in (1, 4, 30)] == [1, 1, 8]
    assert TuningConfig(epochs=5).trial_epochs(30) == 5


@pytest.mark.parametrize(
    ("values", "current", "expected"),
    [
        ((2, 8, 2), 4, [2, 8]),
        (("gaussian", "bernoulli"), "bernoulli", ["gaussian", "bernoulli"]),
        ((64, 32), (16, 16), [(64, 64), (32, 32)]),
        ((64, (32, 8, 4)), (16, 16), [(64, 64), (32, 8, 4)]),
    ],
)
def test_choices_come_back_as_the_field_has_them(values: tuple, current: object, expected: list) -> None:
    assert [decode(value, current) for value in encode(Choices(values))] == expected


def test_a_choice_of_booleans_survives_keras_tuner() -> None:
    assert [decode(value, False) for value in (0, 1)] == [False, True]


def test_values_are_laid_over_the_configuration() -> None:
    changed = with_values(CONFIG, {"model.latent_dim": 5, "model.hidden": "[8, 4]", "training.beta": 2.0})
    assert (changed.model.latent_dim, changed.model.hidden, changed.training.beta) == (5, (8, 4), 2.0)
    assert changed.training.learning_rate == CONFIG.training.learning_rate and changed.title == CONFIG.title
    assert with_values(CONFIG, {}) == CONFIG


def test_values_that_do_not_go_together() -> None:
    with pytest.raises(ValueError, match="top_latent_dim"):
        with_values(CONFIG, {"model.network": "hierarchical", "model.latent_dim": 4})


def test_the_trainer_takes_the_best_values(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As TFX hands them over: KerasTuner's own file, through JSON."""
    best = keras_tuner.HyperParameters()
    best.Choice("model.hidden", ["[8, 4]"])
    best.Float("training.learning_rate", 1e-3, 1e-1, default=0.02)
    seen: list[TrainerConfig] = []
    monkeypatch.setattr(trainer.task, "train", lambda config, fn_args: seen.append(config))
    for hyperparameters in (None, json.loads(json.dumps(best.get_config()))):
        given = {"serving_model_dir": str(tmp_path), "model_run_dir": str(tmp_path), "transform_output": str(tmp_path)}
        custom = json.loads(json.dumps({"trainer": CONFIG.to_dict()}))
        trainer.task.run_fn(FnArgs(hyperparameters=hyperparameters, custom_config=custom, train_files=[], eval_files=[], **given))
    assert seen[0] == CONFIG
    assert seen[1] == with_values(CONFIG, {"model.hidden": (8, 4), "training.learning_rate": 0.02})
