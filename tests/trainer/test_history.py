"""What is written while training."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from tests.trainer.tiny import read_lines
from trainer.history import History

TRAIN = {"loss": 3.0, "reconstruction": 2.5, "kl": 0.5, "elbo": -3.0}
EVAL = {"elbo": -3.5, "reconstruction": 3.25, "kl": 0.25}


def events(folder: Path) -> dict[tuple[str, int], float]:
    """Scalars in TensorBoard's event files, by tag and step."""
    found = {}
    for path in folder.glob("events.out.tfevents.*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                found[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    return found


def test_a_line_an_epoch_and_the_same_for_tensorboard(tmp_path: Path) -> None:
    history = History(tmp_path / "run")
    for epoch in (1, 2):
        history.write(epoch=epoch, seconds=1.5 * epoch, beta=1.0, train=TRAIN, eval=EVAL)
        assert len(read_lines(history.path)) == epoch, "whoever watches sees each epoch as it ends"
        assert ("elbo", epoch) in events(tmp_path / "run" / "logs" / "eval")
    history.close()
    assert read_lines(tmp_path / "run" / "history.jsonl")[1] == {
        "epoch": 2, "seconds": 3.0, "beta": 1.0, "train": TRAIN, "eval": EVAL
    }  # fmt: skip
    train, held_out = (events(tmp_path / "run" / "logs" / split) for split in ("train", "eval"))
    assert {key: value for key, value in train.items() if key[1] == 2} == {
        (name, 2): pytest.approx(value) for name, value in {**TRAIN, "seconds": 3.0, "beta": 1.0}.items()
    }
    assert held_out == {(name, step): pytest.approx(value) for name, value in EVAL.items() for step in (1, 2)}


def test_another_run_starts_anew(tmp_path: Path) -> None:
    for _ in range(2):
        history = History(tmp_path)
        history.write(epoch=1, train=TRAIN, eval=EVAL)
        history.close()
    assert len(read_lines(tmp_path / "history.jsonl")) == 1
