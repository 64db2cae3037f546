"""Figures as they are kept, and which of them may be compared."""

from __future__ import annotations

import dataclasses
import json

import pytest

from components.sample_quality.figures import (
    Copies,
    Copy,
    Distances,
    Quality,
    Reconstruction,
    Spread,
    comparable,
    frechet_ratio,
)

SOME = Distances(8.0, 0.5, 0.1, 0.9, 0.8, 1.1, 0.7, "classifier", "a" * 64, "b" * 64, 500)


@pytest.mark.parametrize(
    ("change", "may"),
    [
        ({}, True),
        ({"frechet_distance": 2.0, "precision": 0.0}, True),
        ({"features": "encoder"}, False),
        ({"features_hash": "c" * 64}, False),
        ({"held_out_hash": "c" * 64}, False),
        ({"pictures": 499}, False),
    ],
)
def test_only_figures_on_the_same_footing_compare(change: dict, may: bool) -> None:
    other = dataclasses.replace(SOME, **change)
    assert comparable(SOME, other) is comparable(other, SOME) is may
    assert (frechet_ratio(SOME, other) is not None) is may


def test_what_is_absent_compares_with_nothing() -> None:
    assert not comparable(SOME, None) and not comparable(None, None)
    assert frechet_ratio(SOME, None) is None
    assert frechet_ratio(SOME, dataclasses.replace(SOME, frechet_distance=0.0)) is None
    assert frechet_ratio(SOME, dataclasses.replace(SOME, frechet_distance=2.0)) == 4


@pytest.mark.parametrize(
    "quality",
    [
        Quality(reason="there are only 3 test pictures", split="test"),
        Quality(None, "test", 7, SOME, SOME, SOME, Reconstruction(0.01, 20.0, 0.9, 500), 0.5, 4.0, 0.9),
        Quality(split="eval", generated=SOME, floor=SOME),
        Quality(
            generated=dataclasses.replace(SOME, features="self_supervised", two_sample=0.7, high_frequencies=0.9),
            copies=Copies(0.1, 0.05, 50, 500, 0.8, (Copy(3, "a/b.png", 0.01, "new.png", "training.png"),)),
            baseline=SOME,
            rebuilt=SOME,
            spread=Spread(0.2, 0.01, 3),
        ),
    ],
)
def test_they_survive_a_file(quality: Quality) -> None:
    read = json.loads(json.dumps(quality.to_dict()))
    assert Quality.from_dict(read) == quality
    assert Quality.from_dict({**read, "of_a_later_version": 1}) == quality


def test_files_of_the_first_version_are_read() -> None:
    added = {"copies", "baseline", "rebuilt", "spread"}
    written = {
        name: value for name, value in Quality(split="test", generated=SOME, floor=SOME).to_dict().items() if name not in added
    }
    for part in ("generated", "floor"):
        written[part] = {k: v for k, v in written[part].items() if k not in ("two_sample", "high_frequencies")}
    assert Quality.from_dict(json.loads(json.dumps(written))) == Quality(split="test", generated=SOME, floor=SOME)
