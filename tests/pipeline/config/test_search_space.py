"""The search space: what is allowed, and in which words the rest is refused."""

from __future__ import annotations

import pytest

from common.errors import InputError
from pipeline.config.search_space import checked_tuning
from trainer.config import ModelConfig, PreprocessingConfig, TrainerConfig, TrainingConfig
from trainer.tuning.config import TuningConfig

BASE = TrainerConfig(PreprocessingConfig(), ModelConfig(), TrainingConfig())


def check(space: dict, config: TrainerConfig = BASE, **fields: object) -> dict:
    """The space as it comes out."""
    return checked_tuning(TuningConfig(trials=2, space=space, **fields), config).space


def test_values_get_their_fields_types_and_names_are_full() -> None:
    space = {
        "model.hidden": [64, [32, 32, 32]],
        "training.beta": [1, 2.5],
        "model": {"latent_dim": {"min": 2, "max": 32, "scale": "log"}},
        "training.learning_rate": {"min": 1e-4, "max": 1},
    }
    expected = {
        "model.hidden": [64, [32, 32, 32]],
        "training.beta": [1.0, 2.5],
        "model.latent_dim": {"min": 2, "max": 32, "scale": "log"},
        "training.learning_rate": {"min": 1e-4, "max": 1.0, "scale": "linear"},
    }
    found = check(space)
    assert found == expected
    assert type(found["training.beta"][0]) is type(found["training.learning_rate"]["max"]) is float
    assert check(found) == found


def test_later_names_of_the_same_field_win() -> None:
    """So that `--set tuning.space.training.beta=[3]` lies over a file's `training.beta`."""
    assert check({"training.beta": [1.0], "training": {"beta": [3.0]}}) == {"training.beta": [3.0]}


def test_the_default_space_is_allowed() -> None:
    assert checked_tuning(TuningConfig(trials=1), BASE).space.keys() == TuningConfig().space.keys()


def test_what_is_not_searched_is_not_checked() -> None:
    tuning = TuningConfig(space={"nonsense": 1})
    assert checked_tuning(tuning, BASE) is tuning


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({}, ["tuning.space is empty"]),
        ({"model.latent_dims": [2]}, ["model.latent_dims", "did you mean model.latent_dim"]),
        ({"latent_dim": [2]}, ["unknown field latent_dim", "model and training"]),
        ({"preprocessing.height": [8]}, ["preprocessing.height"]),
        ({"training.epochs": [3]}, ["tuning.space.training.epochs", "tuning.epochs"]),
        ({"training.seed": [1, 2]}, ["tuning.space.training.seed", "luck"]),
        ({"model.latent_dim": []}, ["tuning.space.model.latent_dim is empty"]),
        ({"model.latent_dim": 8}, ["tuning.space.model.latent_dim", "list of choices", "8"]),
        ({"model.latent_dim": [2, "many"]}, ["tuning.space.model.latent_dim", "valid integer", "'many'"]),
        ({"model.latent_dim": [2, 0]}, ["tuning.space.model.latent_dim", "greater than 0", "not 0"]),
        ({"model.latent_dim": {"min": 2.5, "max": 8}}, ["tuning.space.model.latent_dim", "2.5"]),
        ({"model.latent_dim": {"min": 2, "max": 8, "step": 1.5}}, ["tuning.space.model.latent_dim.step", "whole number"]),
        ({"model.hidden": [[]]}, ["tuning.space.model.hidden", "at least 1"]),
        ({"training.beta": {"min": 2, "max": 1}}, ["tuning.space.training.beta", "min, 2, is above max, 1"]),
        ({"training.beta": {"min": 0, "max": 1, "scale": "log"}}, ["tuning.space.training.beta", "above 0"]),
        ({"training.beta": {"min": 0, "max": 1, "scale": "cubic"}}, ["tuning.space.training.beta.scale", "linear or log"]),
        ({"training.beta": {"min": 0, "max": 1, "step": 0}}, ["tuning.space.training.beta.step", "above 0"]),
        ({"training.beta": {"min": 1, "max": 8, "step": 1, "scale": "log"}}, ["training.beta.step", "factor above 1"]),
        ({"training.beta": {"min": 0}}, ["tuning.space.training.beta has no max"]),
        ({"training.beta": {"min": 0, "max": "one"}}, ["tuning.space.training.beta.max", "number", "'one'"]),
        ({"training.beta": {"low": 0, "max": 1}}, ["tuning.space.training.beta", "unknown field low", "min, max"]),
        ({"training.beta": {"min": -1, "max": 1}}, ["tuning.space.training.beta", "greater than or equal to 0"]),
        ({"model.prior": {"min": 0, "max": 1}}, ["tuning.space.model.prior", "list of choices"]),
        ({"model.network": ["dense", "resnet"]}, ["tuning.space.model.network", "'resnet'"]),
        ({"model.likelihood": ["gaussian"]}, ["model.likelihood", "cannot be compared", "bits_per_dimension"]),
        ({"model.conditional": [True]}, ["tuning.space.model.conditional", "cannot be compared"]),
        ({"model.binarisation": ["none", "dynamic"]}, ["tuning.space.model.binarisation", "cannot be compared"]),
    ],
)
def test_what_is_not_allowed_is_named_in_one_line(space: dict, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        check(space)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_values_that_do_not_go_with_the_rest_are_refused() -> None:
    config = TrainerConfig(BASE.preprocessing, ModelConfig(network="hierarchical", top_latent_dim=8), BASE.training)
    with pytest.raises(InputError, match="tuning.space.model.latent_dim: top_latent_dim must be below latent_dim, 4"):
        check({"model.latent_dim": [16, 4]}, config)


def test_likelihoods_are_compared_by_bits_of_grey_levels() -> None:
    names = ["bernoulli", "gaussian", "discretized_logistic_mixture"]
    assert check({"model.likelihood": names}, objective="bits_per_dimension") == {"model.likelihood": names}
    with pytest.raises(InputError, match="tuning.space.model.conditional: the bits per dimension"):
        check({"model.conditional": [True]}, objective="bits_per_dimension")
    binary = TrainerConfig(BASE.preprocessing, ModelConfig(binarisation="dynamic"), BASE.training)
    with pytest.raises(InputError, match="tuning.objective.*binarisation"):
        check({"training.beta": [1.0]}, binary, objective="bits_per_dimension")
