"""A whole run of the Trainer: what it leaves, and that all of it agrees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import yaml

import trainer.task
from tests.trainer.conftest import Trained
from tests.trainer.tiny import CONFIG, bars, example, make_vae, read_lines
from trainer.config import TrainerConfig
from trainer.data import Pictures
from trainer.golden import load_golden
from trainer.task import held_out_figures, read_labels


def test_every_file_of_the_contract_is_there(trained: Trained) -> None:
    for name in ("saved_model.pb", "variables", "model.json", "metrics.json", "model_card.md", "config.yaml"):
        assert (trained.model / name).exists(), name
    for name in ("history.jsonl", "networks.json", "kl_per_dimension.json", "golden/inputs.npz", "golden/answers.npz"):
        assert (trained.run / name).exists(), name
    for split in ("train", "eval"):
        assert list((trained.run / "logs" / split).glob("events.out.tfevents.*"))
    again = yaml.safe_load((trained.model / "config.yaml").read_text())
    assert TrainerConfig.from_dict(again) == CONFIG


def test_the_description_fits_the_data(trained: Trained) -> None:
    description = trained.json("model.json")
    assert description["labels"] == ["lying", "upright"], "no label is none"
    assert description["pictures"] == {"train": 100, "eval": 41}
    assert description["image_shape"] == [8, 8, 1] and description["latent_dim"] == 2 and description["title"] == "bars"
    layers = trained.json("networks.json")
    sums = {part: sum(layer["parameters"] for layer in layers[part]) for part in layers}
    assert sums == description["parameters"]


def test_metrics_agree_with_each_other_and_with_the_history(trained: Trained) -> None:
    metrics = trained.json("metrics.json")
    figures = metrics["eval"]
    assert figures["elbo"] == pytest.approx(-(figures["reconstruction"] + figures["kl"]))
    assert figures["pictures"] == 41 and figures["importance_samples"] == CONFIG.training.importance_samples
    history = read_lines(trained.run / "history.jsonl")
    assert metrics["epochs"] == len(history)
    best = history[metrics["best_epoch"] - 1]["eval"]
    assert best["elbo"] == max(line["eval"]["elbo"] for line in history)
    assert {name: figures[name] for name in best} == pytest.approx(best, rel=1e-5)
    assert sum(trained.json("kl_per_dimension.json")["kl"]) == pytest.approx(figures["kl"], rel=1e-5)
    assert metrics["seconds"] >= history[-1]["seconds"] and metrics["images_per_second"] > 0


def test_the_exported_model_gives_the_same_figures(trained: Trained) -> None:
    figures = trained.json("metrics.json")["eval"]
    score = trained.ask("score", image_bytes=tf.constant(trained.held_out))
    for name in ("elbo", "reconstruction", "kl"):
        assert score[name].mean() == pytest.approx(figures[name], rel=1e-5)
    examples = tf.constant([example(content) for content in trained.held_out])
    evaluated = trained.ask("evaluate", examples=examples)
    assert evaluated["elbo"].mean() == pytest.approx(figures["elbo"], rel=1e-5)
    assert evaluated["importance_weighted"].mean() == pytest.approx(figures["importance_weighted"], rel=1e-5)
    assert figures["importance_weighted"] > figures["elbo"]
    assert evaluated["gain"].mean() > 0, "a few steps beat the mean picture"


def test_the_card_shows_the_metrics(trained: Trained) -> None:
    card = (trained.model / "model_card.md").read_text()
    figures = trained.json("metrics.json")["eval"]
    for name in ("elbo", "reconstruction", "kl", "importance_weighted"):
        assert f"{figures[name]:.2f}" in card


def test_golden_answers_are_the_exported_models(trained: Trained) -> None:
    inputs, answers = load_golden(trained.run / "golden")
    assert set(inputs) == set(answers) == set(trained.loaded.signatures)
    assert inputs["score"]["image_bytes"] == trained.held_out[:4]
    for signature, values in inputs.items():
        found = trained.ask(signature, **{name: tf.constant(value) for name, value in values.items()})
        for name, expected in answers[signature].items():
            if isinstance(expected, list):
                assert list(found[name]) == expected
            else:
                level = 1 if expected.dtype == np.uint8 else 1e-4
                np.testing.assert_allclose(found[name].astype(float), expected, rtol=1e-4, atol=level)


def test_held_out_figures_do_not_depend_on_the_order() -> None:
    vae, levels = make_vae(spread=0.3), bars(30)
    figures, kl = held_out_figures(vae, Pictures(levels), samples=3)
    again, kl_again = held_out_figures(vae, Pictures(levels[::-1]), samples=3)
    assert again == pytest.approx(figures, rel=1e-5)
    np.testing.assert_allclose(kl, kl_again, rtol=1e-5)
    assert kl.shape == (2,) and figures["kl"] == pytest.approx(kl.sum(), rel=1e-5)


def test_the_bound_is_that_of_all_held_out_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it is computed on the first ones only, and those are easier than the rest."""
    vae = make_vae(spread=0.05)
    levels = np.tile(np.linspace(0, 255, 300).astype(np.uint8)[:, None, None, None], (1, 8, 8, 1))
    whole, _ = held_out_figures(vae, Pictures(levels), samples=20)
    monkeypatch.setattr(trainer.task, "BOUND_PICTURES", 1)
    monkeypatch.setattr(trainer.task, "EVAL_BATCH", 100)
    part, _ = held_out_figures(vae, Pictures(levels), samples=20)
    easier, _ = held_out_figures(vae, Pictures(levels[:100]), samples=20)
    assert easier["importance_weighted"] > whole["importance_weighted"] + 5
    assert part["importance_weighted"] == pytest.approx(whole["importance_weighted"], abs=0.5)


def test_labels_are_those_of_the_summary(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text('{"labels": {"train": {"b": 2, "a": 1, "": 3}, "eval": {"c": 1}}}')
    assert read_labels([str(tmp_path / "Split-train" / "*")]) == ["a", "b"]
    (tmp_path / "summary.json").write_text('{"labels": {"train": {"": 3}}}')
    assert read_labels([str(tmp_path / "Split-train" / "*")]) == []
