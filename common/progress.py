"""Report progress as log records, which a console draws and a log file keeps.

A component does not depend on the listener: a console, a file or the log collector of a cluster.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

LOGGER = "darkroom.progress"


@dataclass(frozen=True)
class Progress:
    """The progress of a step."""

    step: str  # the work in progress, e.g. "training"
    done: int  # units finished so far
    total: int | None  # units in all, or None if unknown
    unit: str  # the unit counted, e.g. "images"
    figures: dict[str, float] = field(default_factory=dict)  # numbers to show beside it, e.g. `{"images/s": 15000.0}`

    def __str__(self) -> str:
        figures = "".join(f", {name} {value:,.6g}" for name, value in self.figures.items())
        total = "" if self.total is None else f" of {self.total:,}"
        return f"{self.step}: {self.done:,}{total} {self.unit}{figures}"


def report_progress(step: str, *, done: int, total: int | None = None, unit: str = "images", **figures: float) -> None:
    """Log the progress of `step`. The `progress` attribute of the record holds the numbers. See `Progress` for the arguments."""
    progress = _change.get()(Progress(step, done, total, unit, figures))
    logging.getLogger(LOGGER).info("%s", progress, extra={"progress": progress})


_change: ContextVar[Callable[[Progress], Progress]] = ContextVar("change", default=lambda progress: progress)


@contextmanager
def reported_as(change: Callable[[Progress], Progress]) -> Iterator[None]:
    """Pass all progress reports within the context through `change`. A step that is part of a larger step uses this."""
    before = _change.set(change)
    try:
        yield
    finally:
        _change.reset(before)
