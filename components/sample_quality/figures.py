"""`quality.json`: figures of generated and rebuilt pictures, each with what it rests on. Plain values, no TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

QUALITY = "quality.json"
FeatureKind = Literal["classifier", "encoder", "self_supervised"]


@dataclass(frozen=True)
class Distances:
    """How near some pictures come to as many held-out ones, and what that rests on; see `comparable`.

    Attributes:
        frechet_distance: Lower is better, at least 0.
        kernel_distance: KID, mean over subsets: lower is better, around 0 and of either sign for the same distribution.
        kernel_distance_spread: Its standard deviation over subsets.
        precision: Share of the pictures that lie among held-out ones.
        recall: Share of the held-out pictures that lie among these.
        density: How thickly held-out pictures lie around these; about 1 for the same distribution.
        coverage: Share of the held-out pictures that have one of these near by.
        features: Whose features: the `classifier` or the `self_supervised` network of FeatureExtractor; files of earlier
            versions also have the judged model's own `encoder`.
        features_hash: SHA-256 of its weights.
        held_out_hash: SHA-256 of the held-out pictures' pixels.
        pictures: N, on either side.
        two_sample: Balanced cross-validated accuracy of a classifier that tells these pictures from held-out ones (Lopez-Paz
            and Oquab 2017): 0.5 where nothing tells them apart, 1 where every picture is recognized. None in files of
            earlier versions, as the next ones.
        high_frequencies: Power of the high spatial frequencies of these pictures over that of held-out ones: 1 for pictures
            as sharp, below it for blur, above it for noise.
        label_divergence: Jensen-Shannon divergence, base 2, of the labels that the classifier names in these pictures from those
            that it names in held-out ones: 0 where every label comes as often, 1 where none of either comes in the other. None
            where there is no classifier.
    """

    frechet_distance: float
    kernel_distance: float
    kernel_distance_spread: float
    precision: float
    recall: float
    density: float
    coverage: float
    features: FeatureKind
    features_hash: str
    held_out_hash: str
    pictures: int
    two_sample: float | None = None
    high_frequencies: float | None = None
    label_divergence: float | None = None


@dataclass(frozen=True)
class Reconstruction:
    """How like their originals rebuilt held-out pictures are, means over pictures.

    Attributes:
        mse: Mean squared error of pixels in [0, 1].
        psnr: Peak signal-to-noise ratio, dB.
        ssim: Structural similarity, at most 1.
        pictures: Over how many.
    """

    mse: float
    psnr: float
    ssim: float
    pictures: int


@dataclass(frozen=True)
class Copy:
    """A new picture that is a near-copy of a training picture.

    Attributes:
        generated: Which new picture of `generate`, counted from 0.
        training: Path of the training picture (`image/path` of its example).
        distance: Between the two, over the typical distance of the new picture to other training pictures: 0 for an exact
            copy, about 1 where the nearest one is no nearer than others.
        generated_png: The new picture, a file beside quality.json.
        training_png: The training picture as the model sees it, a file beside quality.json.
    """

    generated: int
    training: str
    distance: float
    generated_png: str
    training_png: str


@dataclass(frozen=True)
class Copies:
    """How many new pictures are near-copies of training pictures.

    Attributes:
        share: Share of the new pictures that are.
        floor: Share of the held-out pictures that are by the same rule: what pictures that nobody copied come to.
        count: Number of new pictures that are.
        pictures: Of how many new pictures.
        nearest_ratio: Median distance of new pictures to the nearest training picture over that of held-out ones, by
            features: about 1 for pictures as good as these; well below it where most are copies, or keep to the middle; above it
            where they lie apart from all training pictures.
        examples: Some of the copies, the nearest first.
    """

    share: float
    floor: float
    count: int
    pictures: int
    nearest_ratio: float
    examples: tuple[Copy, ...] = ()


@dataclass(frozen=True)
class Spread:
    """How much the figures of `generate` vary with its seed, one model's pictures being drawn anew, estimated from one seed's.

    Attributes:
        frechet_distance: Standard deviation of the Frechet distance.
        two_sample: Standard deviation of the two-sample accuracy.
        groups: Into how many parts the pictures were divided, each left out once, to estimate the first (`frechet_spread`).
    """

    frechet_distance: float
    two_sample: float
    groups: int


@dataclass(frozen=True)
class Quality:
    """What SampleQuality found.

    Attributes:
        reason: Why nothing was measured; None where it was.
        split: The held-out split.
        seed: Of the generated pictures.
        generated: What `generate` gives, against held-out pictures.
        prior: What `generate_prior` gives; None where the model has no such signature, for `generate` draws from the prior.
        floor: Training pictures against the same held-out ones: what a model that is as good as the data would reach.
        reconstruction: What `reconstruct` makes of the held-out pictures.
        to_prior: Frechet distance of `generated` over that of `prior`: below 1 the mixture of codes is better than the prior.
        to_floor: Frechet distance of `generated` over the floor.
        classifier_accuracy: Share of held-out pictures that the classifier behind the features names right.
        schema: Version of this format; fields may be added without a new one.
        copies: New pictures that are near-copies of training pictures; None in files of earlier versions, as the next ones.
        baseline: What `generate` of the last blessed model gives, against the same held-out pictures in the same run; None
            where there is no such model.
        rebuilt: What `reconstruct` makes of held-out pictures, against the held-out pictures: what is lost by the decoder alone.
        spread: How much the figures of `generated` vary from seed to seed.
    """

    reason: str | None = None
    split: str = ""
    seed: int = 0
    generated: Distances | None = None
    prior: Distances | None = None
    floor: Distances | None = None
    reconstruction: Reconstruction | None = None
    to_prior: float | None = None
    to_floor: float | None = None
    classifier_accuracy: float | None = None
    schema: int = 1
    copies: Copies | None = None
    baseline: Distances | None = None
    rebuilt: Distances | None = None
    spread: Spread | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Quality:
        """The inverse of `to_dict`; what a later version has added is left out, and what an earlier one lacks is None."""
        built = {name: _build(part, values[name]) for name, part in PARTS.items() if values.get(name)}
        if copies := built.get("copies"):
            built["copies"] = dataclasses.replace(copies, examples=tuple(_build(Copy, one) for one in copies.examples))
        return _build(cls, {**values, **{name: built.get(name) for name in PARTS}})


PARTS = {
    "generated": Distances,
    "prior": Distances,
    "floor": Distances,
    "reconstruction": Reconstruction,
    "copies": Copies,
    "baseline": Distances,
    "rebuilt": Distances,
    "spread": Spread,
}


def comparable(first: Distances | None, second: Distances | None) -> bool:
    """Whether two figures may be set side by side: same features, same held-out pictures, as many of them.

    Distances of other features are on another scale, and the Frechet distance falls as pictures become more.
    """
    if first is None or second is None:
        return False
    basis = lambda figures: (figures.features, figures.features_hash, figures.held_out_hash, figures.pictures)  # noqa: E731
    return basis(first) == basis(second)


def frechet_ratio(first: Distances | None, second: Distances | None) -> float | None:
    """The Frechet distance of one set over that of another; None where they cannot be compared."""
    if not comparable(first, second) or second.frechet_distance <= 0:
        return None
    return first.frechet_distance / second.frechet_distance


def _build(kind: type, values: Mapping[str, Any]) -> Any:
    return kind(**{field.name: values[field.name] for field in dataclasses.fields(kind) if field.name in values})
