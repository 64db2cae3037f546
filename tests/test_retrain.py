"""`darkroom retrain`: nothing where there is nothing new, a run where there is."""

from __future__ import annotations

import fcntl

import pytest

from tests.project import darkroom, last_verdict, write_discs

SETTINGS = ("--set", "training.epochs=2", "--set", "training.batch_size=32", "--set", "evaluation.max_drop=100")


def runs(work) -> int:
    return len(list(work.glob("runs/*")))


@pytest.mark.slow
def test_new_spans_are_trained_on_and_old_ones_are_not(tmp_path):
    pictures, work = tmp_path / "pictures", tmp_path / "work"

    def retrain(*more):
        return darkroom("retrain", "--images", f"{pictures}/span-{{SPAN}}", "--work", work, *SETTINGS, *more)

    write_discs(pictures / "span-1", 120)
    assert retrain().status == 0 and runs(work) == 1

    again = retrain()
    assert (again.status, again.err) == (0, "") and runs(work) == 1
    assert (
        again.out
        == "nothing new: the 120 pictures in span 1 and the configuration are those of the last run, which ended as pushed\n"
    )

    write_discs(pictures / "span-2", 120, seed=1)
    with (work / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        busy = retrain()
        assert busy.status == 4 and len(busy.err.splitlines()) == 1 and runs(work) == 1
    assert retrain().status == 0 and runs(work) == 2
    assert last_verdict(work)["baseline"], "judged against the model of the span before"
    assert last_verdict(work)["data"]["span"] == 2
    assert retrain().out.startswith("nothing new: the 120 pictures in span 2 and")

    # Refused by the gate: not tried again until there is something else.
    write_discs(pictures / "span-3", 120, invert=True)
    refused = retrain()
    assert refused.status == 3 and runs(work) == 3
    again = retrain()
    assert again.status == 0 and "ended as refused" in again.out and runs(work) == 3

    # Another configuration is something new.
    assert retrain("--set", "training.epochs=1").status == 3 and runs(work) == 4


def test_no_pictures_are_a_mistake(tmp_path):
    ended = darkroom("retrain", "--images", tmp_path / "nowhere", "--work", tmp_path / "work")
    assert ended.status == 2 and "nowhere" in ended.err and len(ended.err.splitlines()) == 1
