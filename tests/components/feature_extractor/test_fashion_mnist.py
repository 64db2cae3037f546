"""The classifier on Fashion-MNIST, where it is to be found."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from components.feature_extractor.classifier import train

ROOT = os.environ.get("DARKROOM_DATASETS")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not ROOT, reason="DARKROOM_DATASETS does not say where the data sets are"),
]


def read(name: str, header: int) -> np.ndarray:
    """The bytes of an IDX file after its header, uint8."""
    return np.frombuffer(gzip.decompress(Path(ROOT, "fashion-mnist", f"{name}-ubyte.gz").read_bytes()), np.uint8, offset=header)


def test_it_is_right_often_enough_to_compare_pictures_by() -> None:
    pictures, held_out = (read(f"{name}-images-idx3", 16).reshape(-1, 28, 28, 1) for name in ("train", "t10k"))
    labels, truth = (read(f"{name}-labels-idx1", 8).astype(np.int32) for name in ("train", "t10k"))
    classifier = train(pictures, labels, seed=0)
    right = [classifier.predict(held_out[i : i + 500]) == truth[i : i + 500] for i in range(0, 10_000, 500)]
    assert np.mean(right) >= 0.88
