"""What an export answers about image files: codes, reconstructions, ways between two, and scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from serving.c_api import TensorFlowError
from tests.trainer.export.models import EXAMPLES, KINDS, PICTURES, WEIGHTS, Exported, agree
from tests.trainer.tiny import bars, encode, example
from trainer.preprocessing import to_levels
from trainer.sampling import example_keys, keyed_normal


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
