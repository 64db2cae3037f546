"""Two models side by side: what is known of each, and what a comparison found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

BEYOND_NOISE = 2.0  # standard deviations of a difference of two models


@dataclass(frozen=True)
class Side:
    """One of two runs.

    Attributes:
        name: `version 3`, or `run 20261120-093015` of a run that pushed none.
        run: Id of the run.
        outcome: How the run ended, one sentence.
        figures: Figures on held-out pictures, nats per picture.
        quality: The verdict's `quality`.
        config: The configuration by dotted field.
        data: `pictures` by split, and the numbers `rejected` and `duplicates`.
        seed_spread: Standard deviation of the ELBO over seeds, nats; None if it is not known.
        fingerprint: Fingerprint of the input files, '' if it is not known.
        code: Hash of the trainer's code, '' if it is not known.
        pictures: PNG files by name.
    """

    name: str
    run: str
    outcome: str
    figures: Mapping[str, float]
    quality: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    seed_spread: float | None = None
    fingerprint: str = ""
    code: str = ""
    pictures: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """A figure of both runs. `noise` is the standard deviation of the difference, None if it is not known."""

    name: str
    old: float
    new: float
    noise: float | None
    better: int  # sign of an improvement, 0 if there is none

    @property
    def change(self) -> str:
        """Return `better`, `worse` or `same`: within the noise, or a figure that is neither good nor bad."""
        if not self.better or self.noise is None or abs(self.new - self.old) <= BEYOND_NOISE * self.noise:
            return "same"
        return "better" if (self.new - self.old) * self.better > 0 else "worse"


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes:
        old, new: The runs.
        sentence: The result in words.
        state: `better`, `worse`, `same` or `unknown`.
        rows: Figures in nats; empty if they cannot be compared.
        quality: Figures of new pictures; empty if they cannot be compared.
        changes: What differs, as kind (data, configuration, code), name, old and new value.
    """

    old: Side
    new: Side
    sentence: str
    state: str
    rows: Sequence[Row]
    quality: Sequence[Row]
    changes: Sequence[tuple[str, str, str, str]]


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values by dotted name.

    Example:
        >>> flatten({"title": "cats", "training": {"epochs": 3}})
        {'title': 'cats', 'training.epochs': 3}
    """
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat
