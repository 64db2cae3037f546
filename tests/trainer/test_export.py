"""The exported model: in Python, and in TensorFlow's C++ runtime, which serves it."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from PIL import Image

from serving.c_api import Session, find_library
from serving.signatures import Signature, read_signatures
from tests.trainer.tiny import bars, encode, example, make_vae, noise
from trainer.data import pixel_graph
from trainer.export import Servable

PICTURES = [*(encode(picture) for picture in bars(3)), encode(noise(1, 13, 9, 4)), encode(noise(2, 30, 40, 3), "JPEG")]
EXAMPLES = [example(content) for content in PICTURES]
SIGNATURES = [
    "serving_default", "generate", "generate_png", "encode", "reconstruct", "interpolate", "score", "evaluate"
]  # fmt: skip
Value = np.ndarray | list[bytes]


@dataclass
class Exported:
    """A model in memory, saved, loaded in Python and loaded by the C++ runtime."""

    servable: Servable
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

    def draw(self, count: int, seed: int, temperature: float) -> np.ndarray:
        """Generated pictures."""
        return self.ask("generate", count=count, seed=seed, temperature=temperature)["images"]


def typed(inputs: dict[str, object]) -> dict[str, object]:
    """Numbers in the types that signatures take."""
    types = {int: np.int64, float: np.float32}
    return {name: types[type(value)](value) if type(value) in types else value for name, value in inputs.items()}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, graph: tft.TFTransformOutput) -> Exported:
    """A model with random weights."""
    folder = tmp_path_factory.mktemp("exported")
    servable = Servable(make_vae(spread=0.3), pixel_graph(graph), importance_samples=5)
    servable.save(folder)
    session = Session(find_library(), folder)
    return Exported(servable, tf.saved_model.load(str(folder)), session, read_signatures(folder))


def agree(found: dict[str, Value], expected: dict[str, Value]) -> None:
    assert set(found) == set(expected)
    for name, value in expected.items():
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


@pytest.mark.parametrize("runtime", ["ask", "ask_session"])
@pytest.mark.parametrize("signature", SIGNATURES)
def test_every_signature_answers_as_the_model_in_memory_does(exported: Exported, signature: str, runtime: str) -> None:
    inputs, answers = exported.servable.answers(EXAMPLES, PICTURES)
    assert list(inputs) == list(answers) == SIGNATURES == list(exported.servable.signatures())
    agree(getattr(exported, runtime)(signature, **inputs[signature]), answers[signature])


def test_signatures_are_the_contracts(exported: Exported) -> None:
    names = {name: (set(s.inputs), set(s.outputs)) for name, s in exported.signatures.items()}
    scores = {"elbo", "reconstruction", "kl"}
    drawing = {"count", "seed", "temperature"}
    assert names == {
        "serving_default": ({"latents"}, {"images"}),
        "generate": (drawing, {"images"}),
        "generate_png": (drawing, {"png_bytes"}),
        "encode": ({"image_bytes"}, {"mean", "log_variance"}),
        "reconstruct": ({"image_bytes"}, {"images"}),
        "interpolate": ({"image_bytes", "steps"}, {"images"}),
        "score": ({"image_bytes"}, scores),
        "evaluate": ({"examples"}, scores | {"importance_weighted", "gain"}),
    }


def test_generate_repeats_itself_and_more_begin_with_the_same(exported: Exported) -> None:
    many = exported.draw(300, 7, 1.0)
    assert many.dtype == np.uint8 and many.shape == (300, 8, 8, 1)
    np.testing.assert_array_equal(exported.draw(300, 7, 1.0), many)
    for count in (1, 2, 5, 299):
        found = exported.draw(count, 7, 1.0)
        assert np.abs(found.astype(int) - many[:count]).max() <= 1  # a product of matrices may round by their size
        assert (found == many[:count]).mean() > 0.999
    assert exported.draw(0, 7, 1.0).shape == (0, 8, 8, 1)


def test_another_seed_gives_other_pictures(exported: Exported) -> None:
    drawn = [exported.draw(20, seed, 1.0).tobytes() for seed in (0, 1, 2, -1, 2**40, 2**63 - 1)]
    assert len(set(drawn)) == len(drawn)


def test_temperature_is_the_spread_of_the_codes(exported: Exported) -> None:
    cold = exported.draw(6, 3, 0.0)
    assert (cold == cold[0]).all()
    prior_mean = exported.ask("serving_default", latents=np.zeros((1, 2), np.float32))["images"]
    assert np.abs(cold[0].astype(int) - prior_mean[0]).max() <= 1
    spreads = [exported.draw(200, 3, temperature).std(axis=0).mean() for temperature in (0.0, 0.3, 1.0)]
    assert spreads[0] == 0 < spreads[1] < spreads[2]


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


def test_scores_do_not_depend_on_batch_order_or_file_format(exported: Exported) -> None:
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
    np.testing.assert_allclose(
        score["kl"], 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance).sum(axis=1), rtol=1e-4
    )
    assert (score["kl"] >= 0).all() and (score["reconstruction"] > 0).all()


def test_evaluate_gives_the_scores_of_examples_and_more(exported: Exported) -> None:
    found = exported.ask("evaluate", examples=EXAMPLES)
    agree({name: found[name] for name in ("elbo", "reconstruction", "kl")}, exported.ask("score", image_bytes=PICTURES))
    assert (found["importance_weighted"] > found["elbo"] - 10).all()
    alone = [exported.ask("evaluate", examples=[content]) for content in EXAMPLES]
    agree({name: np.concatenate([one[name] for one in alone]) for name in found}, found)


@pytest.mark.parametrize("runtime", ["ask", "ask_session"])
def test_empty_batches(exported: Exported, runtime: str) -> None:
    ask = getattr(exported, runtime)
    empty = tf.constant([], tf.string) if runtime == "ask" else []
    assert ask("encode", image_bytes=empty)["mean"].shape == (0, 2)
    assert ask("reconstruct", image_bytes=empty)["images"].shape == (0, 8, 8, 1)
    assert ask("score", image_bytes=empty)["elbo"].shape == (0,)
    assert ask("evaluate", examples=empty)["importance_weighted"].shape == (0,)
    assert ask("serving_default", latents=np.zeros((0, 2), np.float32))["images"].shape == (0, 8, 8, 1)


def test_what_is_no_picture_is_refused(exported: Exported) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError):
        exported.ask("score", image_bytes=[PICTURES[0], b"no picture"])
