"""Make the explorer's page from an exported model, held-out codes and some training pictures."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from components.report.data import Answers, ModelFacts
from components.report.drawing.pictures import shrink
from components.report.sources.examples import View, read_evenly
from components.report.sources.model import THUMBNAIL
from serving.explorer.page import Explorer, HeldOut, lead, render, render_pictures
from serving.explorer.program import read_program

_log = logging.getLogger("darkroom.report")

MAX_TRAINING = 1_500  # pictures to find the nearest among
MAX_WEIGHTS = 24_000_000  # bytes: a larger decoder makes a page that is slow to send, to open and to use


@dataclass(frozen=True)
class Place:
    """Where the artifacts are: the folder of the exported model, and the examples."""

    model: str
    examples: str


def read_training_pictures(place: Place, model: ModelFacts, view: View) -> np.ndarray:
    """Return some training pictures, spread over all, uint8 [n, h, w, c], no side above `THUMBNAIL`."""
    return view(read_evenly(place.examples, "train", model.pictures.get("train", 0), MAX_TRAINING), THUMBNAIL)


def nearest(pictures: np.ndarray | None, training: np.ndarray) -> np.ndarray | None:
    """Return the training picture nearest to each picture, by the mean squared difference of levels.

    Args:
        pictures: uint8 [n, h, w, c]; None for none.
        training: uint8 [m, h', w', c], of the shape that `shrink` gives the pictures.

    Returns:
        uint8 [n, h', w', c]; None if there are no pictures on one side.
    """
    if pictures is None or not len(pictures) or not len(training):
        return None
    flat = training.reshape(len(training), -1).astype(np.float32)
    asked = np.stack([shrink(picture, THUMBNAIL) for picture in pictures]).reshape(len(pictures), -1).astype(np.float32)
    distances = (flat**2).sum(axis=1) - 2 * asked @ flat.T  # the square of the picture itself does not change the order
    return training[distances.argmin(axis=1)]


def make_explorer(
    place: Place, title: str, model: ModelFacts, answers: Answers, training: np.ndarray, kl: np.ndarray | None
) -> str:
    """Return the page as HTML, or '' if the model has no decoder that a page can run.

    Args:
        place: The artifacts.
        title: Name of the data set.
        model: The model's facts.
        answers: The model's answers, with the codes for the map.
        training: Training pictures, from `read_training_pictures`.
        kl: float [latent_dim], KL divergence of each dimension; None for none, or if the prior does not split by dimension.
    """
    try:
        program, weights = read_program(place.model, tf.io.gfile.GFile)
    except (tf.errors.NotFoundError, ValueError) as error:
        _log.warning("there is no explorer: the model has no decoder for it (%s)", str(error).split("\n")[0][:200])
        return ""
    sentence = lead(model.network, model.latent_dim, model.pictures.get("train", 0))
    if len(weights) > MAX_WEIGHTS:
        size = f"{len(weights) // 1_000_000} MB"
        _log.warning("the explorer shows pictures alone: the decoder's %s are too many for a page", size)
        reason = f"The decoder has {size}, too many for a page to hold and to run. `darkroom generate` draws other pictures."
        return render_pictures(title, sentence, reason, _sheets(answers))
    order = np.random.default_rng(0)  # a sheet keeps the first pictures that fit: they must be of all parts of the data
    return render(
        Explorer(
            title=title,
            program=program,
            weights=weights,
            lead=sentence,
            held_out=_held_out(answers, order),
            training=training[order.permutation(len(training))],
            training_total=model.pictures.get("train", 0),
            activity=kl.tolist() if kl is not None and model.prior == "standard_normal" else None,
        )
    )


def _sheets(answers: Answers) -> dict[str, np.ndarray]:
    """Return pictures by their caption, to show in place of a decoder."""
    found = {
        "New pictures": answers.generated,
        "Held-out pictures": answers.originals,
        "Their reconstructions": answers.reconstructions,
        "A walk between two held-out pictures": answers.interpolations[0].frames if answers.interpolations else None,
    }
    return {name: pictures for name, pictures in found.items() if pictures is not None}


def _held_out(answers: Answers, order: np.random.Generator) -> HeldOut | None:
    codes = answers.codes
    if codes is None or not len(codes.means):
        return None
    chosen = order.permutation(len(codes.means))
    return HeldOut(codes.means[chosen], [codes.labels[i] for i in chosen], codes.thumbnails[chosen])
