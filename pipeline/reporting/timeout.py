"""Run a callable with a timeout."""

from __future__ import annotations

import threading
from collections.abc import Callable


def within(seconds: float, work: Callable[[], object]) -> None:
    """Call `work`, and wait for it at most the given seconds. A late call is left running in its thread.

    The timeouts of sockets do not suffice: they apply to each read, and a name lookup has none. Raise the exception of `work`, or
    TimeoutError if it did not finish in time.
    """
    errors: list[BaseException] = []

    def caught() -> None:
        try:
            work()
        except BaseException as error:  # is raised below
            errors.append(error)

    thread = threading.Thread(target=caught, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError(f"not done within {seconds:g} seconds")
    if errors:
        raise errors[0]
