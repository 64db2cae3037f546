"""The trainer's configuration on its way through JSON."""

from __future__ import annotations

import dataclasses
import json

import pytest

from tests.trainer.tiny import CONFIG
from trainer.config import ModelConfig, PreprocessingConfig, TrainerConfig, TrainingConfig

CONFIGS = [
    TrainerConfig(PreprocessingConfig(), ModelConfig(), TrainingConfig()),
    TrainerConfig(
        PreprocessingConfig(5, 7, 1, "area", "pad", (0, 10, 255)),
        ModelConfig("dense", 3, (9,), (4, 5, 6, 7)),
        TrainingConfig(epochs=2, learning_rate=3e-4, jit_compile=True, strategy="mirrored"),
        title="täglich",
    ),
]


@pytest.mark.parametrize("config", CONFIGS, ids=["defaults", "all else"])
def test_json_gives_back_the_same_configuration(config: TrainerConfig) -> None:
    assert TrainerConfig.from_dict(config.to_dict()) == config
    again = TrainerConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config and hash(again) == hash(config)  # tuples, not lists


def test_the_title_may_be_absent() -> None:
    values = {key: value for key, value in CONFIG.to_dict().items() if key != "title"}
    assert TrainerConfig.from_dict(values) == dataclasses.replace(CONFIG, title="pictures")


def changed(part: str, **values: object) -> TrainerConfig:
    return dataclasses.replace(CONFIG, **{part: dataclasses.replace(getattr(CONFIG, part), **values)})


@pytest.mark.parametrize(
    "config",
    [
        changed("preprocessing", height=9),
        changed("preprocessing", channels=3),
        changed("preprocessing", resize="area"),
        changed("preprocessing", fit="pad"),
        changed("preprocessing", background=(255, 255, 254)),
        changed("model", likelihood="other"),
        changed("training", importance_samples=500),  # changes the importance-weighted bound
    ],
    ids=["height", "channels", "resize", "fit", "background", "likelihood", "importance_samples"],
)
def test_figures_of_another_protocol_are_not_compared(config: TrainerConfig) -> None:
    assert config.protocol() != CONFIG.protocol()


def test_the_protocol_is_the_same_however_a_model_came_about() -> None:
    model = ModelConfig("convolutional", 64, (512,), (8,), CONFIG.model.likelihood)
    training = TrainingConfig(99, 7, 0.5, 0.5, 4.0, 0.5, 1, 8, "mirrored", True, CONFIG.training.importance_samples)
    other = dataclasses.replace(CONFIG, model=model, training=training, title="others")
    assert other.protocol() == CONFIG.protocol()
    assert TrainerConfig.from_dict(json.loads(json.dumps(CONFIG.to_dict()))).protocol() == CONFIG.protocol()


def test_image_shape() -> None:
    assert PreprocessingConfig(height=5, width=7, channels=3).image_shape == (5, 7, 3)
