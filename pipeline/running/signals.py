"""Handle Ctrl-C, SIGTERM and SIGHUP: end at once, but in order."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

GRACE_SECONDS = 5.0  # time limit for an orderly end; C++ code of a library may keep Python from handling the signal
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(RuntimeError):
    """A signal as an exception that TFX records as a failed execution. TFX does not catch KeyboardInterrupt."""


@contextmanager
def as_ctrl_c() -> Iterator[None]:
    """Within the context, the first SIGTERM or SIGHUP raises KeyboardInterrupt, as Ctrl-C does.

    Later signals are ignored, because a terminal that is closed sends several. Outside the main thread the context does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    came = threading.Event()

    def raise_interrupt(*_) -> None:
        if not came.is_set():
            came.set()
            raise KeyboardInterrupt

    earlier = {number: signal.signal(number, raise_interrupt) for number in _heard() if number != signal.SIGINT}
    try:
        yield
    finally:
        _restore(earlier)


@contextmanager
def interruptible(last_words: Callable[[], None]) -> Iterator[threading.Event]:
    """Within the context, the first of `SIGNALS` raises KeyboardInterrupt in the main thread.

    Later signals are ignored, even after the context: a terminal that is closed sends several, and none may interrupt the orderly
    end. If the main thread is in C++ code and does not return in time, `last_words`, which reports how the run ended, is called
    from another thread and the process exits.

    Yields:
        An event that is set after a signal: libraries may turn the KeyboardInterrupt into another exception.
    """
    done, signalled = threading.Event(), threading.Event()
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)

    def watch() -> None:
        with open(read_end, "rb", buffering=0) as numbers:
            while (number := numbers.read(1)) and number[0] not in SIGNALS:
                pass  # skips other signals that Python handles
        if not number or done.wait(GRACE_SECONDS):
            return
        try:
            last_words()
        finally:
            os._exit(128 + signal.SIGINT)

    def raise_interrupt(*_) -> None:
        if not signalled.is_set():
            signalled.set()
            raise KeyboardInterrupt

    earlier = {number: signal.signal(number, raise_interrupt) for number in _heard()}
    earlier_fd = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)  # written at once, even while Python code cannot run
    threading.Thread(target=watch, daemon=True).start()
    try:
        yield signalled
    finally:
        done.set()
        signal.set_wakeup_fd(earlier_fd)
        if not signalled.is_set():
            _restore(earlier)
        os.close(write_end)


def _heard() -> list[signal.Signals]:
    """Return the signals to handle. SIGHUP is not handled if it is ignored, as under nohup."""
    return [number for number in SIGNALS if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN]


def _restore(handlers: dict[signal.Signals, object]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler if handler is not None else signal.SIG_DFL)  # None: not set by Python
