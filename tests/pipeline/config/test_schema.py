"""The configuration: what is read back, what is refused, and in which words."""

import dataclasses
import json

import pytest
import yaml

from common.errors import InputError
from pipeline.config.loading import apply_overrides, build_config, load_values, preset_names, preset_path
from pipeline.config.schema import Config
from serving.picture_files import PictureOptions
from trainer.config import TrainerConfig
from trainer.task import to_yaml


def test_yaml_reads_back_to_the_same_configuration():
    config = build_config({"training": {"epochs": 3}, "preprocessing": {"background": [1, 2, 3]}, "schema": None})
    assert build_config(yaml.safe_load(config.to_yaml())) == config
    assert config.preprocessing.background == (1, 2, 3)


def test_a_search_space_reads_back_too():
    space = {"model": {"hidden": [[8, 4], 16]}, "training.beta": {"min": 1, "max": 2}}
    config = build_config({"tuning": {"trials": 2, "space": space}})
    assert config.tuning.space == {"model.hidden": [[8, 4], 16], "training.beta": {"min": 1.0, "max": 2.0, "scale": "linear"}}
    assert build_config(yaml.safe_load(config.to_yaml())) == config


def test_the_trainer_gets_its_part_through_json():
    config = build_config({"model": {"hidden": [7, 8]}})
    again = TrainerConfig.from_dict(yaml.safe_load(yaml.safe_dump(_lists(config.trainer().to_dict()))))
    assert again == config.trainer()


def _lists(value):
    if isinstance(value, dict):
        return {k: _lists(v) for k, v in value.items()}
    return [_lists(v) for v in value] if isinstance(value, (tuple, list)) else value


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"training": {"epoch": 3}}, ["training.epoch", "did you mean training.epochs", "batch_size"]),
        ({"modell": {}}, ["modell", "did you mean model"]),
        ({"training": {"epochs": 0}}, ["training.epochs", "greater than 0", "0"]),
        ({"training": {"epochs": "many"}}, ["training.epochs", "'many'"]),
        ({"training": {"learning_rate": -1}}, ["training.learning_rate"]),
        ({"model": {"network": "resnet"}}, ["model.network", "'dense', 'convolutional', 'hierarchical' or 'spatial'", "'resnet'"]),
        ({"model": {"hidden": []}}, ["model.hidden"]),
        ({"preprocessing": {"channels": 2}}, ["preprocessing.channels", "1 or 3"]),
        ({"preprocessing": {"background": [0, 0, 256]}}, ["preprocessing.background", "256"]),
        ({"preprocessing": {"background": [0, 0]}}, ["preprocessing.background"]),
        ({"tuning": {"trials": -1}}, ["tuning.trials", "greater than or equal to 0"]),
        ({"tuning": {"epochs": 0}}, ["tuning.epochs", "greater than 0"]),
        ({"tuning": {"objective": "loss"}}, ["tuning.objective", "'elbo' or 'bits_per_dimension'", "'loss'"]),
        ({"tuning": {"trials": 2, "space": [1]}}, ["tuning.space", "dictionary"]),
        ({"tuning": {"trials": 2, "space": {"model.latent": [1]}}}, ["tuning.space", "model.latent", "did you mean"]),
        ({"data": {"eval_share": 0}}, ["data.eval_share"]),
        ({"data": {"eval_share": 0.9}}, ["data.eval_share"]),
        ({"evaluation": {"min_elbo": "low"}}, ["evaluation.min_elbo"]),
        ({"evaluation": {"max_drop": -1}}, ["evaluation.max_drop", "greater than or equal to 0"]),
        ({"evaluation": {"max_kl_rise": "far"}}, ["evaluation.max_kl_rise", "'far'"]),
        ({"training": {"beta": float("inf")}}, ["training.beta must be a finite number, not inf"]),
        ({"training": {"free_bits": "inf"}}, ["training.free_bits must be a finite number, not inf"]),
        ({"evaluation": {"min_elbo": float("nan"), "max_drop": "inf"}}, ["evaluation.min_elbo must", "nan", "evaluation.max_drop"]),
        ({"tuning": {"trials": 2, "space": {"training.beta": {"min": 0.5, "max": float("inf")}}}}, ["finite"]),
        ({"evaluation": {"min_kl": 3, "max_kl": 2}}, ["evaluation.min_kl, 3, is above evaluation.max_kl, 2"]),
        (
            {"model": {"likelihood": "gaussian", "sigma": "optimal"}, "training": {"strategy": "mirrored", "jit_compile": True}},
            ["model.sigma: optimal", "training.jit_compile", "training.strategy: mirrored"],
        ),
        (
            {"training": {"free_bits": 0.1, "strategy": "multi_worker", "workers": 2, "jit_compile": True}},
            ["training.free_bits", "training.jit_compile", "training.strategy: multi_worker"],
        ),
        ({"training": {"workers": 2}}, ["training.workers: 2 needs training.strategy: multi_worker"]),
        ({"training": {"strategy": "multi_worker", "workers": 9, "batch_size": 8}}, ["training.batch_size, 8, is below"]),
        ({"cluster": {"workers_folder": "shared"}}, ["cluster.workers_folder", "absolute path"]),
        ({"model": 3}, ["model", "section"]),
        ({"training": {"epochs": 0, "batch_size": 0}}, ["training.epochs", "training.batch_size"]),
        ({"training": {"corruption": "rain"}}, ["training.corruption", "'salt_and_pepper'", "'rain'"]),
        ({"training": {"corruption_level": 0}}, ["training.corruption_level", "greater than 0"]),
        ({"training": {"free_bits": -1}}, ["training.free_bits", "greater than or equal to 0"]),
        ({"training": {"kl_warmup": "steps"}}, ["training.kl_warmup", "'linear' or 'cyclical'"]),
        ({"model": {"prior": "flow"}}, ["model.prior", "'standard_normal' or 'vampprior'", "'flow'"]),
        ({"model": {"pseudo_inputs": 0}}, ["model.pseudo_inputs", "greater than 0"]),
        ({"model": {"conditional": "maybe"}}, ["model.conditional", "'maybe'"]),
        ({"generation": {"density": "kde"}}, ["generation.density", "'prior', 'mixture' or 'flow'"]),
        ({"generation": {"pixels": "all"}}, ["generation.pixels", "'mean', 'mode' or 'sample'"]),
    ],
)
def test_what_is_not_allowed_is_named_in_one_line(values, words):
    with pytest.raises(InputError) as caught:
        build_config(values, "my.yaml")
    message = str(caught.value)
    assert "\n" not in message
    for word in ["my.yaml", *words]:
        assert word in message


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            {"binarisation": "dynamic", "likelihood": "gaussian"},
            "binarisation: dynamic makes pictures for likelihood: bernoulli, not for gaussian",
        ),
        (
            {"network": "hierarchical", "latent_dim": 4, "top_latent_dim": 4},
            "top_latent_dim must be below latent_dim, 4, for network: hierarchical",
        ),
    ],
)
def test_fields_that_do_not_go_together_are_told_in_the_sections_own_words(model, words):
    with pytest.raises(InputError) as caught:
        build_config({"model": model}, "my.yaml")
    assert str(caught.value) == f"in my.yaml: model: {words}"
    with pytest.raises(InputError) as caught:
        build_config({"model": model, "training": {"epochs": 0}}, "my.yaml")
    assert f"model: {words}; training.epochs: " in str(caught.value)


def test_overrides_are_yaml_and_make_sections():
    values = apply_overrides({"training": {"epochs": 1}}, ["training.epochs=5", "model.hidden=[3, 4]", "title=a b"])
    assert values == {"training": {"epochs": 5}, "model": {"hidden": [3, 4]}, "title": "a b"}


def test_overrides_leave_their_source_alone():
    values = {"training": {"epochs": 1}}
    apply_overrides(values, ["training.epochs=5"])
    assert values == {"training": {"epochs": 1}}


@pytest.mark.parametrize("override", ["epochs", "=3", "a..b=3", "title.x=3", "a=[1"])
def test_bad_overrides(override):
    with pytest.raises(InputError, match="--set"):
        apply_overrides({"title": "t"}, [override])


@pytest.mark.parametrize("text", ["a: [", "- 1", "just words"])
def test_a_file_that_is_no_mapping(tmp_path, text):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match="c.yaml"):
        load_values(path)


def test_yaml_builds_no_objects(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("title: !!python/object/apply:os.system ['true']")
    with pytest.raises(InputError, match="c.yaml, line 1"):
        load_values(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        load_values(tmp_path / "none.yaml")


def test_every_configuration_of_the_project_is_valid():
    names = list(preset_names())
    assert {"digits", "fashion-mnist", "emoji"} <= set(names)
    for name in names:
        text = preset_path(name).read_text(encoding="utf-8")
        build_config(yaml.safe_load(text), name)
        assert "nats" in text, f"{name} states no loss to expect"


def test_every_field_of_the_configuration_is_described():
    def walk(kind):
        for field in dataclasses.fields(kind):
            assert f"{field.name}:" in kind.__doc__, f"{kind.__name__}.{field.name}"
            if dataclasses.is_dataclass(field.default_factory):
                walk(field.default_factory)

    walk(Config)


def test_the_evaluators_bounds_can_each_be_taken_away():
    names = [field.name for field in dataclasses.fields(Config().evaluation)]
    config = build_config({"evaluation": dict.fromkeys(names)})
    assert set(dataclasses.asdict(config.evaluation).values()) == {None}
    assert build_config(yaml.safe_load(config.to_yaml())) == config


def test_how_picture_files_are_read_reaches_the_trainer():
    values = {"data": {"depth": 16, "icc": "ignore", "levels": 4095, "range": [0, 1], "max_megapixels": 3}}
    config = build_config(values)
    trainer = config.trainer()
    assert trainer.preprocessing.depth == 16 and build_config({}).trainer().preprocessing.depth == 8
    assert trainer.picture_files == PictureOptions(icc="ignore", depth=16, levels=4095, range=(0.0, 1.0))
    assert TrainerConfig.from_dict(json.loads(json.dumps(trainer.to_dict()))) == trainer
    assert build_config(yaml.safe_load(config.to_yaml())) == config
    again = build_config(yaml.safe_load(to_yaml(trainer)))
    assert again.trainer() == trainer


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"data": {"depth": 16}, "model": {"likelihood": "discretized_logistic_mixture"}}, "is a probability of 256 levels"),
        ({"preprocessing": {"depth": 16}}, "preprocessing.depth is set by data.depth"),
        (
            {"data": {"depth": 16}, "tuning": {"trials": 2, "objective": "bits_per_dimension"}},
            "needs 256 levels, but data.depth is 16",
        ),
    ],
)
def test_what_does_not_go_with_16_bits(values, words):
    with pytest.raises(InputError, match=words) as caught:
        build_config(values)
    assert len(str(caught.value)) < 200
