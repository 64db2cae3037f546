"""Spans that were poisoned, and trainers that are crippled: refused in words, and the model before stays in service."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.faults.conftest import TRAINED, Watch
from tests.project import write_discs


def invert(span: Path) -> None:
    """inverted"""
    shutil.rmtree(span)
    write_discs(span, 400, seed=1, invert=True)


def constant(span: Path) -> None:
    """constant"""
    for path in span.rglob("*.png"):
        Image.fromarray(np.full((12, 12), hash(path.name) % 200, np.uint8)).save(path)


def shuffle_labels(span: Path) -> None:
    """labels shuffled"""
    paths = sorted(span.rglob("*.png"))
    labels = [path.parent.name for path in paths]
    random.Random(0).shuffle(labels)
    for path, label in zip(paths, labels):
        path.rename(span / label / f"x{path.name}")


def one_class(span: Path) -> None:
    """one class only"""
    shutil.rmtree(span / "small")


def corrupt(span: Path) -> None:
    """a tenth of the pictures corrupt"""
    paths = sorted(span.rglob("*.png"))
    for path in random.Random(0).sample(paths, len(paths) // 10):
        content = bytearray(path.read_bytes())
        content[40:60] = bytes(20)
        path.write_bytes(content)


POISONS = {
    invert: "brightness (mean pixel)",
    constant: "contrast",
    shuffle_labels: "the labels look shuffled: a classifier",
    one_class: "a label has vanished: the last accepted pictures have 'small'",
    corrupt: "of the pictures (40) cannot be used",
}


@pytest.fixture
def poisoned(lab):
    """The lab with span 2 put back as it was afterwards."""
    lab.restore()
    kept = lab.root / "span-2"
    shutil.copytree(lab.pictures / "span-2", kept)
    yield lab
    shutil.rmtree(lab.pictures / "span-2")
    kept.rename(lab.pictures / "span-2")


@pytest.mark.slow
@pytest.mark.parametrize("poison", POISONS, ids=lambda poison: poison.__name__)
def test_a_poisoned_span_is_refused_in_words(poisoned, poison, trial):
    trial(f"a poisoned span: {poison.__doc__}")
    poison(poisoned.pictures / "span-2")
    with Watch(poisoned.work / "serving") as watch:
        ended = poisoned.run()
    assert ended.status == 3 and POISONS[poison] in ended.err, ended.out + ended.err
    assert ended.err.splitlines()[-1].startswith("refused by the ")
    assert poisoned.versions() == [1] and not watch.faults
    assert poisoned.verdict()["outcome"] == "refused" and poisoned.verdict()["reasons"]


@pytest.mark.slow
@pytest.mark.parametrize("poison", POISONS, ids=lambda poison: poison.__name__)
def test_a_poisoned_span_is_refused_in_a_window_with_good_ones_as_well(poisoned, poison, trial):
    trial(f"a poisoned span: {poison.__doc__}")
    poison(poisoned.pictures / "span-2")
    ended = poisoned.run(**{"data.span_window": 2})
    assert ended.status == 3 and POISONS[poison] in ended.err, ended.out + ended.err
    assert poisoned.versions() == [1]


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"training.beta": 100}, {"training.learning_rate": 1e-9}], ids=["beta x 100", "no learning"])
def test_a_crippled_trainer_is_refused_by_the_evaluator(lab, settings, trial):
    trial("a crippled trainer: beta x 100, no learning")
    lab.restore(TRAINED)  # the Trainer's inputs are there
    with Watch(lab.work / "serving") as watch:
        ended = lab.run(**settings)
    assert ended.status == 3 and "refused by the model gate" in ended.err, ended.out + ended.err
    assert lab.versions() == [1] and not watch.faults
