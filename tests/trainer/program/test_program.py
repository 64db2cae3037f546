"""Programs of decoders, run by node: the pictures of the SavedModel, within one level of 255."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from serving.explorer.program import PROGRAM
from tests.trainer.program.node import CODES, LABELS, decoded, needs_node, prepare, run_node
from tests.trainer.tiny import make_vae
from trainer.config import GenerationConfig
from trainer.export import Servable
from trainer.flow import Flow, FlowSettings
from trainer.networks import NETWORKS, latent_grid
from trainer.preprocessing import to_levels
from trainer.priors import Mixture
from trainer.program import UnknownLayer, write_program
from trainer.program.graph import network_program
from trainer.program.weights import Weights
from trainer.vae import VAE

LIKELIHOODS = ["bernoulli", "continuous_bernoulli", "gaussian", "discretized_logistic_mixture"]
SIZES = {
    "hidden": (24, 24, 20),
    "filters": (5, 7, 6),
    "latent_dim": 6,
    "top_latent_dim": 2,
    "width": 12,
    "latent_channels": 2,
    "patch": 3,
}
# Odd sides: rows and columns are cropped. Color pictures of 7x10, gray ones of 9x8.
MODELS = {
    f"{network}, {likelihood}, {kind}": {"network": network, "likelihood": likelihood, **fields}
    for kind, likelihoods, fields in (
        ("color", LIKELIHOODS, {"shape": (7, 10, 3)}),
        ("conditional", LIKELIHOODS[:1], {"shape": (9, 8, 1), "conditional": True, "dropout": 0.1}),
    )
    for network, likelihood in itertools.product(NETWORKS, likelihoods)
}


def ask(vae: VAE, generation: GenerationConfig, codes: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    """Return the model's pictures, as `Servable` shows them."""
    parameters = vae.decode(tf.constant(codes), labels)
    show = vae.likelihood.mode if generation.pixels == "mode" else vae.likelihood.mean
    return to_levels(show(parameters)).numpy()


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The pictures of every network and likelihood: of the model, and of its program."""
    root, expected = tmp_path_factory.mktemp("programs"), {}
    for i, (name, fields) in enumerate(MODELS.items()):
        for pixels in ("mean", "mode") if "mixture" in name else ("mean",):
            vae, generation = make_vae(spread=0.3, seed=i, **{**SIZES, **fields}), GenerationConfig(pixels=pixels)
            codes = np.random.default_rng(i).standard_normal((CODES, vae.latent_dim)).astype(np.float32)
            labels = np.arange(CODES) % len(LABELS) if vae.labels else None
            folder = root / f"{name}, {pixels}"
            write_program(vae, generation, None, LABELS if vae.labels else None, folder)
            prepare(folder, codes, labels)
            expected[folder.name] = ask(vae, generation, codes, None if labels is None else tf.constant(labels, tf.int32))
    run_node([root / name for name in expected])
    return {name: (pictures, decoded(root / name, pictures.shape[1:])) for name, pictures in expected.items()}


@needs_node
@pytest.mark.parametrize("name", MODELS)
def test_pictures_are_the_models_within_one_level(answers: dict[str, tuple[np.ndarray, np.ndarray]], name: str) -> None:
    for pixels in ("mean", "mode") if "mixture" in name else ("mean",):
        expected, found = answers[f"{name}, {pixels}"]
        assert expected.std(axis=0).mean() > 2, "pictures that hardly differ prove nothing"
        assert np.abs(expected.astype(int) - found).max() <= 1
        assert (expected == found).mean() > 0.9


def density_of(name: str, vae: VAE) -> Mixture | Flow | None:
    """An untrained density with random weights: codes of it differ from noise."""
    rng, dim = np.random.default_rng(1), vae.latent_dim
    labels = len(LABELS) if vae.labels else 0
    if name == "mixture":
        roots = 0.5 * rng.standard_normal((3, dim, dim))
        covariances = roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(dim)
        by_label = rng.dirichlet(np.ones(3), labels) if labels else None
        return Mixture(np.array([0.5, 0.3, 0.2]), rng.standard_normal((3, dim)), covariances, by_label)
    if name == "flow":
        grid = latent_grid(vae.config, vae.image_shape)
        flow = Flow(rng.standard_normal(dim), rng.uniform(0.5, 1.5, dim), labels, FlowSettings(1, 4, grid=grid))
        for i, weight in enumerate(flow.network.trainable_variables):
            weight.assign_add(0.05 * tf.random.stateless_normal(weight.shape, [i, 0]))
        return flow
    return None


DENSITIES = {
    "prior": {},
    "prior of two levels": {"network": "hierarchical"},
    "mixture": {},
    "flow": {},
    "flow over places": {"network": "spatial"},
    "vampprior": {"network": "hierarchical", "prior": "vampprior", "pseudo_inputs": 9},
}


@needs_node
@pytest.mark.parametrize("conditional", [False, True], ids=["", "conditional"])
def test_a_seed_draws_the_pictures_that_generate_draws(conditional: bool, tmp_path: Path) -> None:
    """The same random numbers, component by component and label by label; codes of a flow move by its weights' precision."""
    expected, count, seed, temperature = {}, 33, 2**41 + 5, 0.8
    for name, fields in DENSITIES.items():
        vae = make_vae(spread=0.3, shape=(9, 8, 1), conditional=conditional, **{**SIZES, **fields})
        density, folder = density_of(name.split()[0], vae), tmp_path / name
        labels = LABELS if conditional else None
        asked = [("", folder), *([("ü", tmp_path / f"{name} of a label")] if conditional else [])]
        for label, place in asked:
            write_program(vae, GenerationConfig(), density, labels, place, precision="float32")
            (place / "request.json").write_text(
                json.dumps({"count": count, "seed": seed, "temperature": temperature, "label": label})
            )
            expected[place] = generate(vae, density, count, seed, temperature, label if conditional else None)
    run_node(list(expected))
    for place, (codes, pictures) in expected.items():
        drawn = np.fromfile(place / "drawn.f32", "<f4").reshape(codes.shape)
        loose = 2e-2 if "flow" in place.name else 1e-5
        np.testing.assert_allclose(drawn, codes, atol=loose, rtol=loose, err_msg=place.name)
        found = decoded(place, pictures.shape[1:]).astype(int)
        assert np.abs(found - pictures).max() <= (3 if "flow" in place.name else 1), place.name


def generate(
    vae: VAE, density: Mixture | Flow | None, count: int, seed: int, temperature: float, label: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the codes and pictures of the signature `generate`, called without an export."""
    no_pixel_graph = SimpleNamespace(resources=[])
    servable = Servable(vae, no_pixel_graph, 1, LABELS if vae.labels else None, GenerationConfig(), density)
    draw, drawn = servable._draw_from_density if density else vae.draw_codes, []

    def keep(noise: tf.Tensor, seed: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
        drawn.append(draw(noise, seed, labels))
        return drawn[0]

    request = (tf.constant(count, tf.int64), tf.constant(seed, tf.int64), tf.constant(temperature), label)
    pictures = servable._generate(keep, *request)["images"].numpy()
    return drawn[0].numpy(), pictures


@keras.saving.register_keras_serializable("tests")
class Unheard(keras.layers.Layer):
    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return inputs


def test_half_precision_where_it_suffices(tmp_path: Path) -> None:
    """A model whose pictures do not change, the same with a decoder that magnifies rounding, and one that shows modes."""
    for name, vae, pixels in (
        ("float16", make_vae(spread=0.3, **SIZES), "mean"),
        ("float32", scaled(make_vae(spread=0.3, **SIZES), 30), "mean"),
        ("float32", make_vae(likelihood="discretized_logistic_mixture", **SIZES), "mode"),
    ):
        before = [weight.numpy() for weight in vae.weights]
        write_program(vae, GenerationConfig(pixels=pixels), None, None, tmp_path)
        types = {entry["type"] for entry in json.loads((tmp_path / PROGRAM).read_text())["tensors"] if len(entry["shape"]) > 1}
        assert types == {name}
        for weight, value in zip(vae.weights, before):
            np.testing.assert_array_equal(weight.numpy(), value)


def scaled(vae: VAE, factor: float) -> VAE:
    """Multiply the weights of the decoder's last layer."""
    kernel = vae.decoder.get_layer("output").kernel
    kernel.assign(factor * kernel)
    return vae


def test_an_unknown_layer_is_named() -> None:
    code = keras.Input((2,))
    model = keras.Model(code, Unheard(name="odd")(code))
    with pytest.raises(UnknownLayer, match="layer odd of type Unheard"):
        network_program(model, Weights(), "float16")
    model = keras.Model(code, keras.layers.Dense(2, "gelu", name="wide")(code))
    with pytest.raises(UnknownLayer, match="activation gelu of layer wide"):
        network_program(model, Weights(), "float16")


def test_weights_of_half_precision_only_where_they_fit() -> None:
    weights = Weights()
    for values in ([[0.1]], [[1e5]], [0.1]):  # a matrix, one beyond the range, a vector
        weights.add(np.array(values), "float16")
    assert [entry["type"] for entry in weights.entries] == ["float16", "float32", "float32"]
    assert [entry["at"] for entry in weights.entries] == [0, 4, 8] and len(weights.to_bytes()) == 12
    with pytest.raises(ValueError, match=r"shape \[1, 2\] is not finite"):
        weights.add(np.array([[0.0, np.nan]]))
