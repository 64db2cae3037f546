"""New images from an export: seeds, temperatures, labels and densities."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from PIL import Image

from serving.c_api import TensorFlowError
from tests.trainer.export.models import KINDS, MIXTURE, WEIGHTS, Exported, agree, typed
from tests.trainer.tiny import CONDITIONAL, make_vae
from trainer.config import GenerationConfig
from trainer.data import pixel_graph
from trainer.export import Servable
from trainer.preprocessing import to_levels

LIKELIHOODS = ["bernoulli", "continuous_bernoulli", "gaussian", "discretized_logistic_mixture"]


@pytest.mark.parametrize("kind", KINDS)
def test_generate_repeats_itself_and_more_begin_with_the_same(exports: Callable[[str], Exported], kind: str) -> None:
    draw = exports(kind).draw
    many = draw(300, 7, 1.0)
    assert many.dtype == np.uint8 and many.shape == (300, 8, 8, 1)
    np.testing.assert_array_equal(draw(300, 7, 1.0), many)
    for count in (1, 2, 5, 299):
        found = draw(count, 7, 1.0)
        assert np.abs(found.astype(int) - many[:count]).max() <= 1  # a product of matrices may round by their size
        assert (found == many[:count]).mean() > 0.999
    assert draw(0, 7, 1.0).shape == (0, 8, 8, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_another_seed_gives_other_pictures(exports: Callable[[str], Exported], kind: str) -> None:
    drawn = [exports(kind).draw(20, seed, 1.0).tobytes() for seed in (0, 1, 2, -1, 2**40, 2**63 - 1)]
    assert len(set(drawn)) == len(drawn)


def test_temperature_is_the_spread_of_the_codes(exported: Exported) -> None:
    cold = exported.draw(6, 3, 0.0)
    assert (cold == cold[0]).all()
    prior_mean = exported.ask("serving_default", latents=np.zeros((1, 2), np.float32))["images"]
    assert np.abs(cold[0].astype(int) - prior_mean[0]).max() <= 1
    spreads = [exported.draw(200, 3, temperature).std(axis=0).mean() for temperature in (0.0, 0.3, 1.0)]
    assert spreads[0] == 0 < spreads[1] < spreads[2]


@pytest.mark.parametrize("kind", ["conditional", "two levels"])
def test_at_temperature_0_pictures_are_those_of_the_components_means(exports: Callable[[str], Exported], kind: str) -> None:
    model = exports(kind)
    vae = model.servable._vae
    means = MIXTURE.means if kind == "conditional" else vae.prior.components()[0]
    z = tf.pad(means, [[0, 0], [0, vae.latent_dim - means.shape[1]]])
    labels = tf.fill([len(z)], list(WEIGHTS).index("ü")) if kind == "conditional" else None
    expected = np.round(vae.decode_mean(z, labels).numpy() * 255)
    cold = model.draw(100, 3, 0.0, label="ü").astype(int)
    apart = np.abs(cold[:, None] - expected[None]).max(axis=(2, 3, 4))
    assert (apart.min(axis=1) <= 1).all() and len(set(apart.argmin(axis=1))) > 1


def test_the_mixture_stands_in_for_the_prior(exports: Callable[[str], Exported]) -> None:
    """`generate_prior` is what the same model answers that has none."""
    model = exports("conditional")
    request = {"count": 30, "seed": 5, "temperature": 0.9, "label": b"a"}
    without = Servable(model.servable._vae, model.servable._pixels, 5, WEIGHTS)
    assert "generate_prior" not in without.signatures()
    expected = {k: v.numpy() for k, v in without.generate(*map(tf.constant, typed(request).values())).items()}
    agree(model.ask("generate_prior", **request), expected)
    mixture = model.ask("generate", **request)["images"]
    assert np.abs(mixture.astype(int) - expected["images"]).max() > 10


def test_codes_of_generated_pictures_are_the_mixtures(exports: Callable[[str], Exported]) -> None:
    """The same noise and seed through the mixture itself, then the decoder."""
    model, vae = exports("conditional"), exports("conditional").servable._vae
    noise = tf.random.stateless_normal([40, 2], seed=tf.constant([5, 0], tf.int64))
    z = MIXTURE.draw(0.7 * noise, tf.constant([5, 1], tf.int64))
    expected = np.round(vae.decode_mean(z, tf.fill([40], 1)).numpy() * 255)
    assert np.abs(model.draw(40, 5, 0.7, label="a") - expected).max() <= 1


@pytest.mark.parametrize("runtime", ["ask", "ask_session"])
def test_pictures_without_a_label_asked_for_are_of_all_as_often_as_in_training(
    exports: Callable[[str], Exported], runtime: str
) -> None:
    """Codes are the seed's whatever the label, so each picture is that of one of the labels."""
    model, count = exports("conditional"), 400
    each = np.stack([model.draw(count, 2, 1.0, label, runtime) for label in WEIGHTS]).astype(int)
    apart = np.abs(model.draw(count, 2, 1.0, "", runtime) - each).max(axis=(2, 3, 4))
    assert (apart.min(axis=0) <= 1).all()
    clear = (np.sort(apart, axis=0)[1] > 1).mean()
    assert clear > 0.9, "labels make a difference"
    shares = np.bincount(apart.argmin(axis=0), minlength=3) / count
    np.testing.assert_allclose(shares, list(WEIGHTS.values()), atol=0.1)


def test_shares_may_be_counts(graph: tft.TFTransformOutput) -> None:
    vae, pixels = make_vae(spread=0.3, labels=3, **CONDITIONAL), pixel_graph(graph)
    request = [tf.constant(value) for value in (np.int64(50), np.int64(3), np.float32(1), b"")]
    counts = {name: round(1000 * share) for name, share in WEIGHTS.items()}
    one, other = (Servable(vae, pixels, 5, labels).generate(*request)["images"] for labels in (WEIGHTS, counts))
    np.testing.assert_array_equal(one, other)


def test_an_unknown_label_is_refused_with_those_that_are_known(exports: Callable[[str], Exported]) -> None:
    model = exports("conditional")
    for runtime, kind in (("ask", tf.errors.InvalidArgumentError), ("ask_session", TensorFlowError)):
        for label in ("c", "A", "a ", "aa"):
            with pytest.raises(kind, match="unknown label; known are: b, a, "):
                model.draw(3, 1, 1.0, label, runtime)
    with pytest.raises(tf.errors.InvalidArgumentError, match="unknown label"):
        model.ask("generate_png", count=1, seed=1, temperature=1.0, label=b"c")
    model.draw(3, 1, 1.0, "a", "ask_session")  # and it answers on


def test_images_are_shown_by_the_mean_or_by_the_mode(graph: tft.TFTransformOutput) -> None:
    vae = make_vae(spread=0.3, likelihood="discretized_logistic_mixture")
    codes = tf.random.stateless_normal([6, vae.latent_dim], [0, 1])
    parameters = vae.decode(codes)
    expected = {"mean": vae.likelihood.mean(parameters), "mode": vae.likelihood.mode(parameters)}
    shown = {}
    for pixels, images in expected.items():
        asked = Servable(vae, pixel_graph(graph), 5, None, GenerationConfig(pixels=pixels))
        shown[pixels] = asked.decode(codes)["images"].numpy()
        np.testing.assert_array_equal(shown[pixels], to_levels(images))
        new = asked.generate(tf.constant(3), tf.constant(1), tf.constant(1.0))["images"]
        other = {"mean": "mode", "mode": "mean"}[pixels]
        assert (
            (
                new
                != Servable(vae, pixel_graph(graph), 5, None, GenerationConfig(pixels=other)).generate(
                    tf.constant(3), tf.constant(1), tf.constant(1.0)
                )["images"]
            )
            .numpy()
            .any()
        )
    assert (shown["mean"] != shown["mode"]).any()


class NoGraph:
    """In the place of the Transform graph where no picture is read."""

    resources = tf.Module()


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_sampled_pixels_are_noise_around_the_mean(likelihood: str) -> None:
    vae = make_vae(spread=0.1, likelihood=likelihood)
    draws = {
        pixels: Servable(vae, NoGraph(), 5, generation=GenerationConfig(pixels=pixels)).generate for pixels in ("mean", "sample")
    }
    request = [tf.constant(value) for value in (np.int64(400), np.int64(7), np.float32(0))]
    mean, samples = (draws[pixels](*request)["images"].numpy().astype(float) for pixels in ("mean", "sample"))
    assert (mean == mean[0]).all() and samples.std(axis=0).min() > 1, "one code, pictures with noise of their own"
    if likelihood == "bernoulli":
        assert set(np.unique(samples)) == {0, 255}
    if likelihood != "gaussian":  # whose samples are clipped
        error = samples.std(axis=0) / 400**0.5
        assert (np.abs(samples.mean(axis=0) - mean[0]) < 5 * error + 1).all()
    few = draws["sample"](tf.constant(np.int64(9)), *request[1:])["images"]
    np.testing.assert_array_equal(few, samples[:9])
    other = draws["sample"](request[0], tf.constant(np.int64(8)), request[2])["images"].numpy()
    assert (other != samples).mean() > 0.1


def test_generated_png_files_hold_the_generated_images(exported: Exported) -> None:
    request = {"count": 5, "seed": 11, "temperature": 0.9}
    files = exported.ask("generate_png", **request)["png_bytes"]
    decoded = [np.array(Image.open(io.BytesIO(content)))[..., None] for content in files]
    np.testing.assert_array_equal(decoded, exported.ask("generate", **request)["images"])
