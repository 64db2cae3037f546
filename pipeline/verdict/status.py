"""Exit statuses, and the line that gives the reason: what the shell and the user get."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from enum import IntEnum


class Status(IntEnum):
    """The exit status of a command."""

    PUSHED = 0  # a model was pushed
    DONE = 0  # the command succeeded, for example because nothing was new: the same status
    FAULT = 1  # a fault of the program or the machine
    MISTAKE = 2  # a mistake of the user: arguments, configuration, input
    REFUSED = 3  # a gate refused, and nothing was pushed
    BUSY = 4  # another run holds the work folder
    INTERRUPTED = 130  # the status that shells report for a program ended by Ctrl-C

    @property
    def word(self) -> str:
        """The status as one word."""
        return _WORDS[self]


_WORDS = {
    Status.PUSHED: "pushed",
    Status.FAULT: "failed",
    Status.MISTAKE: "invalid",
    Status.REFUSED: "refused",
    Status.BUSY: "busy",
    Status.INTERRUPTED: "interrupted",
}


def leave(status: Status) -> None:
    """End the process at once. Everything is written, and the threads of libraries would take seconds to stop, with messages."""
    _remove_generated()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # the reader or the terminal is gone, or there was none
            stream.flush()
    os._exit(int(status))


def _remove_generated() -> None:
    """Delete the temporary files of AutoGraph's generated code. AutoGraph would do so at a normal exit."""
    for name, module in list(sys.modules.items()):
        if name.startswith("__autograph_generated_file") and module.__file__:
            with suppress(OSError):
                os.remove(module.__file__)
