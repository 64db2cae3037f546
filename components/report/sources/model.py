"""Query the exported model through its signatures, as any client could."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import TypeVar

import numpy as np
import tensorflow as tf

from common.errors import InputError
from common.progress import report_progress
from components.report.data import Answers, Codes, Interpolation, Manifold, Samples
from components.report.drawing.pictures import shrink
from components.report.sources.examples import Picture, View, varied
from serving.c_api import TensorFlowError
from serving.saved_model import SavedModel

_log = logging.getLogger("darkroom.report")
_Answer = TypeVar("_Answer")

PER_LABEL = 12
MAX_LABELS = 12
GENERATED = 96  # fills rows of 12, 8 and 6
RECONSTRUCTED = 24
INTERPOLATIONS = 3
STEPS = 12
BATCH = 256
THUMBNAIL = 48  # pixels
OUTERMOST = 0.04  # share of the prior left out at each end of the manifold's axes
REQUESTS = 6


class ExportedModel(SavedModel):
    """The exported model, in any file system."""

    def __init__(self, folder: str):
        super().__init__(folder, tf.io.gfile.GFile)

    @property
    def latent_dim(self) -> int:
        """Dimensions of the latent space, as declared by the decoder's signature."""
        return int(self.shape("serving_default", "latents")[-1])

    def generate(self, count: int, seed: int, label: str = "") -> np.ndarray:
        """Draw new pictures, uint8 [count, h, w, c]. A conditional model draws those of `label`, or of any label if it is empty."""
        given = {"label": label.encode()} if self.offers("generate", "label") else {}
        return self.call("generate", count=count, seed=seed, temperature=1.0, **given)["images"]

    def decode(self, latents: np.ndarray, label: Sequence[str]) -> np.ndarray:
        """Decode codes, float32 [n, latent_dim], to pictures, uint8 [n, h, w, c]; `label` holds one label or none."""
        if label:
            return self.call("decode_label", latents=latents, label=[label[0].encode()] * len(latents))["images"]
        return self.call("serving_default", latents=latents)["images"]


class Requests:
    """A series of requests to the model; failed ones become sentences in `problems` instead of errors."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._done = 0

    def attempt(self, action: str, request: Callable[[], _Answer], default: _Answer) -> _Answer:
        """Return the answer to a request, or `default` if it fails; `action` is a verb for the problem's sentence."""
        try:
            return request()
        except (TypeError, ValueError, TensorFlowError) as error:
            _log.warning("the model did not %s: %s", action, _first_line(error))
            self.problems.append(f"The model did not {action}: {_first_line(error)}")
            return default
        finally:
            self._done += 1
            report_progress("report", done=self._done, total=REQUESTS, unit="requests")


def query_model(
    folder: str, held_out: list[Picture], view: View, kl: np.ndarray | None, seed: int, labels: Sequence[str]
) -> Answers:
    """Request from the model everything that the page shows.

    Args:
        folder: Folder of the exported model.
        held_out: Pictures that it was not trained on.
        view: Converts originals to the model's size.
        kl: float [latent_dim], KL of each dimension, to choose the manifold's axes; None: use the first two.
        seed: Seed of all random choices.
        labels: Labels of a conditional model; empty for others.
    """
    try:
        model = ExportedModel(folder)
    except (OSError, InputError, tf.errors.OpError) as error:
        return Answers(problems=[f"The model could not be loaded: {_first_line(error.__cause__ or error)}"])
    requests = Requests()
    chosen = [held_out[i] for i in varied(held_out, RECONSTRUCTED, seed)]
    rebuilt = requests.attempt("reconstruct", lambda: _reconstruct(model, chosen), None)
    return Answers(
        generated=requests.attempt("generate", lambda: model.generate(GENERATED, seed), None),
        by_label=requests.attempt("generate by label", lambda: _by_label(model, labels, seed), []),
        originals=view(chosen) if rebuilt is not None else None,
        reconstructions=rebuilt,
        labels=[picture.label for picture in chosen],
        interpolations=requests.attempt("interpolate", lambda: _interpolate(model, held_out, view, seed), []),
        codes=requests.attempt("encode", lambda: _encode(model, held_out, view), None),
        manifold=requests.attempt(
            "decode a grid", lambda: _manifold(model, view.shape, _axes(model.latent_dim, kl), labels[:1]), None
        ),
        problems=requests.problems,
    )


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0][:300] or type(error).__name__


def _by_label(model: ExportedModel, labels: Sequence[str], seed: int) -> list[Samples]:
    """Draw new pictures of each label; the same seed gives all of them the same codes."""
    return [Samples(label, model.generate(PER_LABEL, seed, label)) for label in labels[:MAX_LABELS]]


def _reconstruct(model: ExportedModel, pictures: list[Picture]) -> np.ndarray | None:
    return model.call("reconstruct", image_bytes=[p.encoded for p in pictures])["images"] if pictures else None


def _interpolate(model: ExportedModel, pictures: list[Picture], view: View, seed: int) -> list[Interpolation]:
    """Interpolate between pictures, of different labels if possible."""
    chosen = [pictures[i] for i in varied(pictures, 2 * INTERPOLATIONS, seed + 1)]
    interpolations = []
    for first, last in zip(chosen[::2], chosen[1::2]):
        frames = model.call("interpolate", image_bytes=[first.encoded, last.encoded], steps=STEPS)["images"]
        interpolations.append(Interpolation(view([first, last]), (first.label, last.label), frames))
    return interpolations


def _encode(model: ExportedModel, pictures: list[Picture], view: View) -> Codes | None:
    if not pictures:
        return None
    batches = [pictures[i : i + BATCH] for i in range(0, len(pictures), BATCH)]
    means = [model.call("encode", image_bytes=[p.encoded for p in batch])["mean"] for batch in batches]
    thumbnails = view(pictures, THUMBNAIL)
    return Codes(np.concatenate(means), [p.label for p in pictures], thumbnails)


def _axes(dimensions: int, kl: np.ndarray | None) -> tuple[int, ...]:
    """Return the two dimensions with the largest KL, in ascending order; all dimensions if there are at most two."""
    if dimensions <= 2 or kl is None or len(kl) != dimensions:
        return tuple(range(min(dimensions, 2)))
    return tuple(sorted(int(i) for i in np.argsort(-np.nan_to_num(kl), kind="stable")[:2]))


def _manifold(model: ExportedModel, shape: tuple[int, int, int], axes: tuple[int, ...], label: Sequence[str]) -> Manifold:
    """Decode codes at quantiles of the prior, with the label, if there is one; the second axis increases upward."""
    side = 20 if max(shape[:2]) <= 32 else 16 if max(shape[:2]) <= 64 else 12
    values = np.array([NormalDist().inv_cdf(p) for p in np.linspace(OUTERMOST, 1 - OUTERMOST, side)])
    rows = side if len(axes) > 1 else 1
    latents = np.zeros((rows, side, model.latent_dim), np.float32)
    latents[..., axes[0]] = values
    if len(axes) > 1:
        latents[..., axes[1]] = values[::-1, None]
    flat = latents.reshape(rows * side, -1)
    decoded = [model.decode(flat[i : i + BATCH], label) for i in range(0, len(flat), BATCH)]
    tiles = np.stack([shrink(picture, 2 * THUMBNAIL) for picture in np.concatenate(decoded)])
    return Manifold(tiles.reshape(rows, side, *tiles.shape[1:]), axes, values)
