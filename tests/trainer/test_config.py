"""The trainer's configuration on its way through JSON."""

from __future__ import annotations

import dataclasses
import json

import pytest

from tests.trainer.tiny import CONFIG, TRAINING
from trainer.config import GenerationConfig, ModelConfig, PreprocessingConfig, TrainerConfig, TrainingConfig

CONFIGS = [
    TrainerConfig(PreprocessingConfig(), ModelConfig(), TrainingConfig()),
    TrainerConfig(
        PreprocessingConfig(5, 7, 1, "area", "pad", (0, 10, 255)),
        ModelConfig(
            "hierarchical", 3, 1, (9,), (4, 5, 6, 7), 2, 3, 5, 4, 0.2, "bernoulli", "dynamic", "optimal", 3, "vampprior", 7, True
        ),
        TrainingConfig(
            epochs=2,
            learning_rate=3e-4,
            jit_compile=True,
            strategy="mirrored",
            kl_warmup="cyclical",
            kl_cycles=3,
            free_bits=0.5,
            corruption="masking",
            corruption_level=0.7,
            augmentation=("mirrored", "shifted"),
        ),
        GenerationConfig("mixture", 3, 7, 9, "sample"),
        title="täglich",
    ),
]


@pytest.mark.parametrize("config", CONFIGS, ids=["defaults", "all else"])
def test_json_gives_back_the_same_configuration(config: TrainerConfig) -> None:
    assert TrainerConfig.from_dict(config.to_dict()) == config
    again = TrainerConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config and hash(again) == hash(config)  # tuples, not lists


def test_all_else_is_all_else() -> None:
    """So that the round trip is of every field that there is."""
    defaults, other = CONFIGS
    for part in ("model", "generation"):
        for field in dataclasses.fields(getattr(defaults, part)):
            different = getattr(getattr(other, part), field.name) != getattr(getattr(defaults, part), field.name)
            assert different or field.name == "likelihood", field.name  # the only one that can be binarised


def test_title_and_generation_may_be_absent() -> None:
    values = {key: value for key, value in CONFIG.to_dict().items() if key not in ("title", "generation")}
    assert TrainerConfig.from_dict(values) == dataclasses.replace(CONFIG, title="pictures")


@pytest.mark.parametrize("likelihood", ["continuous_bernoulli", "gaussian", "discretized_logistic_mixture"])
def test_only_bernoulli_takes_black_and_white_pictures(likelihood: str) -> None:
    with pytest.raises(ValueError, match=f"binarisation: dynamic .* not for {likelihood}") as error:
        ModelConfig(likelihood=likelihood, binarisation="dynamic")
    assert "\n" not in str(error.value)
    assert ModelConfig(likelihood=likelihood).binarisation == "none"


@pytest.mark.parametrize(("latent_dim", "top_latent_dim"), [(8, 8), (4, 8), (1, 1)])
def test_a_lower_level_needs_dimensions_of_its_own(latent_dim: int, top_latent_dim: int) -> None:
    with pytest.raises(ValueError, match=f"top_latent_dim must be below latent_dim, {latent_dim}"):
        ModelConfig(network="hierarchical", latent_dim=latent_dim, top_latent_dim=top_latent_dim)
    for network in ("dense", "convolutional"):  # which have no upper level
        ModelConfig(network=network, latent_dim=latent_dim, top_latent_dim=top_latent_dim)


def test_fields_that_do_not_go_together_do_not_come_from_json_either() -> None:
    values = CONFIG.to_dict()
    values["model"] |= {"likelihood": "gaussian", "binarisation": "dynamic"}
    with pytest.raises(ValueError, match="binarisation"):
        TrainerConfig.from_dict(json.loads(json.dumps(values)))


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
        changed("model", likelihood="gaussian"),
        changed("model", binarisation="dynamic"),
        changed("model", conditional=True),
        changed("training", importance_samples=500),  # changes the importance-weighted bound
    ],
    ids=["height", "channels", "resize", "fit", "background", "likelihood", "binarisation", "conditional", "importance_samples"],
)
def test_figures_of_another_protocol_are_not_compared(config: TrainerConfig) -> None:
    assert config.protocol() != CONFIG.protocol()


def test_the_protocol_is_the_same_however_a_model_came_about() -> None:
    model = ModelConfig("hierarchical", 64, 32, (512,), (8,), prior="vampprior", pseudo_inputs=3)
    training = TrainingConfig(
        epochs=99,
        batch_size=7,
        accumulate=2,
        learning_rate=0.5,
        warmup_share=0.5,
        beta=4.0,
        kl_warmup="cyclical",
        kl_warmup_share=0.5,
        kl_cycles=2,
        free_bits=0.1,
        corruption="masking",
        corruption_level=0.5,
        augmentation=("mirrored",),
        shift_pixels=1,
        jitter=0.05,
        weight_average=0.9,
        patience=1,
        warm_start=True,
        seed=8,
        strategy="mirrored",
        jit_compile=True,
        memory_megabytes=5.0,
        importance_samples=TRAINING.importance_samples,
    )
    generation = GenerationConfig("mixture", 3, 7, 9, "sample")
    other = dataclasses.replace(CONFIG, model=model, training=training, generation=generation, title="others")
    assert other.protocol() == CONFIG.protocol()
    assert TrainerConfig.from_dict(json.loads(json.dumps(CONFIG.to_dict()))).protocol() == CONFIG.protocol()


def test_image_shape() -> None:
    assert PreprocessingConfig(height=5, width=7, channels=3).image_shape == (5, 7, 3)
