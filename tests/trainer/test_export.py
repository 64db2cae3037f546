"""The exported model: in Python, and in TensorFlow's C++ runtime, which serves it."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from PIL import Image

from serving.c_api import Session, TensorFlowError, find_library
from serving.signatures import Signature, read_signatures
from tests.trainer.tiny import CONDITIONAL, HIERARCHICAL, VAMPPRIOR, bars, encode, example, make_vae, noise
from trainer.config import GenerationConfig
from trainer.data import pixel_graph
from trainer.export import Servable
from trainer.flow import Flow, FlowSettings
from trainer.preprocessing import to_levels
from trainer.priors import Mixture
from trainer.sampling import example_keys, keyed_normal

PICTURES = [*(encode(picture) for picture in bars(3)), encode(noise(1, 13, 9, 4)), encode(noise(2, 30, 40, 3), "JPEG")]
EXAMPLES = [example(content, label) for content, label in zip(PICTURES, ("a", "b", "", "c", None))]
SIGNATURES = [
    "serving_default", "generate", "generate_png", "encode", "reconstruct", "interpolate", "score", "evaluate"
]  # fmt: skip
KINDS = ["plain", "conditional", "flow", "two levels"]
LIKELIHOODS = ["bernoulli", "continuous_bernoulli", "gaussian", "discretized_logistic_mixture"]
Value = np.ndarray | list[bytes]


@dataclass
class Exported:
    """A model in memory, what it answers to its golden requests, and its export in Python and in the C++ runtime."""

    servable: Servable
    inputs: dict[str, dict[str, Value]]
    answers: dict[str, dict[str, Value]]
    loaded: tf.Module
    session: Session
    signatures: dict[str, Signature]

    def ask(self, signature: str, **inputs: object) -> dict[str, np.ndarray]:
        """What the model loaded in Python answers."""
        tensors = {name: tf.constant(value) for name, value in typed(inputs).items()}
        return {name: value.numpy() for name, value in self.loaded.signatures[signature](**tensors).items()}

    def ask_session(self, signature: str, **inputs: object) -> dict[str, Value]:
        """What the C++ runtime answers."""
        found = self.signatures[signature]
        feeds = {found.inputs[name]: value for name, value in typed(inputs).items()}
        return dict(zip(found.outputs, self.session.run(feeds, list(found.outputs.values()))))

    def draw(self, count: int, seed: int, temperature: float, label: str = "", runtime: str = "ask") -> np.ndarray:
        """Generated pictures, of the label where the model takes one."""
        request = {"count": count, "seed": seed, "temperature": temperature}
        if "label" in self.signatures["generate"].inputs:
            request["label"] = label.encode()
        return getattr(self, runtime)("generate", **request)["images"]


def typed(inputs: dict[str, object]) -> dict[str, object]:
    """Numbers in the types that signatures take."""
    types = {int: np.int64, float: np.float32}
    return {name: types[type(value)](value) if type(value) in types else value for name, value in inputs.items()}


WEIGHTS = {"b": 0.2, "a": 0.7, "ü": 0.1}  # labels with their shares
MIXTURE = Mixture(
    np.array([0.5, 0.3, 0.2]),
    np.array([[-3.0, 0.5], [2.0, 2.0], [0.5, -3.0]]),
    np.array([[[0.5, 0.2], [0.2, 0.3]], [[0.1, 0.0], [0.0, 0.6]], [[0.3, -0.1], [-0.1, 0.2]]]),
)


def small_flow() -> Flow:
    """An untrained flow of three labels, its weights moved about, so that label and noise both count."""
    flow = Flow(np.array([0.5, -1.0]), np.array([1.0, 0.8]), 3, FlowSettings(1, 4))
    for i, weight in enumerate(flow.network.trainable_variables):
        weight.assign_add(0.2 * tf.random.stateless_normal(weight.shape, [i, 0]))
    return flow


def servable(kind: str, pixels: Callable[[tf.Tensor], tf.Tensor]) -> Servable:
    """A model with random weights: `plain`, `conditional` with a mixture, the same with a `flow`, or of two levels under a VampPrior."""
    if kind == "conditional":
        vae = make_vae(spread=0.3, labels=3, **CONDITIONAL)
        return Servable(vae, pixels, 5, WEIGHTS, GenerationConfig(density="mixture"), MIXTURE)
    if kind == "flow":
        vae = make_vae(spread=0.3, labels=3, **CONDITIONAL)
        return Servable(vae, pixels, 5, WEIGHTS, GenerationConfig(density="flow"), small_flow())
    if kind == "two levels":
        return Servable(make_vae(spread=0.3, **HIERARCHICAL, **VAMPPRIOR, binarisation="dynamic"), pixels, 5)
    return Servable(make_vae(spread=0.3), pixels, importance_samples=5)


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory, graph: tft.TFTransformOutput) -> Callable[[str], Exported]:
    """Exports each kind of model once."""

    @functools.cache
    def export(kind: str) -> Exported:
        folder = tmp_path_factory.mktemp("exported")
        made = servable(kind, pixel_graph(graph))
        made.save(folder)
        answers = made.answers(EXAMPLES, PICTURES)
        session = Session(find_library(), folder)
        return Exported(made, *answers, tf.saved_model.load(str(folder)), session, read_signatures(folder))

    return export


@pytest.fixture(scope="module")
def exported(exports: Callable[[str], Exported]) -> Exported:
    """A model with one level, the standard normal prior and no labels."""
    return exports("plain")


def agree(found: dict[str, Value], expected: dict[str, Value]) -> None:
    assert set(found) == set(expected)
    for name, value in expected.items():
        if name == "label":
            assert list(found[name]) == list(value)
            continue
        if isinstance(value, list):
            assert [len(content) > 8 for content in found[name]] == [True] * len(value)
            pairs = [[np.array(Image.open(io.BytesIO(one))) for one in both] for both in zip(found[name], value)]
        else:
            assert found[name].dtype == value.dtype and found[name].shape == value.shape
            pairs = [(found[name], value)]
        for a, b in pairs:
            if a.dtype == np.uint8:
                assert np.abs(a.astype(int) - b).max() <= 1
            else:
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_requests_do_not_encode_the_priors_components(
    tmp_path: Path, graph: tft.TFTransformOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, calls = servable("two levels", pixel_graph(graph)), []
    encode_components = made._vae.prior._encode
    monkeypatch.setattr(made._vae.prior, "_encode", lambda x: calls.append(1) or encode_components(x))
    expected = {name: value.numpy() for name, value in made.evaluate(tf.constant(EXAMPLES)).items()}
    calls.clear()
    made.save(tmp_path, ["evaluate"])
    loaded = tf.saved_model.load(str(tmp_path))
    assert len(calls) == 1 and list(loaded.signatures) == ["evaluate"]
    agree({name: value.numpy() for name, value in loaded.signatures["evaluate"](tf.constant(EXAMPLES)).items()}, expected)


@pytest.mark.parametrize("runtime", ["ask", "ask_session"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_signature_answers_as_the_model_in_memory_does(exports: Callable[[str], Exported], kind: str, runtime: str) -> None:
    model = exports(kind)
    assert list(model.inputs) == list(model.answers) == list(model.servable.signatures())
    assert set(model.inputs) == set(SIGNATURES) | (
        {"generate_prior", "decode_label", "encode_label"} if kind in ("conditional", "flow") else set()
    )
    for signature, expected in model.answers.items():
        agree(getattr(model, runtime)(signature, **model.inputs[signature]), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_signatures_are_the_contracts(exports: Callable[[str], Exported], kind: str) -> None:
    names = {name: (set(s.inputs), set(s.outputs)) for name, s in exports(kind).signatures.items()}
    scores = {"elbo", "reconstruction", "kl"}
    drawing = {"count", "seed", "temperature"} | ({"label"} if kind in ("conditional", "flow") else set())
    assert names == {
        "serving_default": ({"latents"}, {"images"}),
        "generate": (drawing, {"images"}),
        "generate_png": (drawing, {"png_bytes"}),
        **(
            {
                "generate_prior": (drawing, {"images"}),
                "decode_label": ({"latents", "label"}, {"images"}),
                "encode_label": ({"image_bytes"}, {"mean", "log_variance", "label"}),
            }
            if kind in ("conditional", "flow")
            else {}
        ),
        "encode": ({"image_bytes"}, {"mean", "log_variance"}),
        "reconstruct": ({"image_bytes"}, {"images"}),
        "interpolate": ({"image_bytes", "steps"}, {"images"}),
        "score": ({"image_bytes"}, scores),
        "evaluate": ({"examples"}, scores | {"importance_weighted", "gain"}),
    }


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


def test_examples_are_judged_given_their_labels(exports: Callable[[str], Exported]) -> None:
    model = exports("conditional")
    names = ["a", "ü", "", "other", None]
    found = model.ask("evaluate", examples=[example(*pair) for pair in zip(PICTURES, names)])
    vae, levels = model.servable._vae, to_levels(model.servable._pixels(tf.constant(PICTURES)))
    noise, labels = keyed_normal(example_keys(levels), (2,)), tf.constant([1, 2, -1, -1, -1])
    terms = vae.elbo_terms(vae.observe(levels), noise, labels)
    expected = {"elbo": terms.elbo, "reconstruction": terms.reconstruction, "kl": terms.kl}
    agree({name: found[name] for name in expected}, {name: value.numpy() for name, value in expected.items()})


def test_pictures_are_read_under_the_label_that_suits_them_best(exports: Callable[[str], Exported]) -> None:
    model = exports("conditional")
    vae, levels = model.servable._vae, to_levels(model.servable._pixels(tf.constant(PICTURES)))
    x, nothing = vae.observe(levels), tf.zeros([5, 2])
    elbos = np.stack([vae.elbo_terms(x, nothing, tf.fill([5], label)).elbo for label in range(3)])
    labels = vae.infer_labels(x).numpy()
    np.testing.assert_array_equal(labels, elbos.argmax(axis=0))
    mean, log_variance = vae.encode(x, labels)
    agree(model.ask("encode", image_bytes=PICTURES), {"mean": mean.numpy(), "log_variance": log_variance.numpy()})
    names = [list(WEIGHTS)[label].encode() for label in labels]
    assert list(model.ask("encode_label", image_bytes=PICTURES)["label"]) == names
    rebuilt = model.ask("reconstruct", image_bytes=PICTURES)
    agree(rebuilt, model.ask_session("decode_label", latents=mean.numpy(), label=names))
    way = model.ask("interpolate", image_bytes=[PICTURES[0], PICTURES[4]], steps=5)["images"].astype(int)
    assert np.abs(way[[0, -1]] - rebuilt["images"][[0, 4]]).max() <= 1
    score = model.ask("score", image_bytes=PICTURES)
    terms = vae.elbo_terms(x, keyed_normal(example_keys(levels), (2,)), labels)
    log_shares = np.log(np.array(list(WEIGHTS.values())) / sum(WEIGHTS.values()))[labels]
    np.testing.assert_allclose(score["elbo"], terms.elbo + log_shares, rtol=1e-4)
    np.testing.assert_allclose(score["elbo"], -(score["reconstruction"] + score["kl"]), rtol=1e-5)


def test_a_code_is_decoded_under_any_known_label_and_no_other(exports: Callable[[str], Exported]) -> None:
    model = exports("conditional")
    for runtime, kind in (("ask", tf.errors.InvalidArgumentError), ("ask_session", TensorFlowError)):
        ask = getattr(model, runtime)
        one = ask("decode_label", latents=np.ones((3, 2), np.float32), label=[b"a", b"b", b"a"])["images"]
        assert (one[0] == one[2]).all() and (one[0] != one[1]).any()
        with pytest.raises(kind, match="unknown label; known are: b, a, "):
            ask("decode_label", latents=np.ones((2, 2), np.float32), label=[b"a", b""])


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


def test_reconstruct_decodes_the_posteriors_mean(exported: Exported) -> None:
    mean = exported.ask("encode", image_bytes=PICTURES)["mean"]
    assert np.ptp(mean, axis=0).min() > 0.1, "different pictures have different codes"
    agree(exported.ask("reconstruct", image_bytes=PICTURES), exported.ask("serving_default", latents=mean))


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
def test_interpolate_goes_from_one_reconstruction_to_the_other(exported: Exported, steps: int) -> None:
    ends = [PICTURES[0], PICTURES[4]]
    way = exported.ask("interpolate", image_bytes=ends, steps=steps)["images"].astype(int)
    assert way.shape == (steps, 8, 8, 1)
    rebuilt = exported.ask("reconstruct", image_bytes=ends)["images"]
    assert np.abs(way[0] - rebuilt[0]).max() <= 1
    if steps > 1:
        assert np.abs(way[-1] - rebuilt[1]).max() <= 1


def test_interpolate_between_a_picture_and_itself_stays(exported: Exported) -> None:
    way = exported.ask("interpolate", image_bytes=[PICTURES[1]] * 2, steps=4)["images"].astype(int)
    assert np.abs(way - exported.ask("reconstruct", image_bytes=PICTURES[1:2])["images"]).max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_scores_do_not_depend_on_batch_order_or_file_format(exports: Callable[[str], Exported], kind: str) -> None:
    exported = exports(kind)
    together = exported.ask("score", image_bytes=PICTURES)
    for i, content in enumerate(PICTURES):
        agree({k: v[i : i + 1] for k, v in together.items()}, exported.ask("score", image_bytes=[content]))
    agree(exported.ask("score", image_bytes=PICTURES[::-1]), {k: v[::-1] for k, v in together.items()})
    agree(exported.ask("score", image_bytes=[encode(bars(3)[0], "BMP")]), {k: v[:1] for k, v in together.items()})


def test_scores_add_up(exported: Exported) -> None:
    score = exported.ask("score", image_bytes=PICTURES)
    np.testing.assert_allclose(score["elbo"], -(score["reconstruction"] + score["kl"]), rtol=1e-6)
    posterior = exported.ask("encode", image_bytes=PICTURES)
    mean, log_variance = posterior["mean"].astype(float), posterior["log_variance"].astype(float)
    np.testing.assert_allclose(score["kl"], 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance).sum(axis=1), rtol=1e-4)
    assert (score["kl"] >= 0).all() and (score["reconstruction"] > 0).all()


def test_evaluate_gives_the_scores_of_examples_and_more(exported: Exported) -> None:
    found = exported.ask("evaluate", examples=EXAMPLES)
    agree({name: found[name] for name in ("elbo", "reconstruction", "kl")}, exported.ask("score", image_bytes=PICTURES))
    assert (found["importance_weighted"] > found["elbo"] - 10).all()
    alone = [exported.ask("evaluate", examples=[content]) for content in EXAMPLES]
    agree({name: np.concatenate([one[name] for one in alone]) for name in found}, found)


@pytest.mark.parametrize("runtime", ["ask", "ask_session"])
@pytest.mark.parametrize("kind", KINDS)
def test_empty_batches(exports: Callable[[str], Exported], kind: str, runtime: str) -> None:
    exported = exports(kind)
    ask, dim = getattr(exported, runtime), exported.servable._vae.latent_dim
    empty = tf.constant([], tf.string) if runtime == "ask" else []
    assert ask("encode", image_bytes=empty)["mean"].shape == (0, dim)
    assert ask("reconstruct", image_bytes=empty)["images"].shape == (0, 8, 8, 1)
    assert ask("score", image_bytes=empty)["elbo"].shape == (0,)
    assert ask("evaluate", examples=empty)["importance_weighted"].shape == (0,)
    assert ask("serving_default", latents=np.zeros((0, dim), np.float32))["images"].shape == (0, 8, 8, 1)
    if kind in ("conditional", "flow"):
        assert ask("decode_label", latents=np.zeros((0, dim), np.float32), label=empty)["images"].shape == (0, 8, 8, 1)


def test_what_is_no_picture_is_refused(exported: Exported) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError):
        exported.ask("score", image_bytes=[PICTURES[0], b"no picture"])
