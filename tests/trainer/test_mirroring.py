"""Whether pictures may be mirrored: pictures with known answers and, where they are at hand, real ones; and what trainings do."""

from __future__ import annotations

import dataclasses
import gzip
import io
import logging
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow_transform as tft
from PIL import Image
from scipy import ndimage
from sklearn.datasets import load_digits

import trainer.mirroring
from common.progress import LOGGER
from tests.trainer import tiny
from tests.trainer.conftest import run_trainer
from trainer.config import TrainingConfig
from trainer.data import Pictures
from trainer.mirroring import decide_augmentation, edge_directions, mirrored_directions, test_mirrors

DATASETS = Path(os.environ.get("DARKROOM_DATASETS", "/nowhere"))
real = pytest.mark.skipif(not DATASETS.is_dir(), reason="needs real images: set DARKROOM_DATASETS")


def clouds(count: int) -> np.ndarray:
    """Smooth noise in color, which no direction is special to: uint8 [count, 24, 24, 3]."""
    noise = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal((count, 24, 24, 3)), (0, 2, 2, 0))
    return np.clip(128 + 300 * noise, 0, 255).astype(np.uint8)


def arrows(count: int, to_the_right: np.ndarray) -> np.ndarray:
    """Triangles on smooth noise that point to either side, uint8 [count, 24, 24, 1]."""
    pictures, rng = clouds(count)[..., :1] // 2, np.random.default_rng(1)
    rows, columns = np.mgrid[:24, :24]
    for picture, right in zip(pictures, to_the_right):
        row, first = rng.integers(9, 15), rng.integers(3, 8)
        inside = (np.abs(rows - row) <= (columns - first) / 2) & (columns < first + 14)
        picture[inside[:, ::-1] if right else inside] = 255
    return pictures


def test_directions_of_mirrored_pictures_are_mirrored_directions() -> None:
    for pictures in (clouds(5), np.random.default_rng(0).integers(0, 65536, (5, 9, 14, 1), np.uint16)):
        features = edge_directions(pictures)
        np.testing.assert_allclose(edge_directions(pictures[:, :, ::-1]), mirrored_directions(features), atol=1e-6)
        np.testing.assert_array_equal(mirrored_directions(mirrored_directions(features)), features)
        np.testing.assert_allclose(np.square(features).sum(axis=(1, 2, 3)), 1.0, rtol=1e-3)


def test_digits_are_not_to_be_mirrored() -> None:
    digits = load_digits()
    found = test_mirrors((digits.images * 15).astype(np.uint8)[..., np.newaxis], digits.target)
    assert found.hurts and "can be told from their mirror image" in found.reason
    assert found.recognized > 0.9 and found.label_drop > 0.5


def test_clouds_may_be_mirrored_and_seeds_decide() -> None:
    pictures = clouds(800)
    found = test_mirrors(pictures, np.random.default_rng(2).integers(0, 3, 800))
    assert not found.hurts and found.reason == "" and found.pictures == 800
    assert found.recognized == pytest.approx(0.5, abs=0.06) and found.label_drop < 0.02
    assert test_mirrors(pictures) == test_mirrors(pictures) != test_mirrors(pictures, seed=1)


def test_arrows_that_all_point_one_way_are_recognized_and_those_of_both_ways_by_their_labels() -> None:
    ways = np.random.default_rng(2).integers(0, 2, 600)
    both = arrows(600, ways)
    assert not test_mirrors(both).hurts
    assert "another label's" in test_mirrors(both, ["left" if way else "right" for way in ways]).reason
    for labels in ([None] * 600, ["arrow"] * 600, [-1] * 600):
        assert not test_mirrors(both, labels).hurts
    assert test_mirrors(arrows(600, np.ones(600))).hurts


def test_pictures_that_are_their_own_mirror_images() -> None:
    pictures = clouds(500)
    found = test_mirrors(np.concatenate([pictures[:, :, :12], pictures[:, :, 11::-1]], axis=2))
    assert found.recognized == pytest.approx(0.5, abs=0.06) and not found.hurts


def test_few_pictures_tell_nothing() -> None:
    assert test_mirrors(clouds(30)).reason == "30 pictures are too few to tell, 500 are needed"


def test_large_pictures_are_described_in_blocks_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures, labels = arrows(600, np.arange(600) % 2), np.arange(600) % 2
    whole = test_mirrors(pictures, labels)
    monkeypatch.setattr(trainer.mirroring, "_BLOCK_VALUES", 70 * pictures[0].size)
    assert test_mirrors(pictures, labels) == whole


def test_auto_becomes_mirrored_where_that_cannot_hurt_and_nothing_where_it_can() -> None:
    soft, pointing = Pictures(clouds(600)), Pictures(arrows(600, np.ones(600)))
    asked = TrainingConfig(augmentation=("auto", "shifted"))
    decided, found = decide_augmentation(asked, soft)
    assert decided.augmentation == ("mirrored", "shifted") and found.to_dict()["mirrored"] and found.to_dict()["reason"] == ""
    decided, found = decide_augmentation(asked, pointing)
    assert decided.augmentation == ("shifted",) and "can be told" in found.to_dict()["reason"]
    assert not found.to_dict()["mirrored"] and found.to_dict()["recognized"] > 0.9
    decided, found = decide_augmentation(TrainingConfig(augmentation=("mirrored", "auto")), soft)
    assert decided.augmentation == ("mirrored",)
    decided, found = decide_augmentation(asked, Pictures(clouds(20)))
    assert decided.augmentation == ("shifted",) and found.to_dict()["recognized"] is None


@pytest.mark.parametrize("kinds", [(), ("mirrored",), ("shifted", "jittered")])
def test_without_auto_nothing_is_tested(kinds: tuple[str, ...]) -> None:
    config = TrainingConfig(augmentation=kinds)
    assert decide_augmentation(config, Pictures(arrows(600, np.ones(600)))) == (config, None)


def test_labels_count_only_where_the_model_sees_them_and_the_seed_does_not(caplog: pytest.LogCaptureFixture) -> None:
    ways = (np.arange(600) % 2).astype(np.int32)
    both = arrows(600, ways)
    plain, conditional = Pictures(both), Pictures(both, ways)
    with caplog.at_level(logging.INFO, LOGGER):
        decisions = [decide_augmentation(TrainingConfig(augmentation=("auto",), seed=seed), plain) for seed in (0, 7)]
    assert decisions[0][1] == decisions[1][1] and decisions[0][0].augmentation == ("mirrored",)
    assert decide_augmentation(TrainingConfig(augmentation=("auto",)), conditional)[0].augmentation == ()
    progress = [record.progress for record in caplog.records if hasattr(record, "progress")]
    assert [(one.step, one.done, one.total) for one in progress[:2]] == [
        ("comparing mirror images", 0, 600),
        ("comparing mirror images", 600, 600),
    ]


def test_the_trainer_writes_down_what_it_decided(tmp_path: Path, graph: tft.TFTransformOutput) -> None:
    """On bars, which are as likely to the left as to the right; and on too few of them."""
    training = dataclasses.replace(tiny.TRAINING, epochs=1, augmentation=("auto",))
    config = dataclasses.replace(tiny.CONFIG, training=training)
    for count in (520, 40):
        splits = {"train": [tiny.encode(p) for p in tiny.bars(count)], "eval": [tiny.encode(p) for p in tiny.bars(9, seed=1)]}
        labels = {split: [""] * len(files) for split, files in splits.items()}
        decided = run_trainer(tmp_path / str(count), graph, config, splits, labels).json("metrics.json")["mirroring"]
        assert decided["mirrored"] == (count == 520) and decided["pictures"] == count
        assert decided["reason"] == ("" if count == 520 else "40 pictures are too few to tell, 500 are needed")


def part(archive: str, folder: str, count: int) -> np.ndarray:
    """Some pictures of an archive, evenly spread, RGB on white."""
    with tarfile.open(DATASETS / archive) as tar:
        members = [member for member in tar.getmembers() if member.isfile() and folder in member.name]
        pictures = []
        for member in members[:: max(1, len(members) // count)][:count]:
            picture = Image.open(io.BytesIO(tar.extractfile(member).read())).convert("RGBA").resize((32, 32))
            pictures.append(np.asarray(Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture))[..., :3])
    return np.stack(pictures)


@real
def test_photographs_may_be_mirrored() -> None:
    found = test_mirrors(part("cifar10-part.tar", "train/", 2000))
    assert not found.hurts and found.recognized < 0.56


@real
def test_emoji_with_their_flags_and_letters_are_left_as_they_are() -> None:
    assert test_mirrors(part("noto-emoji.tar", "", 2000)).recognized > 0.65


@real
def test_shoes_and_bags_are_not_to_be_mirrored() -> None:
    raw = gzip.decompress((DATASETS / "fashion-mnist/train-images-idx3-ubyte.gz").read_bytes())
    found = test_mirrors(np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28, 1))
    assert found.hurts and found.recognized > 0.75
