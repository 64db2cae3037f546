"""Real data sets, where they are to be found: the presets on a few minutes' budget."""

import gzip
import os
import tarfile
from pathlib import Path

import pytest

from tests.project import darkroom, last_verdict

ROOT = os.environ.get("DARKROOM_DATASETS")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not ROOT, reason="DARKROOM_DATASETS does not say where the data sets are"),
]
COUNT = 2_000  # pictures of which a second process makes the same


def test_fashion_mnist_with_two_dimensions_is_learned(tmp_path):
    quick = ["--set", "model.latent_dim=2", "--set", "training.epochs=5", "--set", "training.importance_samples=2"]
    ended = darkroom("run", "--dataset", "fashion-mnist", "--work", tmp_path / "work", *quick)
    assert ended.status == 0, ended.out + ended.err
    verdict = last_verdict(tmp_path / "work")
    assert verdict["data"]["pictures"]["test"] == 10_000
    assert sum(verdict["data"]["pictures"].values()) == 70_000
    assert verdict["figures"]["elbo"] > -262
    assert verdict["figures"]["importance_weighted"] > verdict["figures"]["elbo"]
    assert verdict["quality"]["classifier_accuracy"] >= 0.88, "right often enough to compare pictures by"


def test_the_same_seed_gives_the_same_figures_in_another_process(tmp_path):
    """The second one is a process of its own: the seed of its hashes is another."""
    quick = [f"--set={value}" for value in ("training.epochs=4", "training.importance_samples=5", "data.splits=content")]
    (tmp_path / "clothes").mkdir()
    for part, header, size in (("images-idx3", 16, 28 * 28), ("labels-idx1", 8, 1)):
        content = gzip.decompress(Path(ROOT, "fashion-mnist", f"t10k-{part}-ubyte.gz").read_bytes())
        content = content[:4] + COUNT.to_bytes(4, "big") + content[8 : header + COUNT * size]
        (tmp_path / "clothes" / f"t10k-{part}-ubyte.gz").write_bytes(gzip.compress(content))
    figures = []
    for name, fresh in (("a", False), ("b", True)):
        ended = darkroom(
            "run", "--images", tmp_path / "clothes", "--config", "fashion-mnist", "--work", tmp_path / name, *quick, fresh=fresh
        )
        assert ended.status == 0, ended.out + ended.err
        figures.append(last_verdict(tmp_path / name)["figures"])
    assert figures[0] == pytest.approx(figures[1], abs=1e-4)


def test_emoji_in_colour_with_transparency(tmp_path):
    archive = os.path.join(ROOT, "noto-emoji.tar")
    if not os.path.exists(archive):
        pytest.skip(f"there is no {archive}")
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "emoji", filter="data")
    # Too little for good pictures, and without features learned for one epoch.
    quick = ["training.epochs=1", "training.feature_weight=0", "generation.updates=100", "evaluation.min_coverage=0"]
    arguments = ["--images", tmp_path / "emoji", "--config", "emoji", *(f"--set={value}" for value in quick)]
    ended = darkroom("run", *arguments, "--work", tmp_path / "work")
    assert ended.status == 0, ended.out + ended.err
    data = last_verdict(tmp_path / "work")["data"]
    assert sum(data["pictures"].values()) + data["duplicates"] == 3_583 and data["duplicates"] == 10
    out = tmp_path / "new.png"
    assert darkroom("generate", "--work", tmp_path / "work", "--out", out).status == 0
