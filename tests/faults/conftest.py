"""What the fault suite shares: a work folder with a model in service, runs that faults befall, and a poller of what is served."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.faults.inject import START
from tests.faults.table import note
from tests.fork_server import Child, Ended
from tests.project import last_verdict, start_darkroom, write_discs

COMPONENTS = (
    *("ImageExampleGen", "StatisticsGen", "ExampleValidator", "DataGate", "Transform", "FeatureExtractor", "Trainer"),
    *("ServingCheck", "Evaluator", "SampleQuality", "ModelGate", "Pusher", "Report"),
)
SETTINGS = {"training.epochs": 40, "training.learning_rate": 0.01, "training.batch_size": 32, "training.importance_samples": 5}
SETTINGS |= {"preprocessing.height": 12, "preprocessing.width": 12, "preprocessing.channels": 1, "model.hidden": [64]}
SETTINGS |= {"model.latent_dim": 2}
PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Keeps whether a test has passed, for `trial`."""
    report = yield
    if report.when == "call":
        item.stash[PASSED] = report.passed
    return report


@pytest.fixture
def trial(request):
    """`trial(FAULT, TRIES)` says what a test tries: once it has ended, the table has it as recovered, or if it failed as lost."""
    tried = []
    yield lambda fault, tries=1: tried.append((fault, tries))
    passed = request.node.stash.get(PASSED, False)
    for fault, tries in tried:
        note(fault=fault, tries=tries, recovered=tries if passed else 0)


FIRST, TRAINED, PUSHED = "first", "trained", "pushed"  # what a work folder is brought back to: see `Lab`


@dataclass
class Lab:
    """A work folder in which span 1 was trained on and pushed, and pictures of a span 2.

    `kept` has it as it was when span 2 was there (`FIRST`), when a run had trained on that, judged the model, and was killed
    before the push (`TRAINED`), and when the next run had pushed it (`PUSHED`).

    Attributes:
        root: Holds `work`, `pictures`, and `kept`, from where the work folder is brought back.
        figures: Those of the model of span 2; an unbroken run has the same.
        seconds: How long it took.
    """

    root: Path
    figures: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def work(self) -> Path:
        """The work folder."""
        return self.root / "work"

    @property
    def pictures(self) -> Path:
        """Spans 1 and 2."""
        return self.root / "pictures"

    def arguments(self, **settings: object) -> list[str]:
        """Those of the run."""
        given = [f"--set={name}={value}" for name, value in {**SETTINGS, **settings}.items()]
        return ["run", "--images", f"{self.pictures}/span-{{SPAN}}", "--work", str(self.work), *given]

    def start(self, fault: dict[str, Any] | None = None, **settings: object) -> Child:
        """Starts a run."""
        return start_darkroom(*self.arguments(**settings), fault=fault)

    def run(self, fault: dict[str, Any] | None = None, **settings: object) -> Ended:
        """Runs to the end, whatever that is."""
        return self.start(fault, **settings).wait()

    def keep(self, state: str) -> None:
        """Keeps the work folder as it is."""
        shutil.copytree(self.work, self.root / "kept" / state)

    def restore(self, state: str = FIRST) -> None:
        """Brings the work folder back to a state; what is there may be a disk, which stays."""
        self.work.mkdir(exist_ok=True)
        for path in self.work.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        shutil.copytree(self.root / "kept" / state, self.work, dirs_exist_ok=True)

    def versions(self) -> list[int]:
        """What is served."""
        return sorted(int(path.name) for path in (self.work / "serving").iterdir() if path.name.isdigit())

    def verdict(self) -> dict[str, Any]:
        """The last run's."""
        return last_verdict(self.work)


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """See `Lab`; the work folder is in no certain state: `restore` it first."""
    made = Lab(tmp_path_factory.mktemp("lab"))
    write_discs(made.pictures / "span-1", 400)
    first = made.run()
    assert first.status == 0, first.err
    made.keep(FIRST)
    write_discs(made.pictures / "span-2", 400, seed=1)
    begin = time.monotonic()
    assert made.run({"moment": START, "component": "Pusher", "signal": 9}).status == -9
    taken = time.monotonic() - begin
    made.keep(TRAINED)
    begin = time.monotonic()
    second = made.run()
    made.seconds, made.figures = taken + time.monotonic() - begin, made.verdict()["figures"]
    assert second.status == 0 and made.versions() == [1, 2], second.err
    assert second.states()["Trainer"] == "cached" and second.states()["Pusher"] == "done"
    made.keep(PUSHED)
    return made


class Watch:
    """Looks at `serving/` all the time: every version that can be seen there is whole."""

    def __init__(self, serving: Path):
        self.looks, self.faults, self._end = 0, [], threading.Event()
        self._thread = threading.Thread(target=self._watch, args=[serving])

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self, serving: Path) -> None:
        from serving.manifest import verify

        while not self._end.wait(0.005):
            self.looks += 1
            try:
                seen = sorted((path for path in serving.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))
                verify(seen[-1])
            except Exception as error:
                self.faults.append(repr(error))
