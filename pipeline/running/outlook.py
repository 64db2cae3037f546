"""Follow a run: refine how long it takes, and write its state for `darkroom runs`."""

from __future__ import annotations

import dataclasses
import logging
import resource
import time
from contextlib import suppress
from pathlib import Path

from common import progress
from common.errors import InputError
from pipeline.config.loading import build_config, load_values
from pipeline.config.schema import Config
from pipeline.metadata.progress import RunProgress, remove
from pipeline.running.expectation import Expectation
from pipeline.verdict.verdict import read_verdict
from pipeline.workspace.layout import Workspace

LOGGER = logging.getLogger("darkroom.run")
STATE_SECONDS = 2.0  # between two writes of the state
DOUBT = 20.0  # seconds by which the expectation counts beside what was measured
LAST_RUNS = 10  # earlier runs that are looked at
ALIKE = 0.2  # share by which their number of pictures may differ
MAX_FACTOR = 10.0  # how much slower than expected a machine may be


class Outlook:
    """The time that a run has taken and will take.

    Args:
        expected: What is expected before the run.
        folder: The folder of the run, which gets `progress.json`.
        process: The process of the run, in the words of the work folder's lock.
        begin: When the run began, by `time.monotonic`.
    """

    def __init__(self, expected: Expectation, folder: Path, process: str, begin: float):
        self.expected, self.folder, self.process, self.begin = expected, folder, process, begin
        self.guesses: list[tuple[float, float]] = []  # seconds since the start, and the expected total then
        self._spent: dict[str, float | None] = {}
        self._name, self._started = "", begin
        self._value: progress.Progress | None = None
        self._first: tuple[float, int] | None = None  # time and units of the first report of a step
        self._wrote = 0.0

    def log(self) -> None:
        """Log what is expected before the run."""
        LOGGER.info("expected: %s: %s", self.expected, {name: round(each, 1) for name, each in self.expected.seconds.items()})

    def started(self, name: str) -> None:
        """Note that a component starts."""
        now = time.monotonic()
        self._name, self._started, self._value, self._first = name, now, None, None
        self._write(now)

    def finished(self, name: str, seconds: float | None) -> None:
        """Note that a component has ended after some seconds; None if it was taken from the cache."""
        self._spent[name] = seconds
        self._name, self._value, self._first = "", None, None
        self._write(time.monotonic())

    def progress(self, value: progress.Progress) -> None:
        """Note progress of the component at work. Any thread may call this."""
        now = time.monotonic()
        if self._value is None or self._value.step != value.step:
            self._first = now, value.done
        self._value = value
        if now - self._wrote >= STATE_SECONDS:
            self._write(now)

    def left(self, now: float | None = None) -> float:
        """Return the expected seconds to the end of the run."""
        now = time.monotonic() if now is None else now
        factor = self._factor()
        rest = sum(seconds for name, seconds in self.expected.seconds.items() if name not in self._spent and name != self._name)
        return factor * rest + (self._component_left(now, factor) if self._name else 0.0)

    def close(self) -> None:
        """Log how good the expectations were, and remove the state, after the verdict is written."""
        took = time.monotonic() - self.begin
        middle = [total for elapsed, total in self.guesses if elapsed <= took / 2]
        if middle:
            guesses = self.expected.total, middle[-1]
            LOGGER.info("the run took %.0f s; expected %.0f s before it, and %.0f s in its middle", took, *guesses)
        remove(self.folder)

    def _factor(self) -> float:
        """Return how much slower the machine is than expected, by the components that have ended."""
        spent = {name: seconds for name, seconds in self._spent.items() if seconds is not None and name in self.expected.seconds}
        measured, expected = sum(spent.values()), sum(self.expected.seconds[name] for name in spent)
        return min(MAX_FACTOR, (measured + DOUBT) / (expected + DOUBT))

    def _component_left(self, now: float, factor: float) -> float:
        spent, all_of_it = now - self._started, factor * self.expected.seconds.get(self._name, 0.0)
        guess = max(0.0, all_of_it - spent)
        value = self._value
        if value is None or not value.total or self._first is None:
            return guess
        seconds, units = now - self._first[0], value.done - self._first[1]
        share = value.done / value.total
        if units <= 0 or seconds < 1.0:
            return guess
        measured = (value.total - value.done) * seconds / units
        if value.step == "training":  # what follows it: fitting a density, exporting
            return measured + factor * self.expected.after_training
        # Of other steps a component may have several. The more of one is done, the more its rate says.
        return share * measured + (1 - share) * max(guess, measured)

    def _write(self, now: float) -> None:
        self._wrote = now
        elapsed, left, memory = now - self.begin, self.left(now), peak_memory()
        self.guesses.append((elapsed, elapsed + left))
        value = self._value or progress.Progress("", 0, None, "")
        trained = "Trainer" in self._spent or (self._name == "Trainer" and value.step == "training")
        expected = memory if trained else max(memory, self.expected.memory)
        shown = (value.step, value.done, value.total, value.unit, dict(value.figures))
        RunProgress(self.process, self._name, *shown, elapsed, left, memory, expected, time.time()).write(self.folder)


def peak_memory() -> float:
    """Return the peak of this process's resident memory, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def refined(expected: Expectation, workspace: Workspace, config: Config, pictures: int) -> Expectation:
    """Return an expectation with the seconds that components took in the last runs of this configuration on as many pictures."""
    seconds: dict[str, float] = {}
    for folder in reversed(workspace.runs()[-LAST_RUNS:]):
        with suppress(InputError, OSError):
            verdict = read_verdict(folder)
            known = sum(verdict.data.get("pictures", {}).values()) if verdict else 0
            if verdict is None or not abs(known - pictures) <= ALIKE * pictures or not _alike(folder, config):
                continue
            done = {step["name"]: step["seconds"] for step in verdict.components if step["state"] == "done"}
            seconds = {**done, **seconds}
    return dataclasses.replace(expected, seconds={**expected.seconds, **seconds})


def _alike(folder: Path, config: Config) -> bool:
    return build_config(load_values(folder / "config.yaml")).essence() == config.essence()
