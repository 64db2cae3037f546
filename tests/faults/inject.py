"""Faults that befall the process which they are injected into, at a moment of the run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

START, DONE, PUBLISHED = "start", "done", "published"  # of a component: before, after its executor, when ML Metadata knows of it


def inject(fault: dict[str, Any]) -> None:
    """Has something happen at a moment.

    Args:
        fault: `moment` (see above) and `component` say when; then `signal`, a number that the process sends itself, or `fill`,
            a folder on a disk that is filled to the last byte.
    """
    from tfx.orchestration.portable import launcher

    from pipeline.running.run import Run

    def strike(moment: str, component: str) -> None:
        if (moment, component) == (fault["moment"], fault["component"]):
            if "fill" in fault:
                fill(Path(fault["fill"]))
            else:
                os.kill(os.getpid(), fault["signal"])
                if fault["signal"] != signal.SIGKILL:
                    signal.pause()  # until it is heard

    def before(original: Callable, moment: str, component: Callable[..., str]) -> Callable:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            strike(moment, component(*arguments))
            return original(*arguments, **named)

        return wrapped

    Run.started = before(Run.started, START, lambda _, name: name)
    Run.finished = before(Run.finished, PUBLISHED, lambda _, outcome: outcome.name if outcome.state == "done" else "")
    publish = launcher.Launcher._publish_successful_execution
    launcher.Launcher._publish_successful_execution = before(publish, DONE, lambda self, *_: self._pipeline_node.node_info.id)


def fill(folder: Path) -> None:
    """Fills a disk to its last byte."""
    with (folder / "filler").open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
