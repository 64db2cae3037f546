"""The rows of the table of quality: preset, pictures, protocol, and the results for comparison."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Run = dict[str, Any]  # the result of benchmarks.runs, with `verdict` and the model's `metrics`


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        name: Its name on the command line.
        what: Data, protocol and minutes of training.
        preset: The configuration.
        overrides: Overrides of the configuration.
        figure: Returns the metric of a run; lower is better.
        unit: The unit of the metric.
        reach: The target, an upper bound; None for a row without one.
        reference: Results of others.
        pictures: The option that names the folder of the pictures, `emoji` or `photographs`; '' for a named data set.
    """

    name: str
    what: str
    preset: str
    overrides: tuple[str, ...]
    figure: Callable[[Run], float]
    unit: str
    reach: float | None
    reference: str
    pictures: str = ""

    @property
    def run(self) -> tuple[str, tuple[str, ...]]:
        """The key of a run: rows with the same key share it."""
        return self.preset, self.overrides


def negative_bound(run: Run) -> float:
    """Return -IW-K of the held-out pictures, nats per picture."""
    return -run["verdict"]["figures"]["importance_weighted"]


def negative_elbo(run: Run) -> float:
    """Return -ELBO of the held-out pictures, nats per picture."""
    return -run["verdict"]["figures"]["elbo"]


def bits_per_dimension(run: Run) -> float:
    """Return the importance-weighted bound on 28x28 held-out pictures, bits per dimension."""
    return negative_bound(run) / (28 * 28 * 0.6931471805599453)


def elbo_bits(run: Run) -> float:
    """Return the ELBO on 32x32 RGB held-out pictures, bits per dimension."""
    return negative_elbo(run) / (32 * 32 * 3 * 0.6931471805599453)


def frechet_ratio(run: Run) -> float:
    """Return the Frechet distance of pictures from the ex-post mixture, divided by that of pictures from the plain prior."""
    return run["verdict"]["quality"]["to_prior"]


def frechet_excess(run: Run) -> float:
    """Return the Frechet distance of new pictures from held-out ones, minus that of training pictures."""
    quality = run["verdict"]["quality"]
    return quality["generated"]["frechet_distance"] - quality["floor"]["frechet_distance"]


def two_sample(run: Run) -> float:
    """Return the accuracy of a classifier that tells new pictures from held-out ones."""
    return run["verdict"]["quality"]["generated"]["two_sample"]


PUBLISHED = ("training.importance_samples=500",)  # K of the published protocol
ROWS = (
    Row(
        "binarised",
        "Fashion-MNIST, dynamic binarisation, IW-500 NLL, 10 minutes",
        "fashion-mnist-binarised",
        PUBLISHED,
        negative_bound,
        "nats",
        230.5,
        "published VAE 228.70 after up to 2,000 epochs",
    ),
    Row(
        "binarised-hour",
        "the same, 60 minutes",
        "fashion-mnist-binarised-hour",
        PUBLISHED,
        negative_bound,
        "nats",
        228.0,
        "ConvHVAE + VampPrior 224.67",
    ),
    Row(
        "grey-2d",
        "Fashion-MNIST, grey as probabilities, 2 latent dimensions, -ELBO, 5 minutes",
        "fashion-mnist-2d",
        (),
        negative_elbo,
        "nats",
        252.0,
        "262.08 on the training set (a well-known notebook)",
    ),
    Row(
        "grey",
        "the same, latent dimensions free, 10 minutes",
        "fashion-mnist",
        (),
        negative_elbo,
        "nats",
        235.0,
        "a plain 512-512 VAE with 20: 236.7 after 200 s",
    ),
    Row(
        "8-bit",
        "Fashion-MNIST, 8-bit, bits per dimension by IW-500, 20 minutes",
        "fashion-mnist-8bit",
        PUBLISHED,
        bits_per_dimension,
        "bits/dim",
        3.5,
        "BB-ANS (VAE) 3.66, HCLT 3.34",
    ),
    Row(
        "samples",
        "Fashion-MNIST, Frechet classifier distance, ex-post mixture over prior",
        "fashion-mnist",
        (),
        frechet_ratio,
        "ratio",
        0.8,
        "RAE paper: 17.66 / 19.21 = 0.92",
    ),
    Row(
        "emoji",
        "emoji, 32x32 RGB, excess of the Frechet distance of new pictures over its floor",
        "emoji",
        (),
        frechet_excess,
        "",
        None,
        "pictures: see the report",
        pictures="emoji",
    ),
    Row(
        "emoji-two-sample",
        "the same, accuracy of telling new from held-out",
        "emoji",
        (),
        two_sample,
        "",
        0.8,
        "0.5: no classifier can tell",
        pictures="emoji",
    ),
    Row(
        "emoji-dense",
        "the same pictures, a dense network, -ELBO",
        "emoji-dense",
        (),
        negative_elbo,
        "nats",
        None,
        "pictures: see the report",
        pictures="emoji",
    ),
    Row(
        "emoji-dense-excess",
        "the same, excess of the Frechet distance",
        "emoji-dense",
        (),
        frechet_excess,
        "",
        None,
        "the row that `emoji` is compared with",
        pictures="emoji",
    ),
    Row(
        "emoji-without-dropout",
        "the same without dropout",
        "emoji-dense",
        ("model.dropout=0",),
        negative_elbo,
        "nats",
        None,
        "what dropout is worth",
        pictures="emoji",
    ),
    Row(
        "photographs",
        "CIFAR-10 or a part of it, 8-bit, bits per dimension of the ELBO, 20 minutes",
        "photographs",
        (),
        elbo_bits,
        "bits/dim",
        4.9,
        "a published small convolutional VAE after 250,000 steps: 4.51",
        pictures="photographs",
    ),
    Row(
        "photographs-two-sample",
        "the same, accuracy of telling new from held-out",
        "photographs",
        (),
        two_sample,
        "",
        0.9,
        "0.5: no classifier can tell",
        pictures="photographs",
    ),
)
