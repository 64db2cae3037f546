"""The progress of a run that is at work: `progress.json` in its folder, which the run writes and `darkroom runs` reads."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from common.lines import duration
from common.progress import Progress
from pipeline.workspace.layout import Workspace

FILE = "progress.json"


@dataclass(frozen=True)
class RunProgress:
    """How far a run is."""

    process: str  # the process that holds the work folder, in the words of its lock
    component: str = ""  # the component at work; '' between two
    step: str = ""  # its step, such as training
    done: int = 0  # units of the step that are done
    total: int | None = None  # units in all; None if unknown
    unit: str = ""
    figures: dict[str, float] = field(default_factory=dict)  # loss, rate and so on
    elapsed: float = 0.0  # seconds since the start of the run
    left: float | None = None  # expected seconds to the end of the run
    memory: float = 0.0  # the peak of the resident memory so far, bytes
    expected_memory: float = 0.0  # the expected peak at the end, bytes
    updated: float = 0.0  # when this was written, seconds since 1970

    def __str__(self) -> str:
        parts = [self.component or "between two components"]
        if self.step:
            share = f" ({self.done / self.total:.0%})" if self.total else ""
            parts.append(str(Progress(self.step, self.done, self.total, self.unit, self.figures)) + share)
        if self.left is not None:
            parts.append(f"{duration(self.elapsed)} so far, about {duration(self.left)} left")
        if self.expected_memory:
            parts.append(f"{self.expected_memory / 1e9:.1f} GB of memory at its peak")
        return "; ".join(parts)

    def write(self, folder: Path) -> None:
        """Write the file, completely or not at all. A disk that is full does not stop the run, and a slow one does not delay it."""
        part = folder / f".{FILE}"
        with suppress(OSError):
            part.write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")
            part.replace(folder / FILE)


def at_work(workspace: Workspace, run: Path) -> RunProgress | None:
    """Return the progress of a run; None if its process does not hold the work folder any more."""
    try:
        values: dict[str, Any] = json.loads((run / FILE).read_bytes())
        progress = RunProgress(**{each.name: values[each.name] for each in fields(RunProgress) if each.name in values})
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return progress if progress.process and progress.process == workspace.holder() else None


def remove(run: Path) -> None:
    """Remove the progress of a run that has ended."""
    for name in (FILE, f".{FILE}"):
        with suppress(OSError):
            (run / name).unlink(missing_ok=True)
