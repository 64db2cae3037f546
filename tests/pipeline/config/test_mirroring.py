"""Whether pictures may be mirrored, told of pictures with known answers and, where they are at hand, of real ones."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from sklearn.datasets import load_digits

from pipeline.config.mirroring import edge_directions, mirrored_directions, mirrors_hurt, test_mirrors

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
    assert not mirrors_hurt(both)
    assert "another label's" in test_mirrors(both, ["left" if way else "right" for way in ways]).reason
    assert not mirrors_hurt(both, [None] * 600) and not mirrors_hurt(both, ["arrow"] * 600) and not mirrors_hurt(both, [-1] * 600)
    assert mirrors_hurt(arrows(600, np.ones(600)))


def test_pictures_that_are_their_own_mirror_images() -> None:
    pictures = clouds(500)
    found = test_mirrors(np.concatenate([pictures[:, :, :12], pictures[:, :, 11::-1]], axis=2))
    assert found.recognized == pytest.approx(0.5, abs=0.06) and not found.hurts


def test_few_pictures_tell_nothing() -> None:
    assert test_mirrors(clouds(30)).reason == "30 pictures are too few to tell, 500 are needed"


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
