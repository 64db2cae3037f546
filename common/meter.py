"""Count the images of a long step, and report them a few times a second."""

from __future__ import annotations

import threading
import time
from collections import Counter

from common.progress import report_progress

_SECONDS_BETWEEN_REPORTS = 0.2


class Meter:
    """Count the images that this process has done in one step, on any number of threads, and report them.

    Make one per process, as a global of a module: Beam copies a DoFn for each thread.

    Args:
        step: The work in progress, e.g. "ingesting".
        figures: The names of further counts to report beside the images.
        speed: Whether to report images per second.
    """

    def __init__(self, step: str, *figures: str, speed: bool = False) -> None:
        self._step, self._figures, self._speed, self._lock = step, figures, speed, threading.Lock()
        self._begin(None)

    def start(self, total: int | None) -> None:
        """Reset the counts, and report that none of `total` images, None if unknown, is done."""
        self._begin(total)
        report_progress(self._step, done=0, total=total)

    def count(self, images: int = 1, **figures: int) -> None:
        """Add to the count of images and to those of the figures."""
        with self._lock:
            self._done += images
            self._counts.update(figures)
            now = time.monotonic()
            if self._done != self._total and now - self._reported < _SECONDS_BETWEEN_REPORTS:
                return
            self._reported = now
            shown: dict[str, float] = {name: self._counts[name] for name in self._figures}
            if self._speed:
                shown["images/s"] = self._done / max(now - self._started, 1e-3)
            total = None if self._total is None else max(self._total, self._done)  # the total may be an estimate
            report_progress(self._step, done=self._done, total=total, **shown)

    def _begin(self, total: int | None) -> None:
        self._done, self._total, self._counts = 0, total or None, Counter[str]()
        self._started = self._reported = time.monotonic()
