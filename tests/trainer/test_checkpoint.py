"""A training that was killed goes on from where it was, and comes to the same end as an unbroken one."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import trainer.checkpoint
from tests.trainer.tiny import CONDITIONAL, HIERARCHICAL, VAMPPRIOR, Fitted, bars, fit
from trainer.checkpoint import Checkpoint, Course, training_key
from trainer.data import Pictures
from trainer.features import self_supervised
from trainer.history import History

VALUES = [np.arange(6.0, dtype=np.float32).reshape(2, 3), np.array(7, np.int64)]
COURSE = Course(2, 1, -3.5, [np.ones(4, np.float32)], [10.0, 12.0], [{"epoch": 1}, {"epoch": 2}], 1.5)


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


@pytest.fixture(autouse=True)
def after_every_epoch(monkeypatch):
    monkeypatch.setattr(trainer.checkpoint, "SHARE", 1e12)


def kill_after(epoch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has a training end in the epoch after."""
    write = History.write

    def written(self, **line):
        if line["epoch"] > epoch:
            raise Killed
        write(self, **line)

    monkeypatch.setattr(History, "write", written)


def broken_and_resumed(folder: Path, epoch: int, **options: object) -> Fitted:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        kill_after(epoch, patch)
        fit(folder / "first", checkpoint=Checkpoint(folder / "kept", "key"), **options)
    return fit(folder / "second", checkpoint=Checkpoint(folder / "kept", "key"), **options)


def figures(fitted: Fitted) -> np.ndarray:
    return np.array(
        [[*line["train"].values(), *line["eval"].values(), line["beta"], line["learning_rate"]] for line in fitted.history]
    )


def test_the_end_is_that_of_an_unbroken_training(tmp_path):
    """Of a model with all that has a state or draws at random."""
    options = {"model": {**HIERARCHICAL, **VAMPPRIOR, **CONDITIONAL, "dropout": 0.3}, "corruption": "gaussian", "patience": 10}
    unbroken, resumed = fit(tmp_path / "unbroken", **options), broken_and_resumed(tmp_path, 2, **options)
    assert resumed.outcome.resumed_from == 2 and unbroken.outcome.resumed_from == 0
    assert (resumed.outcome.epochs, resumed.outcome.best_epoch) == (unbroken.outcome.epochs, unbroken.outcome.best_epoch)
    np.testing.assert_allclose(figures(resumed), figures(unbroken), rtol=1e-6)
    for mine, theirs in zip(resumed.vae.get_weights(), unbroken.vae.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-7)


def test_running_means_of_the_weights_go_on_to_the_last_byte(tmp_path):
    options = {"weight_average": 0.95, "epochs": 3}
    unbroken, resumed = fit(tmp_path / "unbroken", **options), broken_and_resumed(tmp_path, 1, **options)
    assert resumed.outcome.resumed_from == 1
    for mine, theirs in zip(resumed.loop.optimizer.variables, unbroken.loop.optimizer.variables, strict=True):
        assert mine.numpy().tobytes() == theirs.numpy().tobytes(), mine.path
    for mine, theirs in zip(resumed.vae.get_weights(), unbroken.vae.get_weights(), strict=True):
        assert mine.tobytes() == theirs.tobytes()


def test_features_are_kept_for_the_training_that_goes_on(tmp_path, monkeypatch):
    """Features that were learned again, from another seed, would lead elsewhere."""
    options = {"feature_weight": 1.0, "epochs": 3}
    unbroken = fit(tmp_path / "unbroken", **options)
    learned = []
    train = self_supervised.train
    monkeypatch.setattr(self_supervised, "train", lambda levels, seed: learned.append(1) or train(levels, seed + len(learned) - 1))
    resumed = broken_and_resumed(tmp_path, 1, **options)
    assert len(learned) == 1 and resumed.outcome.resumed_from == 1
    np.testing.assert_allclose(figures(resumed), figures(unbroken), rtol=1e-5)


def test_the_best_epoch_of_an_earlier_process_is_kept(tmp_path):
    """Held-out pictures that are the negatives of the others: after the first steps, all learning is for the worse."""
    options = {"held_out": Pictures(255 - bars(40, seed=1)), "epochs": 30, "patience": 3, "warmup_share": 0.0}
    unbroken = fit(tmp_path / "unbroken", **options)
    resumed = broken_and_resumed(tmp_path, unbroken.outcome.best_epoch + 1, **options)
    assert (resumed.outcome.epochs, resumed.outcome.best_epoch) == (unbroken.outcome.epochs, unbroken.outcome.best_epoch)
    for mine, theirs in zip(resumed.vae.get_weights(), unbroken.vae.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-7)


def test_a_training_at_its_end_is_not_trained_on(tmp_path):
    done = fit(tmp_path / "one", checkpoint=Checkpoint(tmp_path / "kept", "key"))
    again = fit(tmp_path / "two", checkpoint=Checkpoint(tmp_path / "kept", "key"))
    assert again.outcome.resumed_from == again.outcome.epochs == done.outcome.epochs
    assert int(again.loop.optimizer.iterations.numpy()) == int(done.loop.optimizer.iterations.numpy())


def test_another_training_has_another_file(tmp_path):
    fit(tmp_path / "one", checkpoint=Checkpoint(tmp_path / "kept", "key"))
    assert fit(tmp_path / "two", checkpoint=Checkpoint(tmp_path / "kept", "other")).outcome.resumed_from == 0


def test_the_key_tells_trainings_apart(tmp_path):
    file = tmp_path / "records"
    file.write_bytes(b"pictures")
    key = training_key({"seed": 1}, [str(file)])
    assert key == training_key({"seed": 1}, [str(file)]) != training_key({"seed": 2}, [str(file)])
    os.utime(file, ns=(1, 1))
    assert training_key({"seed": 1}, [str(file)]) != key


def test_what_was_saved_is_read(tmp_path):
    checkpoint = Checkpoint(tmp_path / "new" / "folder", "key")
    assert checkpoint.load(VALUES) is None
    checkpoint.save(COURSE, VALUES)
    course, values = checkpoint.load(VALUES)
    assert {**vars(course), "best_weights": None} == {**vars(COURSE), "best_weights": None}
    for mine, theirs in zip([*values, *course.best_weights], [*VALUES, *COURSE.best_weights], strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert mine.dtype == theirs.dtype
    assert [path.name for path in checkpoint.path.parent.iterdir()] == [checkpoint.path.name]


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, -1])
def test_one_cut_short_is_none(tmp_path, kept):
    checkpoint = Checkpoint(tmp_path, "key")
    checkpoint.save(COURSE, VALUES)
    content = checkpoint.path.read_bytes()
    checkpoint.path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    assert checkpoint.load(VALUES) is None


def test_one_of_another_model_is_none(tmp_path):
    checkpoint = Checkpoint(tmp_path, "key")
    checkpoint.save(COURSE, VALUES)
    assert checkpoint.load(VALUES[:1]) is None and checkpoint.load([VALUES[1], VALUES[0]]) is None


def test_pickles_are_not_read(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "evil"),)

    checkpoint = Checkpoint(tmp_path, "key")
    np.savez(checkpoint.path, state=np.array([Evil()], object))
    assert checkpoint.load(VALUES) is None and not (tmp_path / "evil").exists()


def test_writing_takes_a_small_share_of_the_time(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer.checkpoint, "SHARE", 1e-9)
    checkpoint = Checkpoint(tmp_path, "key")
    checkpoint.save(COURSE, VALUES)
    checkpoint.save(Course(3), VALUES)
    assert checkpoint.load(VALUES)[0].epoch == 2
