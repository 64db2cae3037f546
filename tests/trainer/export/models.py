"""Small exported models of every kind, and the comparison of answers."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from PIL import Image

from serving.c_api import Session
from serving.signatures import Signature
from tests.trainer.tiny import CONDITIONAL, HIERARCHICAL, VAMPPRIOR, bars, encode, example, make_vae, noise
from trainer.config import GenerationConfig
from trainer.export import Servable
from trainer.flow import Flow, FlowSettings
from trainer.priors import Mixture

PICTURES = [*(encode(picture) for picture in bars(3)), encode(noise(1, 13, 9, 4)), encode(noise(2, 30, 40, 3), "JPEG")]
EXAMPLES = [example(content, label) for content, label in zip(PICTURES, ("a", "b", "", "c", None))]
KINDS = ["plain", "conditional", "flow", "two levels"]
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
