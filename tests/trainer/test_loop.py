"""The training loop on little pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import trainer.loop
from tests.trainer.tiny import Fitted, bars, fit
from trainer.data import Pictures
from trainer.errors import InputError
from trainer.loop import Figures, get_strategy


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """A run with the settings of `tiny.TRAINING`."""
    return fit(tmp_path_factory.mktemp("fitted"))


def figures(history: list[dict]) -> np.ndarray:
    """All that depends on the data and the weights, [epochs, figures]."""
    return np.array([[*line["train"].values(), *line["eval"].values()] for line in history])


def test_training_lowers_the_loss(fitted: Fitted) -> None:
    train, held_out = ([line[split]["elbo"] for line in fitted.history] for split in ("train", "eval"))
    assert train[-1] > train[0] + 1
    assert held_out[-1] > held_out[0] + 0.5
    assert fitted.outcome.epochs == len(fitted.history) == 6


def test_history_says_what_happened(fitted: Fitted) -> None:
    for number, line in enumerate(fitted.history, 1):
        assert list(line) == ["epoch", "seconds", "images_per_second", "learning_rate", "beta", "train", "eval"]
        assert set(line["train"]) == {"loss", "reconstruction", "kl", "elbo"}
        assert set(line["eval"]) == {"elbo", "reconstruction", "kl"}
        assert line["epoch"] == number and line["images_per_second"] > 0
        for part in (line["train"], line["eval"]):
            assert part["elbo"] == pytest.approx(-(part["reconstruction"] + part["kl"])) and part["kl"] >= 0
    seconds = [line["seconds"] for line in fitted.history]
    assert seconds == sorted(seconds) and fitted.outcome.seconds >= seconds[-1]
    rates = [line["learning_rate"] for line in fitted.history]
    assert rates == sorted(rates, reverse=True) and 0 < rates[-1] < 0.01 * rates[0]
    assert fitted.outcome.images_per_second == np.median([line["images_per_second"] for line in fitted.history])


def test_the_weight_of_the_kl_divergence_rises(tmp_path: Path) -> None:
    history = fit(tmp_path, epochs=3, beta=2.0, kl_warmup_share=0.9).history
    betas = [line["beta"] for line in history]
    assert 0 < betas[0] < betas[1] < betas[2] == 2.0
    for line in history:
        train = line["train"]
        assert train["loss"] == pytest.approx(train["reconstruction"] + line["beta"] * train["kl"])


def test_same_seed_same_figures_and_another_seed_others(fitted: Fitted, tmp_path: Path) -> None:
    again = fit(tmp_path / "again").history
    np.testing.assert_allclose(figures(again), figures(fitted.history), rtol=1e-4)
    other = fit(tmp_path / "other", seed=1, epochs=2).history
    assert np.abs(figures(other) - figures(fitted.history[:2])).min() > 1e-4


def test_same_figures_in_another_process(fitted: Fitted, replicas: dict) -> None:
    np.testing.assert_allclose(figures(replicas["history"]["one_device"]), figures(fitted.history), rtol=1e-4)


def test_figures_do_not_depend_on_steps_per_call_nor_on_held_out_batches(
    fitted: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer.loop, "CALL_SECONDS", 0.0)
    monkeypatch.setattr(trainer.loop, "EVAL_BATCH", 7)
    np.testing.assert_allclose(figures(fit(tmp_path).history), figures(fitted.history), rtol=1e-4)


def test_replicas_together_do_what_one_device_does(replicas: dict) -> None:
    """Where noise plays no part exactly that, the last batch of one picture included."""
    mirrored, alone = (figures(replicas["noiseless"][name]) for name in ("mirrored", "one_device"))
    np.testing.assert_allclose(mirrored, alone, rtol=1e-4)
    assert replicas["copies_differ"] == 0.0


def test_every_replica_step_and_seed_has_noise_of_its_own(replicas: dict) -> None:
    assert len(set(replicas["noise"])) == 8


def test_replicas_learn_as_well_as_one_device(replicas: dict) -> None:
    mirrored, alone = (replicas["history"][name] for name in ("mirrored", "one_device"))
    assert mirrored[-1]["eval"]["elbo"] == pytest.approx(alone[-1]["eval"]["elbo"], rel=0.03)


def test_compiled_by_xla_the_figures_are_the_same(fitted: Fitted, tmp_path: Path) -> None:
    compiled = fit(tmp_path, jit_compile=True).history
    np.testing.assert_allclose(figures(compiled), figures(fitted.history), rtol=1e-3, atol=1e-3)


def test_stops_early_with_the_best_epochs_weights(tmp_path: Path) -> None:
    """Held-out pictures that are the negatives of the others: after the first steps, all learning is for the worse."""
    run = fit(tmp_path, held_out=255 - bars(40, seed=1), epochs=30, patience=3, warmup_share=0.0)
    held_out = [line["eval"]["elbo"] for line in run.history]
    assert run.outcome.best_epoch == np.argmax(held_out) + 1
    assert run.outcome.epochs == len(held_out) == run.outcome.best_epoch + 3 < 30
    restored = run.loop.evaluate().as_dict()["elbo"]
    assert restored == pytest.approx(max(held_out), rel=1e-6)
    assert restored > held_out[-1] + 0.1


def test_the_last_epoch_may_be_the_best(fitted: Fitted) -> None:
    held_out = [line["eval"] for line in fitted.history]
    best = max(held_out, key=lambda part: part["elbo"])
    assert fitted.outcome.best_epoch == held_out.index(best) + 1
    assert fitted.loop.evaluate().as_dict() == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize("learning_rate", [1e30, float("nan")])
def test_divergence_is_told(learning_rate: float, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="diverged in epoch 1.*lower training.learning_rate"):
        fit(tmp_path, learning_rate=learning_rate)


def test_fewer_pictures_than_a_batch(tmp_path: Path) -> None:
    run = fit(tmp_path, train=bars(3), held_out=bars(1, seed=1), batch_size=64, epochs=2)
    assert np.isfinite(figures(run.history)).all()


def test_training_goes_through_each_picture_once_an_epoch(fitted: Fitted) -> None:
    """97 pictures by 8: the means over an epoch are over 97."""
    assert fitted.loop.steps_per_epoch == 13
    assert int(fitted.loop.optimizer.iterations) == 13 * 6


def test_held_out_figures_are_means_over_pictures(fitted: Fitted) -> None:
    levels = bars(40, seed=1)
    parts = []
    for half in (levels[:30], levels[30:]):
        loop = trainer.loop.Loop(fitted.vae, Pictures(levels), Pictures(half), fitted.loop.config, fitted.loop.strategy)
        parts.append(np.array(loop.evaluate()) * len(half))
    np.testing.assert_allclose(sum(parts) / 40, fitted.loop.evaluate(), rtol=1e-5)


def test_figures_as_numbers_by_name() -> None:
    assert Figures(3.0, 0.5).as_dict() == {"elbo": -3.5, "reconstruction": 3.0, "kl": 0.5}
    assert Figures(3.0, 0.5).as_dict(beta=4.0)["loss"] == 5.0


def test_strategies_by_name() -> None:
    assert get_strategy("one_device").num_replicas_in_sync == 1
    assert not isinstance(get_strategy("one_device"), tf.distribute.MirroredStrategy)


def test_two_replicas_take_adams_steps_together(replicas: dict) -> None:
    assert replicas["replicas"] == {"mirrored": 2, "one_device": 1}
    assert replicas["adam_across"] < 1e-6, "replicas' gradients add up to one device's"
