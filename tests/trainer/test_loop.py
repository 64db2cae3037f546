"""The training loop on little pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import trainer.loop
from common.errors import InputError
from tests.trainer.tiny import CONDITIONAL, HIERARCHICAL, VAMPPRIOR, Fitted, bars, fit, labelled_bars, uprightness  # fmt: skip
from trainer.corruption import corrupt
from trainer.data import Pictures
from trainer.loop import LABELS_HIDDEN, Figures
from trainer.losses import ElboTerms
from trainer.preprocessing import scale
from trainer.replication import get_strategy
from trainer.sampling import example_keys, keyed_normal
from trainer.vae import VAE

EVERYTHING = {**HIERARCHICAL, **VAMPPRIOR, **CONDITIONAL}


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
    agree(replicas)


def agree(replicas: dict) -> None:
    assert replicas["copies_differ"] == 0.0
    together, alone = replicas["noiseless"]["mirrored"], replicas["noiseless"]["one_device"]
    assert set(together) == set(alone) and together
    for kind in together:
        np.testing.assert_allclose(figures(together[kind]), figures(alone[kind]), rtol=1e-4, err_msg=kind)


@pytest.mark.slow
def test_replicas_of_every_kind_of_model_do_what_one_device_does(replicas_of_variants: dict) -> None:
    agree(replicas_of_variants)


def test_every_replica_and_step_has_noise_of_its_own(replicas: dict) -> None:
    assert len(set(replicas["random"]["noise"])) == 4


@pytest.mark.slow
def test_every_replica_step_and_seed_draws_spoils_binarises_and_hides_for_itself(
    replicas: dict, replicas_of_variants: dict
) -> None:
    found = replicas_of_variants["random"]
    assert len(found) == 4 and all(len(set(figures)) == 4 for figures in found.values()), found
    assert not set(found["noise of another seed"]) & set(replicas["random"]["noise"])


@pytest.mark.slow
def test_replicas_learn_as_well_as_one_device(replicas_of_variants: dict) -> None:
    mirrored, alone = (replicas_of_variants["history"][name] for name in ("mirrored", "one_device"))
    assert mirrored[-1]["eval"]["elbo"] == pytest.approx(alone[-1]["eval"]["elbo"], rel=0.03)


def test_compiled_by_xla_the_figures_are_the_same(fitted: Fitted, tmp_path: Path) -> None:
    compiled = fit(tmp_path, jit_compile=True).history
    np.testing.assert_allclose(figures(compiled), figures(fitted.history), rtol=1e-3, atol=1e-3)


def test_half_precision_is_for_the_networks_alone(fitted: Fitted, tmp_path: Path) -> None:
    run = fit(tmp_path, precision="bfloat16", model=VAMPPRIOR | HIERARCHICAL, epochs=2)
    plain = fit(tmp_path, model=VAMPPRIOR | HIERARCHICAL, epochs=2)
    assert {str(weight.dtype) for weight in run.vae.weights} == {"float32"}
    mine, theirs = figures(run.history), figures(plain.history)
    np.testing.assert_allclose(mine[:, :3], theirs[:, :3], rtol=0.02)
    assert np.abs(mine - theirs).max() > 1e-4
    assert keras.config.dtype_policy().name == "float32", "what is built next is not"


def test_dropout_is_for_training_alone_and_by_the_seed(fitted: Fitted, tmp_path: Path) -> None:
    run = fit(tmp_path / "some", model={"dropout": 0.5})
    again = fit(tmp_path / "compiled", model={"dropout": 0.5}, jit_compile=True)
    np.testing.assert_allclose(figures(again.history), figures(run.history), rtol=1e-3, atol=1e-3)
    assert np.abs(figures(run.history) - figures(fitted.history)).min() > 1e-4
    assert run.loop.evaluate() == run.loop.evaluate()


def test_stops_early_with_the_best_epochs_weights(tmp_path: Path) -> None:
    """Held-out pictures that are the negatives of the others: after the first steps, all learning is for the worse."""
    run = fit(tmp_path, held_out=Pictures(255 - bars(40, seed=1)), epochs=30, patience=3, warmup_share=0.0)
    held_out = [line["eval"]["elbo"] for line in run.history]
    assert run.outcome.best_epoch == np.argmax(held_out) + 1
    assert run.outcome.epochs == len(held_out) == run.outcome.best_epoch + 3 < 30
    restored = run.loop.evaluate().as_dict()["elbo"]
    assert restored == pytest.approx(max(held_out), rel=1e-6)
    assert restored > held_out[-1] + 0.1


def test_running_means_of_the_weights_are_judged_and_kept_and_training_goes_on_without_them(fitted: Fitted, tmp_path: Path) -> None:
    run = fit(tmp_path, weight_average=0.9)
    trained, averaged = ([line[part]["elbo"] for line in run.history] for part in ("train", "eval"))
    assert trained == [line["train"]["elbo"] for line in fitted.history], "the very steps that it takes without means"
    assert min(abs(a - line["eval"]["elbo"]) for a, line in zip(averaged, fitted.history)) > 1e-4
    best = run.outcome.best_epoch
    assert run.loop.evaluate().as_dict()["elbo"] == averaged[best - 1] == max(averaged)
    if best == len(averaged):
        for kept, mean in zip(run.vae.trainable_variables, run.loop.optimizer.averages, strict=True):
            np.testing.assert_array_equal(kept, mean)


def test_the_last_epoch_may_be_the_best(fitted: Fitted) -> None:
    held_out = [line["eval"] for line in fitted.history]
    best = max(held_out, key=lambda part: part["elbo"])
    assert fitted.outcome.best_epoch == held_out.index(best) + 1
    assert fitted.loop.evaluate().as_dict() == pytest.approx(best, rel=1e-6)


def test_a_cyclical_weight_shows_in_the_history(tmp_path: Path) -> None:
    """78 steps in three cycles, 13 steps an epoch: each cycle's first epoch ends half way up."""
    history = fit(tmp_path, beta=2.0, kl_warmup="cyclical", kl_cycles=3, kl_warmup_share=1.0).history
    assert [line["beta"] for line in history] == pytest.approx([1.0, 2.0] * 3)


VARIANTS = {
    "everything": (EVERYTHING, {"corruption": "salt_and_pepper", "free_bits": 0.1, "kl_warmup": "cyclical"}),
    "binarised": ({"binarisation": "dynamic"}, {"corruption": "masking"}),
    "gaussian": ({"likelihood": "gaussian", "sigma": "optimal"}, {"corruption": "gaussian"}),
}


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Callable[..., Fitted], Fitted]:
    """What trains a variant again, and what it came to once."""
    model, training = VARIANTS[request.param]

    def train(**options: object) -> Fitted:
        return fit(tmp_path_factory.mktemp("variant"), model=model, epochs=2, **training, **options)

    return train, train()


def test_the_seed_decides_whatever_is_random(variant: tuple[Callable[..., Fitted], Fitted]) -> None:
    train, once = variant
    again = train()
    np.testing.assert_allclose(figures(again.history), figures(once.history), rtol=1e-4, atol=1e-5)
    for a, b in zip(once.vae.get_weights(), again.vae.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    assert np.isfinite(figures(once.history)).all()
    assert once.history[-1]["eval"]["elbo"] > once.history[0]["eval"]["elbo"], "it learns"


@pytest.mark.slow
def test_compiled_by_xla_every_variant_does_the_same(variant: tuple[Callable[..., Fitted], Fitted]) -> None:
    train, plain = variant
    np.testing.assert_allclose(figures(train(jit_compile=True).history), figures(plain.history), rtol=1e-3, atol=1e-3)


def kl_per_dimension(vae: VAE) -> np.ndarray:
    """Means over held-out pictures, [d]."""
    x = scale(tf.constant(bars(40, seed=1)))
    return vae.elbo_terms(x, tf.zeros([40, vae.latent_dim])).kl_per_dimension.numpy().mean(axis=0)


def test_free_bits_keep_every_dimension_alive(tmp_path: Path) -> None:
    """Under a weight of the KL divergence at which next to nothing is worth its price."""
    options = {"model": {"latent_dim": 4}, "beta": 4.0, "kl_warmup_share": 0.0, "epochs": 12}
    without, with_them = (kl_per_dimension(fit(tmp_path, free_bits=bits, **options).vae) for bits in (0.0, 0.4))
    assert without.max() < 0.2 and without.mean() < 0.1
    assert with_them.min() > 0.2 and with_them.max() < 0.6, "about what is free"


def test_a_denoiser_brings_spoilt_pictures_nearer_to_the_clean_ones(tmp_path: Path) -> None:
    clean = scale(tf.constant(bars(60, seed=2)))
    spoilt = corrupt(clean, "masking", 0.4, tf.constant([0, 1]))
    errors = {}
    for kind in ("none", "masking"):
        options = {"corruption": kind, "corruption_level": 0.6, "epochs": 20}
        vae = fit(tmp_path, labelled_bars(300), model={"latent_dim": 4, "hidden": (48,)}, **options).vae
        rebuilt = vae.decode_mean(vae.encode(spoilt)[0])
        errors[kind] = float(tf.reduce_mean(tf.square(rebuilt - clean)))
    assert errors["masking"] < 0.3 * float(tf.reduce_mean(tf.square(spoilt - clean)))
    assert errors["masking"] < 0.7 * errors["none"], "that of one that was trained on clean pictures"


class Telltale(VAE):
    """A VAE whose reconstruction term and KL divergence are what `tell` makes of its pictures."""

    def tell(self, x: tf.Tensor, labels: tf.Tensor, corrupted: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Two figures, each float32 [n]."""
        raise NotImplementedError

    def elbo_terms(
        self,
        x: tf.Tensor,
        noise: tf.Tensor,
        labels: tf.Tensor | None = None,
        corrupted: tf.Tensor | None = None,
        training: bool = False,
    ) -> ElboTerms:
        nothing = 0.0 * super().elbo_terms(x, noise).elbo
        first, second = self.tell(x, labels, corrupted)
        return ElboTerms(nothing + first, (nothing + second)[:, tf.newaxis])


class TellsLabels(Telltale):
    """The share of labels that are hidden, and of those that are upright."""

    def tell(self, x: tf.Tensor, labels: tf.Tensor, corrupted: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.cast(labels == -1, tf.float32), tf.cast(labels == 1, tf.float32)


def test_a_tenth_of_the_labels_is_hidden_in_training_and_none_of_them_else(tmp_path: Path) -> None:
    pictures = labelled_bars(1000)
    run = fit(tmp_path, pictures, batch_size=100, epochs=3, vae_class=TellsLabels, model=CONDITIONAL)
    hidden = [line["train"]["reconstruction"] for line in run.history]
    assert np.mean(hidden) == pytest.approx(LABELS_HIDDEN, abs=4 * (0.09 / 3000) ** 0.5) and len(set(hidden)) == 3
    seen, there = np.mean([line["train"]["kl"] for line in run.history]), pictures.labels.mean()
    assert seen == pytest.approx(0.9 * there, abs=0.03)
    assert {line["eval"]["reconstruction"] for line in run.history} == {0.0}
    assert run.history[0]["eval"]["kl"] == pytest.approx(labelled_bars(40, seed=1).labels.mean())


class TellsPictures(Telltale):
    """How far values are from black or white, and how grey pictures are."""

    def tell(self, x: tf.Tensor, labels: tf.Tensor, corrupted: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.reduce_mean(tf.minimum(x, 1 - x), axis=[1, 2, 3]), tf.reduce_mean(x, axis=[1, 2, 3])


def test_binarised_training_sees_black_and_white_anew_in_each_epoch(tmp_path: Path) -> None:
    history = fit(tmp_path, epochs=4, vae_class=TellsPictures, model={"binarisation": "dynamic"}).history
    for split, count in (("train", 97), ("eval", 40)):
        assert {line[split]["reconstruction"] for line in history} == {0.0}
        grey = scale(tf.constant(bars(count, seed=split == "eval"))).numpy().mean()
        assert np.mean([line[split]["kl"] for line in history]) == pytest.approx(grey, abs=0.02)
    assert len({line["train"]["kl"] for line in history}) == 4
    assert len({line["eval"]["kl"] for line in history}) == 1


class TellsCorruption(Telltale):
    """The share of values that are spoilt, and 1 where there are spoilt pictures at all."""

    def tell(self, x: tf.Tensor, labels: tf.Tensor, corrupted: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        given = tf.ones([tf.shape(x)[0]]) * float(corrupted is not None)
        return tf.reduce_mean(tf.cast(x != (x if corrupted is None else corrupted), tf.float32), axis=[1, 2, 3]), given


def test_pictures_are_spoilt_in_training_alone(tmp_path: Path) -> None:
    options = {"corruption": "masking", "corruption_level": 0.6, "vae_class": TellsCorruption}
    history = fit(tmp_path, labelled_bars(500), batch_size=50, epochs=2, **options).history
    black = (bars(500) == 0).mean()
    assert [line["train"]["reconstruction"] for line in history] == pytest.approx([0.3 * (1 - black)] * 2, abs=0.02)
    assert {line["eval"]["reconstruction"] for line in history} == {0.0}


def test_held_out_figures_are_those_of_clean_pictures_with_their_own_noise_and_labels(tmp_path: Path) -> None:
    run = fit(tmp_path, model=EVERYTHING, corruption="masking", epochs=1)
    held_out = labelled_bars(40, seed=1)
    noise = keyed_normal(example_keys(held_out.levels), (run.vae.latent_dim,))
    terms = run.vae.elbo_terms(scale(tf.constant(held_out.levels)), noise, tf.constant(held_out.labels))
    expected = float(tf.reduce_mean(terms.reconstruction)), float(tf.reduce_mean(terms.kl))
    assert tuple(run.loop.evaluate()) == pytest.approx(expected, rel=1e-5)


def test_a_conditional_model_learns_what_labels_mean(tmp_path: Path) -> None:
    run = fit(tmp_path, labelled_bars(300), model={**CONDITIONAL, "hidden": (48,)}, epochs=15)
    z = tf.random.stateless_normal([100, 2], seed=[0, 1])
    for label, sign in ((0, -1), (1, 1)):
        levels = run.vae.decode_mean(z, tf.fill([100], label)).numpy()
        assert (sign * uprightness(levels) > 0).mean() > 0.9
    held_out = labelled_bars(60, seed=2)
    x, noise = scale(tf.constant(held_out.levels)), tf.zeros([60, 2])
    labels = tf.constant(held_out.labels)
    right, wrong, none = (float(tf.reduce_mean(run.vae.elbo_terms(x, noise, given).elbo)) for given in (labels, 1 - labels, None))
    assert right > none > wrong, "it knows pictures without a label as well"


@pytest.mark.parametrize("learning_rate", [1e30, float("nan")])
def test_divergence_is_told(learning_rate: float, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="diverged in epoch 1.*lower training.learning_rate"):
        fit(tmp_path, learning_rate=learning_rate)


def test_fewer_pictures_than_a_batch(tmp_path: Path) -> None:
    run = fit(tmp_path, train=labelled_bars(3), held_out=labelled_bars(1, seed=1), batch_size=64, epochs=2)
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
