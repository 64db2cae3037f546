"""What comes from outside in bounded time: variables, and work that may never end."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable

from trainer.errors import InputError

VARIABLE = re.compile(r"\$\{(\w+)\}")


def filled(text: str, field: str) -> str:
    """A configuration's value with each `${NAME}` taken from the environment.

    Args:
        text: The value.
        field: What it is called, for the message.

    Raises:
        InputError: A variable is not set.
    """

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1], "").strip()
        if not found:
            raise InputError(f"{field} asks for the environment variable {match[1]}, which is not set")
        return found

    return VARIABLE.sub(value, text)


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
