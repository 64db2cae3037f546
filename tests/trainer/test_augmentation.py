"""How training pictures are mirrored, shifted and recolored."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.tiny import bars, fit
from trainer.augmentation import KINDS, augment, change_colors, move
from trainer.data import Pictures
from trainer.preprocessing import scale
from trainer.sampling import example_keys, keyed_normal

SEED = tf.constant([1, 2])
RNG = np.random.default_rng(0)
COLOR = RNG.integers(0, 256, (40, 6, 9, 3), np.uint8)
PICTURES = {"rgb": COLOR, "grey": COLOR[..., :1], "16 bits": RNG.integers(0, 65536, (40, 5, 4, 3), np.uint16)}


def moved(levels: np.ndarray, mirrored: bool = False, rows: int = 0, columns: int = 0) -> np.ndarray:
    count = len(levels)
    return move(levels, tf.fill([count], mirrored), tf.fill([count], rows), tf.fill([count], columns)).numpy()


def recolored(levels: np.ndarray, brightness: float = 0.0, contrast: float = 0.0, saturation: float = 0.0) -> np.ndarray:
    return change_colors(levels, *(tf.fill([len(levels)], value) for value in (brightness, contrast, saturation))).numpy()


@pytest.mark.parametrize("levels", PICTURES.values(), ids=PICTURES)
def test_mirrored_is_left_to_right_and_twice_is_as_before(levels: np.ndarray) -> None:
    once = moved(levels, mirrored=True)
    np.testing.assert_array_equal(once, levels[:, :, ::-1])
    np.testing.assert_array_equal(moved(once, mirrored=True), levels)


@pytest.mark.parametrize("levels", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize(("rows", "columns"), [(0, 0), (2, 0), (-1, 3), (3, -3)])
def test_shifted_is_what_numpy_cuts_out_of_a_reflected_border(levels: np.ndarray, rows: int, columns: int) -> None:
    bordered = np.pad(levels, ((0, 0), (3, 3), (3, 3), (0, 0)), "reflect")
    height, width = levels.shape[1:3]
    expected = bordered[:, 3 - rows : 3 - rows + height, 3 - columns : 3 - columns + width]
    np.testing.assert_array_equal(moved(levels, rows=rows, columns=columns), expected)
    np.testing.assert_array_equal(moved(levels[:, :, ::-1], True, rows, columns), expected)


def test_half_of_the_pictures_are_mirrored_and_shifts_are_even() -> None:
    ramp = np.tile(np.arange(16, dtype=np.uint8) * 10, (3000, 16, 1))[..., np.newaxis]
    after = augment(ramp, ["mirrored"], SEED).numpy()
    assert (after[:, 0, 0, 0] > 0).mean() == pytest.approx(0.5, abs=0.04)
    after = augment(ramp, ["shifted"], SEED, shift_pixels=2).numpy()[:, 8, 8, 0] // 10 - 8
    assert np.bincount(after.astype(np.int8) + 2, minlength=5) / 3000 == pytest.approx(np.full(5, 0.2), abs=0.03)


@pytest.mark.parametrize("levels", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize("kinds", [[kind] for kind in KINDS] + [list(KINDS)], ids="+".join)
def test_pictures_stay_pictures_and_seeds_decide(levels: np.ndarray, kinds: list[str]) -> None:
    once, again, other = (augment(levels, kinds, tf.constant(seed)).numpy() for seed in ([1, 2], [1, 2], [1, 3]))
    assert once.dtype == levels.dtype and once.shape == levels.shape
    np.testing.assert_array_equal(once, again)
    assert (once != other).any(axis=(1, 2, 3)).mean() > 0.3 and (once != levels).any(axis=(1, 2, 3)).mean() > 0.3
    in_a_graph = tf.function(
        lambda x: augment(x, kinds, SEED), input_signature=[tf.TensorSpec([None, *levels.shape[1:]], levels.dtype)]
    )
    np.testing.assert_array_equal(in_a_graph(levels), once)


def test_no_kind_no_pixel_and_no_jitter_change_nothing() -> None:
    assert augment(COLOR, [], SEED) is COLOR
    np.testing.assert_array_equal(augment(COLOR, ["shifted", "jittered"], SEED, shift_pixels=0, jitter=0.0), COLOR)


def test_one_pixel_has_nowhere_to_go() -> None:
    dot = COLOR[:, :1, :1]
    np.testing.assert_array_equal(augment(dot, ["mirrored", "shifted"], SEED, shift_pixels=5), dot)


def test_kinds_draw_apart() -> None:
    mirrored = augment(COLOR, ["mirrored"], SEED).numpy()
    together = augment(COLOR, ["mirrored", "jittered"], SEED).numpy()
    np.testing.assert_array_equal(augment(mirrored, ["jittered"], SEED), together)


RAMP = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)


@pytest.mark.parametrize("brightness", [-0.15, 0.0, 0.1, 0.15])
@pytest.mark.parametrize("contrast", [-0.15, 0.0, 0.1, 0.15])
def test_colors_keep_their_order_and_black_and_white(brightness: float, contrast: float) -> None:
    after = recolored(RAMP, brightness, contrast).ravel().astype(int)
    assert after[0] == 0 and after[255] == 255 and (np.diff(after) >= 0).all()
    middle = (after[127] + after[128]) / 2
    assert middle - 127.5 == pytest.approx(255 * brightness, abs=1)
    assert (after[136] - after[119]) / 17 == pytest.approx(1 + contrast, abs=0.06)


def test_saturation_moves_colors_away_from_their_luma_and_leaves_grey() -> None:
    soft = RNG.integers(100, 156, (5, 4, 4, 3), np.uint8)
    after, luma = recolored(soft, saturation=0.2).astype(float), (soft @ [0.299, 0.587, 0.114])[..., np.newaxis]
    np.testing.assert_allclose(after - luma, 1.2 * (soft - luma), atol=0.51)
    grey = np.repeat(RAMP, 3, axis=3)
    np.testing.assert_array_equal(recolored(grey, saturation=0.2), grey)
    np.testing.assert_array_equal(recolored(recolored(soft, saturation=-1.0)[..., :1], saturation=0.2), np.round(luma))


def test_an_unknown_kind_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="unknown augmentation 'rotated'.*mirrored, shifted, jittered"):
        augment(COLOR, ["rotated"], SEED)


def test_training_sees_changed_pictures_anew_in_each_step_and_held_out_ones_stay(tmp_path: Path) -> None:
    """Pictures that are dark on the left, and so brighter on the left where they are mirrored."""
    levels = np.tile(np.linspace(0, 255, 8).astype(np.uint8)[:, np.newaxis], (64, 8, 1, 1))
    labels = np.arange(64, dtype=np.int32) % 2
    run = fit(tmp_path, Pictures(levels, labels), Pictures(levels), epochs=1, augmentation=["mirrored", "jittered"])
    draws = [run.loop._draw(tf.constant(levels), tf.constant(labels), tf.constant([0, step])) for step in (1, 1, 2)]
    for x, corrupted, kept, _ in draws:
        np.testing.assert_array_equal(corrupted, x)
        np.testing.assert_array_equal(kept, labels)
        np.testing.assert_array_equal(np.round(x * 255.0), x * 255.0)
    first, again, other = (draw[0].numpy() for draw in draws)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any(axis=(1, 2, 3)).mean() > 0.9
    assert (first[:, 0, 0] > 0.5).mean() == pytest.approx(0.5, abs=0.25)
    noise = keyed_normal(example_keys(levels), (run.vae.latent_dim,))
    terms = run.vae.elbo_terms(scale(tf.constant(levels)), noise)
    assert run.loop.evaluate().reconstruction == pytest.approx(float(tf.reduce_mean(terms.reconstruction)), rel=1e-5)


def test_all_else_is_drawn_as_without_augmentation(tmp_path: Path) -> None:
    loop = fit(tmp_path, epochs=1, corruption="masking").loop
    levels, draws = np.maximum(bars(8), 1), []
    for kinds in ((), ("mirrored",)):
        loop.config = dataclasses.replace(loop.config, augmentation=kinds)
        draws.append(loop._draw(levels, tf.zeros([8], tf.int32), SEED))
    (x, spoilt, _, noise), (other, other_spoilt, _, other_noise) = draws
    np.testing.assert_array_equal(x, scale(levels))
    assert (x != other).numpy().any()
    np.testing.assert_array_equal(noise, other_noise)
    np.testing.assert_array_equal(spoilt == 0, other_spoilt == 0)


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_seed_decides_compiled_or_not(tmp_path: Path, jit_compile: bool) -> None:
    options = {"augmentation": list(KINDS), "epochs": 2}
    plain, other = fit(tmp_path, **options), fit(tmp_path, jit_compile=jit_compile, **options)
    for mine, theirs in zip(plain.history, other.history, strict=True):
        assert mine["eval"] == pytest.approx(theirs["eval"], rel=1e-3)
