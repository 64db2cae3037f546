"""A whole run of the Trainer: what it leaves, and that all of it agrees."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import yaml
from tfx.components.trainer.fn_args_utils import FnArgs

import trainer.figures
import trainer.loop
import trainer.task
from common.errors import InputError
from serving.explorer.program import PROGRAM, WEIGHTS
from tests.trainer.conftest import Trained, run_trainer
from tests.trainer.tiny import (
    CONDITIONAL,
    CONFIG,
    LABELS,
    bars,
    encode,
    example,
    labelled_bars,
    make_vae,
    read_lines,
    uprightness,
)  # fmt: skip
from trainer.config import GenerationConfig, ModelConfig, TrainerConfig
from trainer.data import Pictures
from trainer.figures import bounds
from trainer.golden import load_golden
from trainer.task import aggregate_posterior, read_labels


def test_every_file_of_the_contract_is_there(trained: Trained) -> None:
    export = ("saved_model.pb", "variables", "model.json", "metrics.json", "model_card.md", "config.yaml", "manifest.json")
    for name in (*export, PROGRAM, WEIGHTS):
        assert (trained.model / name).exists(), name
    for name in ("history.jsonl", "networks.json", "kl_per_dimension.json", "golden/inputs.npz", "golden/answers.npz"):
        assert (trained.run / name).exists(), name
    for split in ("train", "eval"):
        assert list((trained.run / "logs" / split).glob("events.out.tfevents.*"))
    again = yaml.safe_load((trained.model / "config.yaml").read_text())
    assert TrainerConfig.from_dict(again) == CONFIG


def test_the_description_fits_the_data(trained: Trained) -> None:
    description = trained.json("model.json")
    assert description["labels"] == LABELS, "no label is none"
    assert not description["conditional"]
    assert description["pictures"] == {"train": 100, "eval": 41}
    assert description["image_shape"] == [8, 8, 1] and description["latent_dim"] == 2 and description["title"] == "bars"
    layers = trained.json("networks.json")
    sums = {part: sum(layer["parameters"] for layer in layers[part]) for part in layers}
    assert sums == description["parameters"]


@pytest.fixture(params=["trained", "conditional"], name="run")
def _run(request: pytest.FixtureRequest) -> Trained:
    """Either run: of a plain model, and of a conditional one with a mixture."""
    return request.getfixturevalue(request.param)


def test_metrics_agree_with_each_other_and_with_the_history(run: Trained) -> None:
    metrics = run.json("metrics.json")
    figures = metrics["eval"]
    assert figures["elbo"] == pytest.approx(-(figures["reconstruction"] + figures["kl"]))
    assert figures["pictures"] == len(run.held_out)
    assert figures["importance_samples"] == CONFIG.training.importance_samples
    history = read_lines(run.run / "history.jsonl")
    assert metrics["epochs"] == len(history)
    best = history[metrics["best_epoch"] - 1]["eval"]
    assert best["elbo"] == max(line["eval"]["elbo"] for line in history)
    assert {name: figures[name] for name in best} == pytest.approx(best, rel=1e-5)
    assert sum(run.json("kl_per_dimension.json")["kl"]) == pytest.approx(figures["kl"], rel=1e-5)
    assert metrics["seconds"] >= history[-1]["seconds"] and metrics["images_per_second"] > 0


def test_the_exported_model_gives_the_same_figures(run: Trained) -> None:
    """Given the labels, where the model sees them."""
    figures = run.json("metrics.json")["eval"]
    examples = tf.constant([example(*pair) for pair in zip(run.held_out, run.labels)])
    evaluated = run.ask("evaluate", examples=examples)
    for name in ("elbo", "reconstruction", "kl", "importance_weighted"):
        assert evaluated[name].mean() == pytest.approx(figures[name], rel=1e-5)
    assert figures["importance_weighted"] > figures["elbo"]
    assert evaluated["gain"].mean() > 0, "a few steps beat the mean picture"
    if not run.json("model.json")["conditional"]:
        scored = run.ask("score", image_bytes=tf.constant(run.held_out))["elbo"].mean()
        assert scored == pytest.approx(figures["elbo"], rel=1e-5)


def test_a_conditional_model_rebuilds_pictures_as_what_they_are(conditional: Trained) -> None:
    bars = [(content, label) for content, label in zip(conditional.held_out, conditional.labels) if label]
    rebuilt = conditional.ask("reconstruct", image_bytes=tf.constant([content for content, _ in bars]))["images"]
    found = np.where(uprightness(rebuilt) > 0, "upright", "lying")
    assert (found == [label for _, label in bars]).mean() > 0.9


def draw(run: Trained, count: int, label: str, signature: str = "generate") -> np.ndarray:
    request = {"count": np.int64(count), "seed": np.int64(3), "temperature": np.float32(1), "label": label}
    return run.ask(signature, **{name: tf.constant(value) for name, value in request.items()})["images"]


@pytest.mark.parametrize("signature", ["generate", "generate_prior"])
def test_generated_pictures_are_of_the_label_asked_for(conditional: Trained, signature: str) -> None:
    for label, sign in (("lying", -1), ("upright", 1)):
        assert (sign * uprightness(draw(conditional, 200, label, signature)) > 0).mean() > 0.9


def test_without_a_label_they_are_of_all_as_in_training(conditional: Trained) -> None:
    share = (np.array(conditional.train_labels) == "upright").mean()
    assert 0.2 < share < 0.3
    assert (uprightness(draw(conditional, 400, "")) > 0).mean() == pytest.approx(share, abs=0.12)


def test_a_conditional_models_description_says_so(conditional: Trained) -> None:
    description = conditional.json("model.json")
    assert description["conditional"] and description["labels"] == LABELS and description["density"] == "mixture"
    assert "given the label" in description["protocol"]
    assert "lying, upright (seen by the model)" in (conditional.model / "model_card.md").read_text()


def test_a_conditional_model_needs_two_labels(tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, model=dataclasses.replace(CONFIG.model, conditional=True))
    patterns = [str(tmp_path / "Split-train" / "*")]
    folders = {"serving_model_dir": str(tmp_path), "model_run_dir": str(tmp_path), "transform_output": str(tmp_path)}
    fn_args = FnArgs(train_files=patterns, eval_files=patterns, custom_config={}, **folders)
    for labels in ({}, {"": 5}, {"": 5, "lying": 7}):
        (tmp_path / "summary.json").write_text(json.dumps({"labels": {"train": labels}}))
        with pytest.raises(InputError, match="at least two labels"):
            trainer.task.train(config, fn_args)


def test_the_aggregate_posterior_has_a_code_for_each_picture_given_its_label(monkeypatch: pytest.MonkeyPatch) -> None:
    vae, pictures = make_vae(spread=0.3, **CONDITIONAL), labelled_bars(39)
    monkeypatch.setattr(trainer.task, "EVAL_BATCH", 10)
    codes, labels = aggregate_posterior(vae, pictures, max_pictures=39)
    np.testing.assert_array_equal(labels, pictures.labels)
    mean, log_variance = vae.encode(vae.observe(tf.constant(pictures.levels)), tf.constant(pictures.labels))
    standardised = (codes - mean) / np.exp(log_variance / 2)
    expected = np.random.default_rng(0).standard_normal(codes.shape, np.float32)
    np.testing.assert_allclose(standardised, expected, atol=1e-3)
    for most in (38, 20, 19, 1):
        fewer, labels = aggregate_posterior(vae, pictures, most)
        assert 1 <= len(fewer) == len(labels) <= most
    thrice, labels = aggregate_posterior(vae, pictures, max_pictures=39, samples=3)
    np.testing.assert_array_equal(labels, np.tile(pictures.labels, 3))
    np.testing.assert_array_equal(thrice[:39], codes)
    assert len(np.unique(thrice, axis=0)) == 3 * 39, "each sample of a picture is another"


def test_the_card_shows_the_metrics(run: Trained) -> None:
    card = (run.model / "model_card.md").read_text()
    figures = run.json("metrics.json")["eval"]
    for name in ("elbo", "reconstruction", "kl", "importance_weighted"):
        assert f"{figures[name]:.2f}" in card


def test_golden_answers_are_the_exported_models(run: Trained) -> None:
    inputs, answers = load_golden(run.run / "golden")
    assert set(inputs) == set(answers) == set(run.loaded.signatures)
    assert inputs["score"]["image_bytes"] == run.held_out[:4]
    for signature, values in inputs.items():
        found = run.ask(signature, **{name: tf.constant(value) for name, value in values.items()})
        for name, expected in answers[signature].items():
            if isinstance(expected, list):
                assert list(found[name]) == expected
            else:
                level = 1 if expected.dtype == np.uint8 else 1e-4
                np.testing.assert_allclose(found[name].astype(float), expected, rtol=1e-4, atol=level)


def test_bounds_do_not_depend_on_the_order() -> None:
    """Each picture goes with its own label and noise."""
    vae, pictures = make_vae(spread=0.3, binarisation="dynamic", **CONDITIONAL), labelled_bars(30)
    figures, kl = bounds(vae, pictures, samples=3)
    again, kl_again = bounds(vae, Pictures(pictures.levels[::-1], pictures.labels[::-1]), samples=3)
    assert again == pytest.approx(figures, rel=1e-5)
    np.testing.assert_allclose(kl, kl_again, rtol=1e-5)
    assert kl.shape == (2,) and figures["kl"] == pytest.approx(kl.sum(), rel=1e-5)


def test_the_bound_is_that_of_all_held_out_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it is computed on the first ones only, and those are easier than the rest."""
    vae = make_vae(spread=0.05)
    levels = np.tile(np.linspace(0, 255, 300).astype(np.uint8)[:, None, None, None], (1, 8, 8, 1))
    whole, _ = bounds(vae, Pictures(levels), samples=20)
    monkeypatch.setattr(trainer.figures, "BOUND_PICTURES", 1)
    monkeypatch.setattr(trainer.loop, "EVAL_BATCH", 100)
    part, _ = bounds(vae, Pictures(levels), samples=20)
    easier, _ = bounds(vae, Pictures(levels[:100]), samples=20)
    assert easier["importance_weighted"] > whole["importance_weighted"] + 5
    assert part["importance_weighted"] == pytest.approx(whole["importance_weighted"], abs=0.5)


@pytest.mark.parametrize(("likelihood", "binarisation"), [("bernoulli", "dynamic"), ("discretized_logistic_mixture", "none")])
def test_bits_per_dimension_are_the_bounds_where_pictures_have_a_probability(likelihood: str, binarisation: str) -> None:
    figures, _ = bounds(make_vae(likelihood=likelihood, binarisation=binarisation), Pictures(bars(10)), samples=3)
    assert figures["bits_per_dimension"] == pytest.approx(-figures["importance_weighted"] / (64 * np.log(2)))
    assert bounds(make_vae(), Pictures(bars(10)), samples=3)[0]["bits_per_dimension"] is None


def test_labels_are_those_of_the_summary(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text('{"labels": {"train": {"b": 2, "a": 1, "": 3}, "eval": {"c": 1}}}')
    assert read_labels([str(tmp_path / "Split-train" / "*")]) == {"a": 1, "b": 2}
    (tmp_path / "summary.json").write_text('{"labels": {"train": {"": 3}}}')
    assert read_labels([str(tmp_path / "Split-train" / "*")]) == {}


@pytest.mark.slow
@pytest.mark.parametrize("likelihood", ["bernoulli", "discretized_logistic_mixture"])
def test_a_spatial_models_flow_draws_bars_as_the_label_says(tmp_path: Path, graph: tft.TFTransformOutput, likelihood: str) -> None:
    """Straight bars need places far apart to agree, which the model's own prior knows nothing of."""
    splits, labels = {}, {}
    for split, count, seed in (("train", 400, 0), ("eval", 60, 1)):
        found = labelled_bars(count, seed)
        splits[split] = [encode(picture) for picture in found.levels]
        labels[split] = [LABELS[label] for label in found.labels]
    config = dataclasses.replace(
        CONFIG,
        model=ModelConfig(
            network="spatial", patch=2, latent_channels=4, width=32, likelihood=likelihood, mixtures=2, conditional=True
        ),
        training=dataclasses.replace(CONFIG.training, epochs=25, learning_rate=4e-3, weight_average=0.99),
        generation=GenerationConfig(density="flow", updates=300, steps=12),
    )
    run = run_trainer(tmp_path, graph, config, splits, labels)
    assert run.json("model.json")["latent_dim"] == 4 * 4 * 4
    for label, sign in (("lying", -1), ("upright", 1)):
        assert (sign * uprightness(draw(run, 100, label)) > 0).mean() > 0.9
