"""All that the page shows, as plain values: the page knows nothing of TFX or TensorFlow.

What is absent is None or empty. Pictures are uint8 [n, height, width, channels] with 1 or 3 channels; figures are nats
per picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from components.sample_quality.figures import Quality

TERMS = ("elbo", "reconstruction", "kl", "importance_weighted", "gain")


@dataclass(frozen=True)
class Figures:
    """What a model scored, mean over pictures in nats.

    Attributes:
        elbo: Higher is better; -(reconstruction + kl).
        reconstruction: -log p(x|z), lower is better.
        kl: KL(q(z|x) || p(z)), at least 0.
        importance_weighted: The importance-weighted bound, on average no lower than the ELBO.
        gain: By how much the ELBO beats a model that always gives the mean picture.
        pictures: Over how many.
    """

    elbo: float | None = None
    reconstruction: float | None = None
    kl: float | None = None
    importance_weighted: float | None = None
    gain: float | None = None
    pictures: int | None = None


@dataclass(frozen=True)
class Code:
    """What a code tells and costs.

    Attributes:
        active_units: Latent dimensions in use (Burda et al. 2016).
        mutual_information: I(x; z) of the held-out pictures, nats; at most the logarithm of `pictures`.
        marginal_kl: KL(q(z) || p(z)) of the aggregate posterior, nats.
        pictures: By how many both were estimated.
        bits: Length of a code rounded to the model's precision.
        bits_per_pixel: The same over height and width.
        rounded_psnr: dB, of pictures rebuilt from rounded codes.
        psnr: dB, of pictures rebuilt from posterior means.
        bits_per_dimension: By the importance-weighted bound; None where it means nothing.
    """

    active_units: int | None = None
    mutual_information: float | None = None
    marginal_kl: float | None = None
    pictures: int | None = None
    bits: float | None = None
    bits_per_pixel: float | None = None
    rounded_psnr: float | None = None
    psnr: float | None = None
    bits_per_dimension: float | None = None


@dataclass(frozen=True)
class Denoising:
    """What a model that was trained to denoise makes of spoilt held-out pictures.

    Attributes:
        corruption: What was done to them.
        level: How much of it.
        clean: uint8 [n, h, w, c]; likewise `spoilt` and `denoised`.
        spoilt_psnr: dB, to the clean ones; likewise `denoised_psnr`.
    """

    corruption: str
    level: float
    clean: np.ndarray
    spoilt: np.ndarray
    denoised: np.ndarray
    spoilt_psnr: float | None = None
    denoised_psnr: float | None = None


@dataclass(frozen=True)
class ModelFacts:
    """What the model's own description says; see `model.json`.

    Attributes:
        mirroring: Whether training pictures were mirrored, and why not, where the Trainer decided that; '' where it did not.
    """

    image_shape: tuple[int, int, int]
    latent_dim: int
    network: str
    likelihood: str
    parameters: dict[str, int]
    pictures: dict[str, int]
    figures: Figures
    prior: str = "standard_normal"
    density: str = "prior"
    conditional: bool = False
    binarised: bool = False
    code: Code = Code()
    importance_samples: int | None = None
    seconds: float | None = None
    images_per_second: float | None = None
    epochs: int | None = None
    best_epoch: int | None = None
    mirroring: str = ""


@dataclass(frozen=True)
class Samples:
    """Some pictures of one label, at the model's size."""

    label: str
    pictures: np.ndarray


@dataclass(frozen=True)
class DataSet:
    """What was ingested, and what was refused.

    Attributes:
        pictures: Number of pictures by split.
        labels: Number of pictures by split and label; no labels or only '' where there are none.
        rejects: Some refused pictures: path and reason.
        samples: Commonest label first.
    """

    pictures: dict[str, int] = field(default_factory=dict)
    labels: dict[str, dict[str, int]] = field(default_factory=dict)
    rejected: int = 0
    rejects_by_reason: dict[str, int] = field(default_factory=dict)
    rejects: list[tuple[str, str]] = field(default_factory=list)
    formats: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    samples: list[Samples] = field(default_factory=list)

    def label_counts(self) -> dict[str, int]:
        """Pictures of each label over all splits, commonest first, without the empty label."""
        totals: dict[str, int] = {}
        for counts in self.labels.values():
            for label, n in counts.items():
                totals[label] = totals.get(label, 0) + n
        totals.pop("", None)
        return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True)
class Epoch:
    """One line of the training history; `train` and `held_out` are as far as they were recorded."""

    number: int
    train: Figures
    held_out: Figures
    learning_rate: float | None = None
    beta: float | None = None


@dataclass(frozen=True)
class Layer:
    """One layer of a network; `output_shape` is without the batch."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    detail: str = ""


@dataclass(frozen=True)
class Training:
    """What the trainer wrote down.

    Attributes:
        kl_per_dimension: float [latent_dim], nats, mean over held-out pictures; None where not recorded.
        denoising: None where the model was not trained for that.
    """

    epochs: list[Epoch] = field(default_factory=list)
    encoder: list[Layer] = field(default_factory=list)
    decoder: list[Layer] = field(default_factory=list)
    kl_per_dimension: np.ndarray | None = None
    denoising: Denoising | None = None


@dataclass(frozen=True)
class Interpolation:
    """The way from one held-out picture to another: the originals [2, h, w, c], their labels, the frames between."""

    ends: np.ndarray
    labels: tuple[str, str]
    frames: np.ndarray


@dataclass(frozen=True)
class Codes:
    """Held-out pictures as the encoder sees them: posterior means float [n, latent_dim], labels, thumbnails."""

    means: np.ndarray
    labels: list[str]
    thumbnails: np.ndarray


@dataclass(frozen=True)
class Manifold:
    """Decoded pictures [rows, columns, h, w, c] over a grid of latent values.

    Attributes:
        axes: Which latent dimensions run rightwards and upwards; one only for a one-dimensional latent space.
        values: Where the columns (and, mirrored, the rows) lie, in standard deviations of the prior.
    """

    pictures: np.ndarray
    axes: tuple[int, ...]
    values: np.ndarray


@dataclass(frozen=True)
class Answers:
    """What the exported model answered, as far as it did.

    Attributes:
        by_label: Of a conditional model: new pictures of each label, all labels from the same codes.
        originals: The held-out pictures that `reconstructions` rebuild, with `labels`.
        problems: Questions that the model did not answer, a sentence each.
    """

    generated: np.ndarray | None = None
    by_label: list[Samples] = field(default_factory=list)
    originals: np.ndarray | None = None
    reconstructions: np.ndarray | None = None
    labels: list[str] = field(default_factory=list)
    interpolations: list[Interpolation] = field(default_factory=list)
    codes: Codes | None = None
    manifold: Manifold | None = None
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class CopyPair:
    """A new picture and the training picture of which it is a near-copy, both uint8 [h, w, c] at the model's size.

    Attributes:
        path: Of the training picture, as it was ingested.
        distance: Between the two; see `components.sample_quality.figures.Copy`.
    """

    generated: np.ndarray
    training: np.ndarray
    path: str
    distance: float


@dataclass(frozen=True)
class Forced:
    """Who had a model blessed that the model gate had refused, why and when."""

    who: str
    why: str
    when: str


@dataclass(frozen=True)
class Evaluation:
    """What the Evaluator measured, and what the model gate decided on it and on the new pictures.

    Attributes:
        candidate: This model, over all held-out pictures.
        baseline: The last blessed model on the same pictures; None where there was none.
        by_label: This model by label.
        blessed: None where there was no decision.
        failures: Bounds that were missed, a sentence each.
        forced: Who had the model blessed in spite of them.
        unjudged: Bounds that could not be applied, a sentence each.
    """

    candidate: Figures = Figures()
    baseline: Figures | None = None
    by_label: dict[str, Figures] = field(default_factory=dict)
    blessed: bool | None = None
    failures: list[str] = field(default_factory=list)
    forced: Forced | None = None
    unjudged: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class SignatureCheck:
    """How one signature of the exported model answered in a clean process."""

    name: str
    ok: bool
    max_difference: float | None = None
    milliseconds: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Serving:
    """The serving check: `blessed` is None where it did not decide; `runtime` is the clean process's TensorFlow."""

    blessed: bool | None = None
    signatures: list[SignatureCheck] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    runtime: str = ""


@dataclass(frozen=True)
class Push:
    """Whether the model was pushed, where to, and as which version."""

    pushed: bool
    version: str = ""
    destination: str = ""


@dataclass(frozen=True)
class Trial:
    """One configuration that the search for hyperparameters tried.

    Attributes:
        number: In the order of trial.
        values: By the fields' full names; of a list of layers, a list.
        reason: Why it failed; empty where it did not.
        score: What trials are compared by; None where it failed.
        elbo: Held-out, nats in the units of its own likelihood.
        epochs: Epochs trained.
        seconds: In all.
    """

    number: int
    values: dict[str, object]
    reason: str = ""
    score: float | None = None
    elbo: float | None = None
    epochs: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Search:
    """The search for hyperparameters.

    Attributes:
        objective: `elbo`, or `bits_per_dimension`.
        epochs: Of each trial at the most.
        pictures: Training pictures of each.
        trials: Best first, those that failed last.
    """

    objective: str
    epochs: int | None
    pictures: int | None
    trials: list[Trial]


@dataclass(frozen=True)
class ReportData:
    """Everything on the page.

    Attributes:
        copies: Some of the near-copies that `quality` counts, the nearest first.
        seed_spread: Standard deviation of the held-out ELBO over seeds, nats, as the Evaluator's margin has it; None where it has
            none.
    """

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
    copies: list[CopyPair] = field(default_factory=list)
    search: Search | None = None
    seed_spread: float | None = None
    run_id: str = ""
    config: str = ""
    locations: dict[str, str] = field(default_factory=dict)

    @property
    def held_out(self) -> Figures:
        """The figures that the verdict rests on: the Evaluator's, else the trainer's own."""
        return self.evaluation.candidate if self.evaluation.candidate.elbo is not None else self.model.figures

    @property
    def bits_per_dimension(self) -> float | None:
        """-ELBO in bits per value of a picture; None for likelihoods that are no probability of 256 levels."""
        values = math.prod(self.model.image_shape)
        if self.held_out.elbo is None or not values or self.model.likelihood != "discretized_logistic_mixture":
            return None
        return -self.held_out.elbo / (values * math.log(2))
