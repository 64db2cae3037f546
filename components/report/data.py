"""All data of the page as plain values: the page does not depend on TFX or TensorFlow.

Missing values are None or empty. Pictures are uint8 [n, height, width, channels] with 1 or 3 channels; figures are nats
per picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from components.decisions import Forced
from components.sample_quality.figures import Quality

TERMS = ("elbo", "reconstruction", "kl", "importance_weighted", "gain")


@dataclass(frozen=True)
class Figures:
    """The figures of a model, means over pictures in nats.

    Attributes:
        elbo: -(reconstruction + kl); higher is better.
        reconstruction: -log p(x|z); lower is better.
        kl: KL(q(z|x) || p(z)), at least 0.
        importance_weighted: The importance-weighted bound, on average no lower than the ELBO.
        gain: ELBO minus the log-likelihood of a model that always returns the mean picture.
        pictures: Number of pictures.
    """

    elbo: float | None = None
    reconstruction: float | None = None
    kl: float | None = None
    importance_weighted: float | None = None
    gain: float | None = None
    pictures: int | None = None


@dataclass(frozen=True)
class Code:
    """The information in a code, and its cost.

    Attributes:
        active_units: Latent dimensions in use (Burda et al. 2016).
        mutual_information: I(x; z) of the held-out pictures, nats; at most the logarithm of `pictures`.
        marginal_kl: KL(q(z) || p(z)) of the aggregate posterior, nats.
        pictures: Number of pictures for both estimates.
        bits: Length of a code rounded to the model's precision.
        bits_per_pixel: `bits` divided by height times width.
        rounded_psnr: dB, of pictures reconstructed from rounded codes.
        psnr: dB, of pictures reconstructed from posterior means.
        bits_per_dimension: From the importance-weighted bound; None where it has no meaning.
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
    """The output of a denoising model for corrupted held-out pictures.

    Attributes:
        corruption: The kind of corruption.
        level: Its strength.
        clean: uint8 [n, h, w, c]; likewise `corrupted` and `denoised`.
        corrupted_psnr: dB, relative to the clean pictures; likewise `denoised_psnr`.
    """

    corruption: str
    level: float
    clean: np.ndarray
    corrupted: np.ndarray
    denoised: np.ndarray
    corrupted_psnr: float | None = None
    denoised_psnr: float | None = None


@dataclass(frozen=True)
class ModelFacts:
    """The facts in the model's description `model.json`.

    Attributes:
        mirroring: The Trainer's decision on mirroring training pictures, with the reason; '' if it made none.
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
    """Example pictures of one label, at the model's size."""

    label: str
    pictures: np.ndarray


@dataclass(frozen=True)
class DataSet:
    """The ingested and the rejected pictures.

    Attributes:
        pictures: Number of pictures by split.
        labels: Number of pictures by split and label; empty or only '' without labels.
        rejects: Some rejected pictures: path and reason.
        samples: Examples by label, the most common label first.
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
        """Return the number of pictures of each label over all splits, most common first, without the empty label."""
        totals: dict[str, int] = {}
        for counts in self.labels.values():
            for label, n in counts.items():
                totals[label] = totals.get(label, 0) + n
        totals.pop("", None)
        return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True)
class Epoch:
    """One line of the training history; `train` and `held_out` hold the figures that were recorded."""

    number: int
    train: Figures
    held_out: Figures
    learning_rate: float | None = None
    beta: float | None = None


@dataclass(frozen=True)
class Layer:
    """One layer of a network; `output_shape` excludes the batch dimension."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    detail: str = ""


@dataclass(frozen=True)
class Training:
    """The trainer's records.

    Attributes:
        kl_per_dimension: float [latent_dim], nats, mean over held-out pictures; None if not recorded.
        denoising: None if the model was not trained to denoise.
    """

    epochs: list[Epoch] = field(default_factory=list)
    encoder: list[Layer] = field(default_factory=list)
    decoder: list[Layer] = field(default_factory=list)
    kl_per_dimension: np.ndarray | None = None
    denoising: Denoising | None = None


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
    """Decoded pictures [rows, columns, h, w, c] over a grid of latent values.

    Attributes:
        axes: The latent dimensions that increase to the right and upward; only one for a one-dimensional latent space.
        values: The positions of the columns (and, mirrored, the rows), in standard deviations of the prior.
    """

    pictures: np.ndarray
    axes: tuple[int, ...]
    values: np.ndarray


@dataclass(frozen=True)
class Answers:
    """The answers of the exported model, as far as it answered.

    Attributes:
        by_label: For a conditional model: new pictures of each label, all labels from the same codes.
        originals: The held-out pictures behind `reconstructions`, with `labels`.
        problems: Requests that the model did not answer, one sentence each.
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
    """A new picture and the training picture that it nearly copies, both uint8 [h, w, c] at the model's size.

    Attributes:
        path: Path of the training picture at ingestion.
        distance: Distance between the two; see `components.sample_quality.figures.Copy`.
    """

    generated: np.ndarray
    training: np.ndarray
    path: str
    distance: float


@dataclass(frozen=True)
class Evaluation:
    """The Evaluator's figures, and the model gate's decision on them and on the new pictures.

    Attributes:
        candidate: This model, over all held-out pictures.
        baseline: The last blessed model on the same pictures; None if there was none.
        by_label: This model by label.
        blessed: None without a decision.
        failures: Missed bounds, one sentence each.
        forced: The forced blessing, if any.
        unjudged: Bounds that could not be applied, one sentence each.
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
    """The result of one signature of the exported model in a clean process."""

    name: str
    ok: bool
    max_difference: float | None = None
    milliseconds: float | None = None
    reason: str = ""


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
    """One configuration tried by the search for hyperparameters.

    Attributes:
        number: Its place in the order of trials.
        values: Values by the fields' full names; lists for lists of layers.
        reason: Why the trial failed; empty if it did not.
        score: The value by which trials are compared; None if the trial failed.
        elbo: Held-out, nats in the units of its own likelihood.
        epochs: Epochs trained.
        seconds: Total time.
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
        epochs: Maximum per trial.
        pictures: Training pictures per trial.
        trials: Best first, failed trials last.
    """

    objective: str
    epochs: int | None
    pictures: int | None
    trials: list[Trial]


@dataclass(frozen=True)
class ReportData:
    """All data on the page.

    Attributes:
        copies: Some of the near-copies counted in `quality`, the nearest first.
        seed_spread: Standard deviation of the held-out ELBO over seeds, nats, as used for the Evaluator's margin; None if unknown.
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
        """The figures behind the verdict: the Evaluator's, else the trainer's."""
        return self.evaluation.candidate if self.evaluation.candidate.elbo is not None else self.model.figures

    @property
    def bits_per_dimension(self) -> float | None:
        """-ELBO in bits per value of a picture; None for likelihoods that do not give probabilities of 256 levels."""
        values = math.prod(self.model.image_shape)
        if self.held_out.elbo is None or not values or self.model.likelihood != "discretized_logistic_mixture":
            return None
        return -self.held_out.elbo / (values * math.log(2))
