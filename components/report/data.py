"""All data of the page as plain values: the page does not depend on TFX or TensorFlow.

Missing values are None or empty. Pictures are uint8 [n, height, width, channels] with 1 or 3 channels; figures are nats
per picture.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator

from components.decisions import Forced
from components.report.beside import Comparison
from components.sample_quality.figures import Quality

TERMS = ("elbo", "reconstruction", "kl", "importance_weighted", "gain")


def to_float(value: Any) -> float | None:
    """Return a recorded number as float, or None if it is not a number."""
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None


def to_int(value: Any) -> int | None:
    """Return a recorded number as int, or None if it is not a number."""
    number = to_float(value)
    return None if number is None or number != number else int(number)


Number = Annotated[float | None, BeforeValidator(to_float)]
Count = Annotated[int | None, BeforeValidator(to_int)]
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else str(value))]


@dataclass(frozen=True)
class Figures:
    """The figures of a model, means over pictures in nats."""

    elbo: Number = None  # -(reconstruction + kl); higher is better
    reconstruction: Number = None  # -log p(x|z); lower is better
    kl: Number = None  # KL(q(z|x) || p(z)), at least 0
    importance_weighted: Number = None  # the importance-weighted bound, on average no lower than the ELBO
    gain: Number = None  # ELBO minus the log-likelihood of a model that always returns the mean picture
    pictures: Count = None  # number of pictures


@dataclass(frozen=True)
class Code:
    """The information in a code, and its cost."""

    active_units: Count = None  # latent dimensions in use (Burda et al. 2016)
    mutual_information: Number = None  # I(x; z) of the held-out pictures, nats; at most the logarithm of `pictures`
    marginal_kl: Number = None  # KL(q(z) || p(z)) of the aggregate posterior, nats
    pictures: Count = None  # number of pictures for both estimates
    bits: Number = None  # length of a code rounded to the model's precision
    bits_per_pixel: Number = None  # `bits` divided by height times width
    rounded_psnr: Number = None  # dB, of pictures reconstructed from rounded codes
    psnr: Number = None  # dB, of pictures reconstructed from posterior means
    bits_per_dimension: Number = None  # from the importance-weighted bound; None where it has no meaning


@dataclass(frozen=True)
class Denoising:
    """The output of a denoising model for corrupted held-out pictures."""

    corruption: str  # the kind of corruption
    level: float  # its strength
    clean: np.ndarray  # uint8 [n, h, w, c]; likewise `corrupted` and `denoised`
    corrupted: np.ndarray
    denoised: np.ndarray
    corrupted_psnr: float | None = None  # dB, relative to the clean pictures; likewise `denoised_psnr`
    denoised_psnr: float | None = None


@dataclass(frozen=True)
class ModelFacts:
    """The facts in the model's description `model.json`."""

    image_shape: tuple[int, int, int] = (0, 0, 0)
    latent_dim: int = 0
    network: Text = ""
    likelihood: Text = ""
    parameters: dict[str, int] = field(default_factory=dict)
    pictures: dict[str, int] = field(default_factory=dict)
    figures: Figures = Figures()
    prior: Text = "standard_normal"
    density: Text = "prior"
    conditional: bool = False
    binarised: bool = False
    labels: tuple[Text, ...] = ()  # labels of the training pictures, whether the model knows them or not
    code: Code = Code()
    importance_samples: Count = None
    seconds: Number = None
    images_per_second: Number = None
    epochs: Count = None
    best_epoch: Count = None
    mirroring: Text = ""  # the Trainer's decision on mirroring training pictures, with the reason; '' if it made none


@dataclass(frozen=True)
class Samples:
    """Example pictures of one label, at the model's size."""

    label: str
    pictures: np.ndarray


@dataclass(frozen=True)
class DataSet:
    """The ingested and the rejected pictures."""

    pictures: dict[str, int] = field(default_factory=dict)  # number of pictures by split
    # Number of pictures by split and label; empty or only '' without labels
    labels: dict[str, dict[str, int]] = field(default_factory=dict)
    rejected: int = 0
    rejects_by_reason: dict[str, int] = field(default_factory=dict)
    rejects: list[tuple[str, str]] = field(default_factory=list)  # some rejected pictures: path and reason
    formats: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    samples: list[Samples] = field(default_factory=list)  # examples by label, the most common label first

    def label_counts(self) -> dict[str, int]:
        """Return the number of pictures of each label over all splits, most common first, without the empty label."""
        totals: Counter[str] = sum(map(Counter, self.labels.values()), Counter())
        del totals[""]
        return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True)
class Epoch:
    """One line of the training history; `train` and `held_out` hold the figures that were recorded."""

    number: int
    train: Figures
    held_out: Figures
    learning_rate: Number = None
    beta: Number = None


@dataclass(frozen=True)
class Layer:
    """One layer of a network; `output_shape` excludes the batch dimension."""

    name: Text
    kind: Text
    output_shape: tuple[int, ...]
    parameters: int
    detail: Text = ""


@dataclass(frozen=True)
class Training:
    """The trainer's records."""

    epochs: list[Epoch] = field(default_factory=list)
    encoder: list[Layer] = field(default_factory=list)
    decoder: list[Layer] = field(default_factory=list)
    kl_per_dimension: np.ndarray | None = None  # float [latent_dim], nats, mean over held-out pictures; None if not recorded
    denoising: Denoising | None = None  # None if the model was not trained to denoise


@dataclass(frozen=True)
class Interpolation:
    """An interpolation between two held-out pictures: the originals [2, h, w, c], their labels, the frames between."""

    ends: np.ndarray
    labels: tuple[str, str]
    frames: np.ndarray


@dataclass(frozen=True)
class Codes:
    """The codes of held-out pictures: posterior means float [n, latent_dim], labels, thumbnails."""

    means: np.ndarray
    labels: list[str]
    thumbnails: np.ndarray


@dataclass(frozen=True)
class Manifold:
    """Decoded pictures [rows, columns, h, w, c] over a grid of latent values."""

    pictures: np.ndarray
    # The latent dimensions that increase to the right and upward; only one for a one-dimensional latent space
    axes: tuple[int, ...]
    values: np.ndarray  # the positions of the columns (and, mirrored, the rows), in standard deviations of the prior


@dataclass(frozen=True)
class Answers:
    """The answers of the exported model, as far as it answered."""

    generated: np.ndarray | None = None
    # For a conditional model: new pictures of each label, all labels from the same codes
    by_label: list[Samples] = field(default_factory=list)
    originals: np.ndarray | None = None  # the held-out pictures behind `reconstructions`, with `labels`
    reconstructions: np.ndarray | None = None
    labels: list[str] = field(default_factory=list)
    interpolations: list[Interpolation] = field(default_factory=list)
    codes: Codes | None = None
    manifold: Manifold | None = None
    problems: list[str] = field(default_factory=list)  # requests that the model did not answer, one sentence each


@dataclass(frozen=True)
class CopyPair:
    """A new picture and the training picture that it nearly copies, both uint8 [h, w, c] at the model's size."""

    generated: np.ndarray
    training: np.ndarray
    path: str  # path of the training picture at ingestion
    distance: float  # distance between the two; see `components.sample_quality.figures.Copy`


@dataclass(frozen=True)
class Evaluation:
    """The Evaluator's figures, and the model gate's decision on them and on the new pictures."""

    candidate: Figures = Figures()  # this model, over all held-out pictures
    baseline: Figures | None = None  # the last blessed model on the same pictures; None if there was none
    by_label: dict[str, Figures] = field(default_factory=dict)  # this model by label
    blessed: bool | None = None  # None without a decision
    failures: list[str] = field(default_factory=list)  # missed bounds, one sentence each
    forced: Forced | None = None  # the forced blessing, if any
    unjudged: list[str] = field(default_factory=list)  # bounds that could not be applied, one sentence each


@dataclass(frozen=True)
class SignatureCheck:
    """The result of one signature of the exported model in a clean process."""

    name: Text
    ok: bool
    max_difference: Number = None
    milliseconds: Number = None
    reason: Text = ""


@dataclass(frozen=True)
class Serving:
    """The serving check: `blessed` is None without a decision; `runtime` is the clean process's TensorFlow version."""

    blessed: bool | None = None
    signatures: list[SignatureCheck] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    runtime: str = ""


@dataclass(frozen=True)
class Push:
    """The result of the push: done or not, destination, version."""

    pushed: bool
    version: str = ""
    destination: str = ""


@dataclass(frozen=True)
class Trial:
    """One configuration tried by the search for hyperparameters."""

    number: int  # its place in the order of trials
    values: dict[str, object]  # values by the fields' full names; lists for lists of layers
    reason: Text = ""  # why the trial failed; empty if it did not
    score: Number = None  # the value by which trials are compared; None if the trial failed
    elbo: Number = None  # held-out, nats in the units of its own likelihood
    epochs: Count = None  # epochs trained
    seconds: Number = None  # total time


@dataclass(frozen=True)
class Search:
    """The search for hyperparameters."""

    objective: str  # `elbo`, or `bits_per_dimension`
    epochs: int | None  # maximum per trial
    pictures: int | None  # training pictures per trial
    trials: list[Trial]  # best first, failed trials last


@dataclass(frozen=True)
class ReportData:
    """All data on the page."""

    title: str
    when: datetime
    data: DataSet
    model: ModelFacts
    training: Training
    answers: Answers
    evaluation: Evaluation = Evaluation()
    serving: Serving | None = None
    push: Push | None = None
    quality: Quality | None = None
    copies: list[CopyPair] = field(default_factory=list)  # some of the near-copies counted in `quality`, the nearest first
    search: Search | None = None
    # Standard deviation of the held-out ELBO over seeds, nats, as used for the Evaluator's margin; None if unknown
    seed_spread: float | None = None
    run_id: str = ""
    config: str = ""
    locations: dict[str, str] = field(default_factory=dict)
    changes: Comparison | None = None  # the last blessed model beside this one; None if there was none
    neighbors: np.ndarray | None = None  # the training picture nearest to each of `answers.generated`; None if they are not known
    neighbors_of: int = 0  # number of training pictures that were searched
    explorer: str = ""  # the explorer's page, a file of its own; empty if the model has no decoder for it

    @property
    def held_out(self) -> Figures:
        """The figures behind the verdict: the Evaluator's, else the trainer's."""
        return self.evaluation.candidate if self.evaluation.candidate.elbo is not None else self.model.figures

    @property
    def bits_per_dimension(self) -> float | None:
        """-ELBO in bits per value of a picture; None for likelihoods that do not give probabilities of 256 levels."""
        values = math.prod(self.model.image_shape)
        if self.held_out.elbo is None or not values or self.model.likelihood != "discretized_logistic_mixture":
            return None
        return -self.held_out.elbo / (values * math.log(2))
