"""`quality.json`: figures of generated and reconstructed pictures, each with its basis. Plain values, no TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter

QUALITY = "quality.json"
FeatureKind = Literal["classifier", "encoder", "self_supervised"]


@dataclass(frozen=True)
class Distances:
    """The distances of a set of pictures from as many held-out ones, with their basis; see `comparable`."""

    frechet_distance: float  # lower is better, at least 0
    kernel_distance: float  # KID, mean over subsets: lower is better, around 0 and of either sign for the same distribution
    kernel_distance_spread: float  # its standard deviation over subsets
    precision: float  # share of the pictures that lie among held-out ones
    recall: float  # share of the held-out pictures that lie among these
    density: float  # how densely held-out pictures lie around these; about 1 for the same distribution
    coverage: float  # share of the held-out pictures that have one of these nearby
    # The kind of features: the `classifier` or the `self_supervised` network of FeatureExtractor; in files of earlier versions also
    # the judged model's own `encoder`
    features: FeatureKind
    features_hash: str  # SHA-256 of the network's weights
    held_out_hash: str  # SHA-256 of the held-out pictures' pixels
    pictures: int  # N, the number of pictures on either side
    # Balanced cross-validated accuracy of a classifier that distinguishes these pictures from held-out ones (Lopez-Paz and Oquab
    # 2017): 0.5 for indistinguishable pictures, 1 if every picture is recognized. None in files of earlier versions; this holds for
    # the following fields too
    two_sample: float | None = None
    # Power of the high spatial frequencies of these pictures over that of held-out ones: 1 for equally sharp pictures, below 1 for
    # blur, above 1 for noise
    high_frequencies: float | None = None
    # Jensen-Shannon divergence, base 2, between the labels that the classifier predicts for these pictures and for held-out ones: 0
    # for equal shares, 1 for disjoint labels. None without a classifier
    label_divergence: float | None = None


@dataclass(frozen=True)
class Reconstruction:
    """The similarity of reconstructed held-out pictures to their originals, means over pictures."""

    mse: float  # mean squared error of pixels in [0, 1]
    psnr: float  # peak signal-to-noise ratio, dB
    ssim: float  # structural similarity, at most 1
    pictures: int  # number of pictures


@dataclass(frozen=True)
class Copy:
    """A new picture that is a near-copy of a training picture."""

    generated: int  # index of the new picture of `generate`, counted from 0
    training: str  # path of the training picture (`image/path` of its example)
    # Distance between the two, divided by the typical distance of the new picture to other training pictures: 0 for an exact copy,
    # about 1 if the nearest one is no nearer than others
    distance: float
    generated_png: str  # the new picture, a file beside quality.json
    training_png: str  # the training picture as the model sees it, a file beside quality.json


@dataclass(frozen=True)
class Copies:
    """The near-copies of training pictures among new pictures."""

    share: float  # share of near-copies among the new pictures
    floor: float  # share among the held-out pictures by the same rule: the value without copying
    count: int  # number of near-copies among the new pictures
    pictures: int  # number of new pictures
    # Median distance of new pictures to the nearest training picture over that of held-out ones, by features: about 1 for pictures
    # as good as these; well below 1 if most are copies or close to the average; above 1 if they lie far from all training pictures
    nearest_ratio: float
    examples: tuple[Copy, ...] = ()  # some of the copies, the nearest first


@dataclass(frozen=True)
class Spread:
    """The spread of the figures of `generate` over generation seeds of one model, estimated from a single seed."""

    frechet_distance: float  # standard deviation of the Frechet distance
    two_sample: float  # standard deviation of the two-sample accuracy
    groups: int  # number of groups of pictures, each left out once, to estimate the first (`frechet_spread`)


@dataclass(frozen=True)
class Quality:
    """The results of SampleQuality."""

    reason: str | None = None  # why nothing was measured; None if it was
    split: str = ""  # the held-out split
    seed: int = 0  # seed of the generated pictures
    generated: Distances | None = None  # pictures of `generate`, against held-out pictures
    # Pictures of `generate_prior`; None if the model has no such signature, because `generate` draws from the prior
    prior: Distances | None = None
    floor: Distances | None = None  # training pictures against the same held-out ones: the level of a model as good as the data
    reconstruction: Reconstruction | None = None  # reconstructions of the held-out pictures, against their originals
    # Frechet distance of `generated` over that of `prior`: below 1, the fitted density is better than the prior
    to_prior: float | None = None
    to_floor: float | None = None  # Frechet distance of `generated` over the floor
    classifier_accuracy: float | None = None  # share of held-out pictures that the classifier behind the features labels correctly
    schema: int = 1  # version of this format; fields may be added without a new one
    # Near-copies of training pictures among the new ones; None in files of earlier versions; this holds for the following fields
    # too
    copies: Copies | None = None
    # Pictures of the last blessed model's `generate`, against the same held-out pictures in the same run; None if there is no such
    # model
    baseline: Distances | None = None
    # Reconstructed held-out pictures, against the held-out pictures: the loss due to the decoder alone
    rebuilt: Distances | None = None
    spread: Spread | None = None  # the spread of the figures of `generated` over seeds

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Quality:
        """Return the object of a dictionary that `to_dict` of this or another version returned.

        Unknown fields are ignored. Missing fields that have a default get it. Raise ValueError for others, or a wrong type.
        """
        return TypeAdapter(cls).validate_python(values)


def comparable(first: Distances | None, second: Distances | None) -> bool:
    """Return whether two figures are comparable: same features, same held-out pictures, same number of pictures.

    Distances on other features have another scale, and the Frechet distance falls with the number of pictures.
    """
    if first is None or second is None:
        return False
    basis = lambda figures: (figures.features, figures.features_hash, figures.held_out_hash, figures.pictures)  # noqa: E731
    return basis(first) == basis(second)


def frechet_ratio(first: Distances | None, second: Distances | None) -> float | None:
    """Return the Frechet distance of one set over that of another; None if they are not comparable."""
    if not comparable(first, second) or second.frechet_distance <= 0:
        return None
    return first.frechet_distance / second.frechet_distance
