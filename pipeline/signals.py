"""Ctrl-C and SIGTERM: end at once, but in order."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

GRACE_SECONDS = 5.0  # how long a run may take to end in order; a library's own C++ code may not let Python hear the signal
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(RuntimeError):
    """A signal, as an exception that TFX records as a failed execution (it lets KeyboardInterrupt pass)."""


@contextmanager
def interruptible(last_words: Callable[[], None]) -> Iterator[threading.Event]:
    """For as long as it lasts, Ctrl-C and SIGTERM raise KeyboardInterrupt in the main thread.

    Where that thread is deep in C++ code and does not come back in time, `last_words` is called from another thread and the
    process ends.

    Args:
        last_words: Says how the run ended.

    Yields:
        Set once a signal has come: libraries may turn the KeyboardInterrupt into an exception of their own.
    """
    done, signalled = threading.Event(), threading.Event()
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)

    def watch() -> None:
        with open(read_end, "rb", buffering=0) as numbers:
            while (number := numbers.read(1)) and number[0] not in SIGNALS:
                pass  # another signal that Python handles
        if not number or done.wait(GRACE_SECONDS):
            return
        last_words()
        os._exit(128 + signal.SIGINT)

    def raise_interrupt(*_) -> None:
        signalled.set()
        raise KeyboardInterrupt

    earlier = {number: signal.signal(number, raise_interrupt) for number in SIGNALS}
    earlier_fd = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)  # written at once, whatever Python is doing
    threading.Thread(target=watch, daemon=True).start()
    try:
        yield signalled
    finally:
        done.set()
        signal.set_wakeup_fd(earlier_fd)
        for number, handler in earlier.items():
            signal.signal(number, handler)
        os.close(write_end)
