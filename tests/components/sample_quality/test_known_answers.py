"""Sets of pictures of which it is known what is wrong with them: each is seen by the figure that is to see it.

The bundled digits in seconds; drawings, photographs and clothes where they are to be found.
"""

from __future__ import annotations

import functools
import gzip
import io
import os
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from components.feature_extractor import classifier
from components.feature_extractor.description import Description, Features
from components.sample_quality.compare import Reference
from components.sample_quality.copies import Keys, find_copies
from components.sample_quality.figures import Copies, Distances
from components.sample_quality.sets import Observer
from tests.components.digits import read_digits
from trainer.features import self_supervised
from trainer.metrics.distances import label_divergence
from trainer.metrics.spectrum import high_frequency_power

ROOT = os.environ.get("DARKROOM_DATASETS")
WHERE = pytest.mark.skipif(not ROOT, reason="DARKROOM_DATASETS does not say where the data sets are")
TIMES = 3  # as high as the floor


@dataclass(frozen=True)
class Data:
    """Pictures of which the figures are known.

    Attributes:
        pictures: In random order, uint8 [n, h, w, c].
        labels: int32 [n]; None where there are none.
        held_out: How many are held out, and how many each set has that is compared with them.
        noise: Standard deviation of noise that can be seen in them, of 255 levels.
    """

    pictures: np.ndarray
    labels: np.ndarray | None
    held_out: int
    noise: float = 8.0


@functools.lru_cache(1)
def learn(pictures: bytes, shape: tuple[int, ...]) -> self_supervised.SelfSupervised:
    """The network of training pictures, the same with their labels and without."""
    return self_supervised.train(np.frombuffer(pictures, np.uint8).reshape(shape), seed=0)


class Known:
    """Compares sets of pictures with held-out ones, by features of training pictures.

    Args:
        data: Held-out pictures come first, then as many that are as good, then training pictures.
        labelled: Whether features are those of a classifier.
    """

    def __init__(self, data: Data, labelled: bool):
        n = data.held_out
        self.held_out, self.equal, self.training = np.split(data.pictures, [n, 2 * n])
        self.equal_labels = None if data.labels is None else data.labels[n : 2 * n]
        self.rest, self.rest_labels = data.pictures[n:], None if data.labels is None else data.labels[n:]
        self.noise, self._distances = data.noise, {}
        network = learn(self.training.tobytes(), self.training.shape)
        learned = classifier.train(self.training, data.labels[2 * n :], seed=0) if labelled else None
        features = Features(Description("classifier" if labelled else "self_supervised"), learned, network)
        self.observe = Observer(features, model=None)
        real = self.observe(self.held_out)
        self.real_labels = real.labels
        self.real = Reference(real, features.description.kind, "", "", total=1)
        self.floor = self.distances(self.equal)

    def distances(self, pictures: np.ndarray) -> Distances:
        """The figures of pictures uint8 [n, h, w, c]."""
        return self.real.distances(self.observe(pictures))

    def distances_of(self, change: Callable[[np.ndarray], np.ndarray]) -> Distances:
        """The figures of the equal pictures after a change, measured once."""
        if change not in self._distances:
            self._distances[change] = self.distances(change(self.equal))
        return self._distances[change]

    @functools.cached_property
    def classes(self) -> np.ndarray:
        """What the classifier takes the pictures that are not held out for, int64 [n]."""
        batches = np.array_split(self.rest, len(self.rest) // 1_000 + 1)
        return np.concatenate([self.observe(pictures).labels for pictures in batches])

    def copies(self, pictures: np.ndarray) -> Copies:
        """What is found of copies in pictures uint8 [n, h, w, c]."""
        return find_copies(self.keys(pictures, mirrored=True), *self.searched).copies

    @functools.cached_property
    def searched(self) -> tuple[Keys, Keys]:
        """The keys of the held-out and of the training pictures."""
        return self.keys(self.held_out, mirrored=True), self.keys(self.training, mirrored=False)

    def keys(self, pictures: np.ndarray, mirrored: bool) -> Keys:
        """The search keys of pictures."""
        made = Keys(self.observe.structure, len(pictures), mirrored)
        made.add(pictures)
        return made


def digits() -> Data:
    """All digits in random order: those of one writer follow each other in the file."""
    pictures, labels = read_digits()
    order = np.random.default_rng(0).permutation(len(pictures))
    return Data(pictures[order], np.array(labels, np.int32)[order], 350, noise=24.0)  # of 8x8 pixels and 17 levels


def emoji() -> Data:
    """Emoji of 32x32 on white, no two alike."""
    found = {}
    with tarfile.open(Path(ROOT, "noto-emoji.tar")) as file:
        for member in file:
            if member.name.endswith(".png"):
                drawn = Image.open(io.BytesIO(file.extractfile(member).read())).convert("RGBA")
                white = Image.new("RGBA", drawn.size, "white")
                white.alpha_composite(drawn)
                levels = np.asarray(white.convert("RGB").resize((32, 32), Image.Resampling.LANCZOS))
                found[levels.tobytes()] = levels
    pictures = np.stack(list(found.values()))
    return Data(pictures[np.random.default_rng(0).permutation(len(pictures))], None, 500)


def photographs() -> Data:
    """A part of CIFAR-10."""
    pictures, names = [], []
    with tarfile.open(Path(ROOT, "cifar10-part.tar")) as file:
        for member in file:
            if member.name.endswith(".png"):
                pictures.append(np.asarray(Image.open(io.BytesIO(file.extractfile(member).read()))))
                names.append(member.name.split("/")[-2])
    order = np.random.default_rng(0).permutation(len(pictures))[:16_000]
    return Data(np.stack(pictures)[order], np.unique(names, return_inverse=True)[1][order].astype(np.int32), 4_000)


def clothes() -> Data:
    """A part of Fashion-MNIST."""
    read = lambda name, header: np.frombuffer(
        gzip.decompress(Path(ROOT, "fashion-mnist", f"train-{name}-ubyte.gz").read_bytes()), np.uint8, offset=header
    )
    order = np.random.default_rng(0).permutation(60_000)[:16_000]
    pictures, labels = read("images-idx3", 16).reshape(-1, 28, 28, 1), read("labels-idx1", 8)
    return Data(pictures[order], labels[order].astype(np.int32), 4_000)


SETS = {"digits": (digits, True), "emoji": (emoji, False), "photographs": (photographs, True), "clothes": (clothes, True)}


def marks(name: str, labelled: bool) -> tuple[pytest.MarkDecorator, ...]:
    """Only the digits without their labels are quick."""
    if name == "digits":
        return (pytest.mark.slow,) if labelled else ()
    return (pytest.mark.slow, WHERE)


def kinds(*labelled: bool) -> list:
    """The data sets, with labels, without, or both one after the other."""
    return [
        pytest.param((name, of_labels), marks=marks(name, of_labels), id=f"{name}{' with labels' * of_labels}")
        for name, (_, has_labels) in SETS.items()
        for of_labels in labelled
        if has_labels or not of_labels
    ]


# Copies are looked for by the network that knows no labels, whatever the distances go by.
COPIES = pytest.mark.parametrize("known", kinds(False), indirect=True)


@pytest.fixture(scope="module", params=kinds(False, True))
def known(request: pytest.FixtureRequest) -> Known:
    """One data set and kind of features after the other."""
    name, labelled = request.param
    return Known(SETS[name][0](), labelled)


def blurred(pictures: np.ndarray, sigma: float = 1.0) -> np.ndarray:
    """Pictures behind a Gaussian blur of so many pixels."""
    return gaussian_filter(pictures.astype(np.float32), (0, sigma, sigma, 0)).round().astype(np.uint8)


def noisy(pictures: np.ndarray, levels: float) -> np.ndarray:
    """Pictures with Gaussian noise of so many of 255 levels."""
    noise = np.random.default_rng(1).normal(0, levels, pictures.shape)
    return np.clip(pictures + noise, 0, 255).round().astype(np.uint8)


def shuffled(pictures: np.ndarray) -> np.ndarray:
    """Pictures whose patches of 8x8 pixels, or of a quarter where that is less, are in random order."""
    made, side = pictures.copy(), min(8, pictures.shape[1] // 2)
    places = [(i, j) for i in range(0, made.shape[1] - side + 1, side) for j in range(0, made.shape[2] - side + 1, side)]
    rng = np.random.default_rng(2)
    for picture, original in zip(made, pictures):
        for (i, j), k in zip(places, rng.permutation(len(places))):
            y, x = places[k]
            picture[i : i + side, j : j + side] = original[y : y + side, x : x + side]
    return made


def fog(pictures: np.ndarray) -> np.ndarray:
    """Means of eight pictures each."""
    rng = np.random.default_rng(3)
    return np.mean([pictures[rng.permutation(len(pictures))] for _ in range(8)], axis=0).round().astype(np.uint8)


def shifted(pictures: np.ndarray) -> np.ndarray:
    """Pictures moved to the left by a pixel; the last column is there twice."""
    return np.concatenate([pictures[:, :, 1:], pictures[:, :, -1:]], axis=2)


def test_equal_sets_are_at_the_floor(known: Known) -> None:
    other = known.distances(known.training[: len(known.held_out)])
    assert other.frechet_distance < 1.5 * known.floor.frechet_distance
    for found in (known.floor, other):
        assert found.two_sample == pytest.approx(0.5, abs=max(0.03, 1.5 / np.sqrt(len(known.held_out))))
        assert found.high_frequencies == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("change", [blurred, shuffled, fog], ids=lambda change: change.__name__)
def test_blur_and_broken_structure_are_far_above_the_floor(change: Callable[[np.ndarray], np.ndarray], known: Known) -> None:
    found = known.distances_of(change)
    assert found.frechet_distance > 10 * known.floor.frechet_distance
    assert found.two_sample > 0.85


def test_noise_is_told_apart(known: Known) -> None:
    found = known.distances(noisy(known.equal, known.noise))
    assert found.two_sample > 0.75  # a classifier of labels sees through noise, and the Frechet distance on its features with it
    if found.features == "self_supervised" and known.held_out.shape[1] > 8:
        strong = known.distances(noisy(known.equal, 2 * known.noise))
        assert strong.frechet_distance > TIMES * known.floor.frechet_distance


def test_blur_and_noise_change_the_high_frequencies(known: Known) -> None:
    assert known.distances_of(blurred).high_frequencies < 0.1
    detail = high_frequency_power(known.equal).mean()
    assert known.distances(noisy(known.equal, 255 * 2 * np.sqrt(detail))).high_frequencies > 1.5


def test_a_class_that_is_missing_is_seen_by_the_labels_that_are_named(known: Known) -> None:
    if known.floor.label_divergence is None:
        assert known.floor.features == "self_supervised"
        return
    floor = max(known.floor.label_divergence, 1 / len(known.held_out))
    chosen = [np.flatnonzero(known.rest_labels != label)[: len(known.held_out)] for label in range(10)]
    divergences = np.array([label_divergence(known.real_labels, known.classes[others]) for others in chosen])
    assert known.distances(known.rest[chosen[0]]).label_divergence == pytest.approx(divergences[0], rel=1e-3)
    assert divergences.min() > TIMES * floor, divergences / floor


@COPIES
def test_half_a_set_of_copies_is_counted(known: Known) -> None:
    n = len(known.held_out)
    half = known.training[: n // 2]
    equal = known.copies(known.equal)
    found = max(1, equal.count + n * equal.floor)  # the difference of two counts varies by about the root of their sum
    assert equal.share <= equal.floor + 3 * np.sqrt(found) / n
    assert equal.nearest_ratio == pytest.approx(1, abs=0.15)
    for copied in (half, half[:, :, ::-1]):
        found = known.copies(np.concatenate([copied, known.equal[: n - n // 2]]))
        assert 0.45 < found.share < 0.65 and found.share > TIMES * found.floor
    changed = [noisy(half, known.noise / 2)]
    changed += [shifted(half)] if half.shape[2] > 16 else []  # of 8x8 pixels, one is too much
    for copied in changed:
        found = known.copies(np.concatenate([copied, known.equal[: n - n // 2]]))
        assert found.share > max(0.25, 2 * found.floor)


@COPIES
def test_fog_is_no_copy(known: Known) -> None:
    found = known.copies(fog(known.equal))
    assert found.share <= found.floor + 0.01
