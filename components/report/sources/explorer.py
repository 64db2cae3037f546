"""Make the explorer's page from an exported model, held-out codes and some training pictures."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from components.report.data import Answers, ModelFacts
from components.report.sources.examples import View, read_evenly
from components.report.sources.model import THUMBNAIL
from serving.explorer.page import Explorer, HeldOut, lead, render
from serving.explorer.program import read_program

_log = logging.getLogger("darkroom.report")

MAX_TRAINING = 1_500  # pictures to find the nearest among
MAX_WEIGHTS = 24_000_000  # bytes: a larger decoder makes a page that is slow to send, to open and to use


@dataclass(frozen=True)
class Place:
    """Where the artifacts are: the folder of the exported model, and the examples."""

    model: str
    examples: str


def make_explorer(place: Place, title: str, model: ModelFacts, answers: Answers, view: View, kl: np.ndarray | None) -> str:
    """Return the page as HTML, or '' if the model has no decoder that a page can run.

    Args:
        place: The artifacts.
        title: Name of the data set.
        model: The model's facts.
        answers: The model's answers, with the codes for the map.
        view: Converts originals to the model's size.
        kl: float [latent_dim], KL divergence of each dimension; None for none, or if the prior does not split by dimension.
    """
    try:
        program, weights = read_program(place.model, tf.io.gfile.GFile)
    except (tf.errors.NotFoundError, ValueError) as error:
        _log.warning("there is no explorer: the model has no decoder for it (%s)", str(error).split("\n")[0][:200])
        return ""
    if len(weights) > MAX_WEIGHTS:
        _log.warning("there is no explorer: the decoder's %d MB are too many for a page", len(weights) // 1_000_000)
        return ""
    total = model.pictures.get("train", 0)
    training = view(read_evenly(place.examples, "train", total, MAX_TRAINING), THUMBNAIL)
    order = np.random.default_rng(0)  # a sheet keeps the first pictures that fit: they must be of all parts of the data
    return render(
        Explorer(
            title=title,
            program=program,
            weights=weights,
            lead=lead(model.network, model.latent_dim, model.pictures.get("train", 0)),
            held_out=_held_out(answers, order),
            training=training[order.permutation(len(training))],
            training_total=total,
            activity=kl.tolist() if kl is not None and model.prior == "standard_normal" else None,
        )
    )


def _held_out(answers: Answers, order: np.random.Generator) -> HeldOut | None:
    codes = answers.codes
    if codes is None or not len(codes.means):
        return None
    chosen = order.permutation(len(codes.means))
    return HeldOut(codes.means[chosen], [codes.labels[i] for i in chosen], codes.thumbnails[chosen])
