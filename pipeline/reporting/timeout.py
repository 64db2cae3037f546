"""Run a callable with a timeout."""

from __future__ import annotations

import threading
from collections.abc import Callable


def within(seconds: float, work: Callable[[], object]) -> None:
    """Does some work, and waits no longer for it than that; what is late is left behind in its thread.

    Time limits of sockets do not do: they are for each read, and a look-up of a name has none.

    Raises:
        TimeoutError: It was not done in time.
        Exception: What it raised.
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
