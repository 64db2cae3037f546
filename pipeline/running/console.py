"""Show a running pipeline on the console: one line per component and a progress bar, without the output of libraries."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from common import progress
from common.lines import escaped

MARKS = {"done": ("✓", "green"), "cached": ("=", "cyan"), "failed": ("✗", "red")}
NAME_WIDTH = 18
LINE_SECONDS = 60  # between two lines on the progress of a component, in the log and without a terminal
EPOCH_SECONDS = 10  # the same if an epoch has ended in between
BAR_COLUMNS = 100  # width of a terminal that has room for a bar and the elapsed time beside the figures
LOGGER = logging.getLogger("darkroom.run")


class Display:
    """Show components as they start, progress and end.

    On a terminal it draws a moving line. Otherwise, and on a dumb terminal, it writes plain lines: one per component, and one per
    minute or epoch while a component works. The log gets these lines in either case.

    Args:
        stream: The output stream.
    """

    def __init__(self, stream: IO[str]):
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._moves = self._console.is_terminal and not self._console.is_dumb_terminal
        self._epoch = 0.0
        self._bar: Progress | None = None
        self._task = None
        self._name = ""
        self._last_line = 0.0

    def line(self, text: str, style: str = "") -> None:
        """Write a line."""
        self._console.print(Text(escaped(text), style=style))

    def started(self, name: str) -> None:
        """Show that a component starts."""
        self._name, self._last_line, self._epoch = name, time.monotonic(), 0.0
        if not self._moves:
            return
        columns: list[ProgressColumn] = [
            SpinnerColumn(style="red"),
            TextColumn(f"{name:<{NAME_WIDTH}}"),
            BarColumn(bar_width=14, complete_style="red", finished_style="red", pulse_style="grey37"),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
        ]
        if self._console.width < BAR_COLUMNS:
            columns = [columns[0], columns[1], columns[3]]
        self._bar = Progress(
            *columns,
            console=self._console,
            transient=True,
            refresh_per_second=5,
        )
        self._task = self._bar.add_task("", total=None)
        self._bar.start()

    def progress(self, value: progress.Progress, left: str = "") -> None:
        """Show the progress of a component, and how long the run still takes, such as "3 min"."""
        left = left and f"{left} left"
        if self._bar is not None:
            text = f"{in_short(value)}  {left}".rstrip()
            self._bar.update(self._task, total=value.total, completed=value.done, description=text)
        if self._is_due(value.figures.get("epoch", 0.0)):
            LOGGER.info("%s: %s", self._name, f"{value}, {left}" if left else value)
            if self._bar is None:
                self.line(f"… {self._name:<{NAME_WIDTH}} {in_short(value).strip()}  {left}".rstrip())

    def _is_due(self, epoch: float) -> bool:
        """Return whether a line on the progress is due, a minute or an epoch after the last one."""
        now, over = time.monotonic(), epoch > self._epoch > 0
        due = now - self._last_line >= (EPOCH_SECONDS if over else LINE_SECONDS)
        self._epoch = epoch
        if due:
            self._last_line = now
        return due

    def ended(self, name: str, state: str, seconds: float, result: str) -> None:
        """Show how a component ended."""
        self.close()
        mark, colour = MARKS[state]
        time = "cached" if state == "cached" else f"{seconds:.1f} s"
        line = Text.assemble((mark, colour), f" {name:<{NAME_WIDTH}} ", (f"{time:>8}", "dim"), f"  {escaped(result)}")
        self._console.print(line)

    def close(self) -> None:
        """Remove the progress bar, if there is one."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def in_short(value: progress.Progress) -> str:
    """Return progress as text that is short enough for a line of 80 characters beside the bar."""
    if not value.figures:
        return f"{value.step} {value.done:,}" + (f" of {value.total:,}" if value.total else "") + f" {value.unit}"
    share = f"{value.done / value.total:4.0%}  " if value.total else ""
    parts = []
    for name, number in value.figures.items():
        text = f"{number:,.0f}" if number == int(number) or abs(number) >= 1000 else f"{number:,.2f}"
        parts.append(f"{text} {name}" if "/" in name else f"{name} {text}")
    return share + "  ".join(parts)


class ProgressHandler(logging.Handler):
    """Pass progress records to a function, and ignore all others."""

    def __init__(self, show: Callable[[progress.Progress], object]):
        super().__init__()
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        value = getattr(record, "progress", None)
        if value is not None:
            self._show(value)


@contextmanager
def progress_shown(show: Callable[[progress.Progress], object]) -> Iterator[None]:
    """Within the context, send progress to a function such as `Display.progress`, instead of every record to the log."""
    logger, handler = logging.getLogger(progress.LOGGER), ProgressHandler(show)
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
