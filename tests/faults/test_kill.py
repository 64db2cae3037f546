"""kill -9, SIGTERM and Ctrl-C: what comes after is as if nothing had been, and what is served is whole all the while."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2

from pipeline.metadata.runs import list_runs
from pipeline.metadata.store import open_store
from pipeline.workspace.layout import Workspace
from tests.faults.conftest import COMPONENTS, TRAINED, Lab, Watch
from tests.faults.inject import DONE, PUBLISHED, START
from tests.faults.table import THOROUGH

ENDS = {  # what ends a run in each component: when, and by which signal
    (START, signal.SIGKILL): "kill -9 at a component's start",
    (DONE, signal.SIGKILL): "kill -9 after a component's end, before ML Metadata records it",
    (DONE, signal.SIGTERM): "SIGTERM in a component",
    (DONE, signal.SIGINT): "Ctrl-C in a component",
    (PUBLISHED, signal.SIGKILL): "kill -9 after a component's end",
}
SEED = 6  # of the random moments


def check_recovered(lab: Lab) -> None:
    """A run after the fault ends like the unbroken one, and nothing is left that could be taken for a result."""
    ended = lab.run()
    assert ended.status == 0, ended.err
    assert lab.versions() == [1, 2]
    assert lab.verdict()["figures"] == pytest.approx(lab.figures, abs=1e-3)
    assert not orphans(lab.work)
    again = [run for run in list_runs(str(lab.work)) if run.outcome not in ("pushed", "unended", "interrupted", "failed")]
    assert not again and lab.verdict()["model"]["version"] == 2


def orphans(work: Path) -> list[str]:
    """What the cache or a person might take for a result and is none."""
    store = open_store(Workspace(work))
    states = metadata_store_pb2.Execution.State
    found = [
        f"execution {e.id} is {states.Name(e.last_known_state)}" for e in store.get_executions() if e.last_known_state in (1, 2)
    ]
    known = {artifact.uri for artifact in store.get_artifacts() if artifact.state == artifact.LIVE}
    folders = [p for p in (work / "artifacts").glob("*/*/*") if ".system" not in p.parts and p.parent.parent.name != "schemas"]
    found += [f"{folder} is no artifact" for folder in folders if str(folder) not in known]
    found += [f"{uri} is gone" for uri in known if uri.startswith(str(work)) and not Path(uri).exists()]
    return found + [str(p) for p in (*work.glob(".report-*"), *work.glob("serving/.*"), *work.glob("checkpoints"))]


@pytest.mark.slow
def test_killed_between_the_push_and_ml_metadatas_knowing_of_it(lab, trial):
    trial(ENDS[DONE, signal.SIGKILL])
    lab.restore(TRAINED)
    with Watch(lab.work / "serving") as watch:
        assert lab.run({"moment": DONE, "component": "Pusher", "signal": 9}).status == -9
        check_recovered(lab)
    assert watch.looks > 100 and not watch.faults, watch.faults[:3]


@pytest.mark.slow
def test_killed_and_interrupted_in_each_component_after_another(lab, trial):
    """Each rerun goes on from where the last one was ended, to be ended at the next moment, then in the next component."""
    for words in ENDS.values():
        trial(words, len(COMPONENTS))
    lab.restore()
    with Watch(lab.work / "serving") as watch:
        for component in COMPONENTS:
            for moment, number in ENDS:
                ended = lab.run({"moment": moment, "component": component, "signal": int(number)})
                if number == signal.SIGKILL:
                    assert ended.status == -9, (component, moment, ended.err)
                else:
                    assert ended.status == 130 and len(ended.err.splitlines()) == 1, (component, number, ended.err)
                    assert ended.err.startswith("interrupted: ") and lab.verdict()["outcome"] == "interrupted"
                assert lab.versions() in ([1], [1, 2])
        check_recovered(lab)
    assert not watch.faults, watch.faults[:3]


@pytest.mark.slow
@pytest.mark.parametrize("chain", range(5 if THOROUGH else 1))
def test_killed_at_random_moments(lab, chain, trial):
    """Four times after each other: each rerun goes on from where the last one was killed."""
    trial("kill -9 at a random moment", 4)
    moments = random.Random(SEED * 100 + chain)
    lab.restore()
    with Watch(lab.work / "serving") as watch:
        for _ in range(4):
            child = lab.start()
            time.sleep(moments.uniform(0.0, lab.seconds / 2))  # less is left to be done each time
            child.signal(signal.SIGKILL)
            assert child.wait().status in (-9, 0)  # it may have been at its end
        check_recovered(lab)
    assert not watch.faults, watch.faults[:3]


@pytest.mark.slow
def test_a_training_that_is_killed_goes_on_from_its_last_epoch(lab, trial):
    """By its own checkpoint: the second run says after which epoch it goes on, and comes to the same figures."""
    trial("kill -9 in training, which goes on from its last epoch")
    settings = {"training.epochs": 400, "training.patience": 400}
    lab.restore(TRAINED)  # the Trainer's inputs are there
    unbroken = lab.run(**settings)
    assert unbroken.status == 0, unbroken.err
    figures = lab.verdict()["figures"]
    lab.restore(TRAINED)
    child, checkpoints = lab.start(**settings), lab.work / "checkpoints"
    deadline = time.monotonic() + 200
    while not list(checkpoints.glob("*.npz")) and time.monotonic() < deadline:
        time.sleep(0.01)
    child.signal(signal.SIGKILL)
    assert child.wait().status == -9
    ended = lab.run(**settings)
    assert ended.status == 0 and "resumed after epoch" in ended.out, ended.out
    assert lab.verdict()["figures"] == pytest.approx(figures, abs=1e-3)
    (metrics,) = [json.loads((Path(lab.verdict()["model"]["path"]) / "metrics.json").read_text())]
    assert metrics["resumed_from"] >= 1 and not checkpoints.exists()
