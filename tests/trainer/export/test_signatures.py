"""All signatures of an export: in Python, and in TensorFlow's C++ runtime, which serves it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from tests.trainer.export.models import EXAMPLES, KINDS, PICTURES, Exported, agree, servable
from tests.trainer.tiny import bars, encode
from trainer.data import Pictures, pixel_graph

SIGNATURES = [
    "serving_default", "generate", "generate_png", "encode", "reconstruct", "interpolate", "score", "evaluate"
]  # fmt: skip


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


@pytest.mark.parametrize("kind", ["plain", "conditional"])
def test_quantiles_of_the_held_out_elbo_are_those_of_score(exports: Callable[[str], Exported], kind: str) -> None:
    made, levels = exports(kind), bars(5, seed=4)
    quantiles = made.servable.elbo_quantiles(Pictures(levels, np.zeros(5, np.int32)))
    scores = made.ask("score", image_bytes=[encode(picture) for picture in levels])["elbo"]
    np.testing.assert_allclose(quantiles, np.quantile(scores, np.linspace(0, 1, 101)), rtol=1e-4)
    assert np.ptp(scores) > 0.1, "scores that are all alike prove nothing"
