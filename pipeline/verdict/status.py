"""Exit statuses, and the line that says why: what the shell and the person at it are told."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from enum import IntEnum

from common.lines import escaped, in_one_line

__all__ = ["Status", "escaped", "in_one_line", "leave"]


class Status(IntEnum):
    """How a command ended."""

    PUSHED = 0  # or the command did its work
    FAULT = 1  # of the program or the machine
    MISTAKE = 2  # the user's: arguments, configuration, input
    REFUSED = 3  # a gate said no, nothing was pushed
    BUSY = 4  # another run holds the work folder
    INTERRUPTED = 130  # what shells give a program that Ctrl-C has ended

    @property
    def word(self) -> str:
        """The same in a word."""
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
    """Ends the process at once: all is written; the libraries' threads would take seconds to wind up, and say so."""
    _remove_generated()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # nobody reads it any more, the terminal is gone, or there was none
            stream.flush()
    os._exit(int(status))


def _remove_generated() -> None:
    """Deletes the temporary files of code that AutoGraph has written, which does so at an end that never comes."""
    for name, module in list(sys.modules.items()):
        if name.startswith("__autograph_generated_file") and module.__file__:
            with suppress(OSError):
                os.remove(module.__file__)
