"""Show a running pipeline on the console: one line per component and a progress bar, without the output of libraries."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from common import progress
from common.lines import escaped

MARKS = {"done": ("✓", "green"), "cached": ("=", "cyan"), "failed": ("✗", "red")}
NAME_WIDTH = 18
PLAIN_SECONDS = 60  # between two progress lines without a terminal


class Display:
    """Show components as they start, progress and end.

    On a terminal it draws a moving bar. Otherwise it writes plain lines: one per component, and one per minute while a component
    works.

    Args:
        stream: The output stream.
    """

    def __init__(self, stream: IO[str]):
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._bar: Progress | None = None
        self._task = None
        self._name = ""
        self._last_line = 0.0

    def line(self, text: str, style: str = "") -> None:
        """Write a line."""
        self._console.print(Text(escaped(text), style=style))

    def started(self, name: str) -> None:
        """Show that a component starts."""
        self._name, self._last_line = name, time.monotonic()
        if not self._console.is_terminal:
            return
        self._bar = Progress(
            SpinnerColumn(style="red"),
            TextColumn(f"{name:<{NAME_WIDTH}}"),
            BarColumn(bar_width=14, complete_style="red", finished_style="red", pulse_style="grey37"),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            refresh_per_second=5,
        )
        self._task = self._bar.add_task("", total=None)
        self._bar.start()

    def progress(self, value: progress.Progress) -> None:
        """Show the progress of a component."""
        if self._bar is not None:
            self._bar.update(self._task, total=value.total, completed=value.done, description=in_short(value))
        elif time.monotonic() - self._last_line >= PLAIN_SECONDS:
            self._last_line = time.monotonic()
            self.line(f"… {self._name:<{NAME_WIDTH}} {'':>8}  {value}")

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
    """Pass progress records to a display, and ignore all others."""

    def __init__(self, display: Display):
        super().__init__()
        self._display = display

    def emit(self, record: logging.LogRecord) -> None:
        value = getattr(record, "progress", None)
        if value is not None:
            self._display.progress(value)


@contextmanager
def progress_shown(display: Display) -> Iterator[None]:
    """Within the context, send progress records to the display instead of the log."""
    logger, handler = logging.getLogger(progress.LOGGER), ProgressHandler(display)
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
