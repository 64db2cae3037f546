"""A conditional model, from the command line: what is asked for is what is made."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.svm import SVC

from tests.project import darkroom

pytestmark = pytest.mark.slow
SETTINGS = ("model.conditional=true", "model.latent_dim=8", "generation.density=mixture", "training.epochs=60")


def named(folder) -> np.ndarray:
    """Which digits a classifier, which was trained on real ones, takes the pictures of a folder for."""
    real = load_digits()
    judge = SVC(gamma=0.001).fit(real.data, real.target)
    pictures = [np.asarray(Image.open(path), float) * 16 / 255 for path in sorted(folder.glob("*.png"))]
    return judge.predict(np.stack(pictures).reshape(len(pictures), -1))


def test_the_digit_that_is_asked_for_is_made(tmp_path):
    settings = [option for setting in SETTINGS for option in ("--set", setting)]
    ended = darkroom("run", "--dataset", "digits", "--work", tmp_path / "work", *settings)
    assert ended.status == 0, ended.out + ended.err
    right = {}
    for digit in "0378":
        made = darkroom("generate", "--work", tmp_path / "work", "--label", digit, "--count", 50, "--out", tmp_path / digit)
        assert made.status == 0, made.err
        right[digit] = np.mean(named(tmp_path / digit) == int(digit))
    assert min(right.values()) > 0.6 and np.mean(list(right.values())) > 0.8, right
    unknown = darkroom("generate", "--work", tmp_path / "work", "--label", "sneaker", "--out", tmp_path / "x.png")
    assert unknown.status == 2 and len(unknown.err.splitlines()) == 1 and "0, 1, 2" in unknown.err
