"""Exit statuses: what the shell is told."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from enum import IntEnum


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


def in_one_line(text: str) -> str:
    r"""What is said to a person, with the line breaks that a file's name may have in it written as \n and \r."""
    return text.replace("\n", "\\n").replace("\r", "\\r")


def leave(status: Status) -> None:
    """Ends the process at once: all is written; the libraries' threads would take seconds to wind up, and say so."""
    _remove_generated()
    with suppress(BrokenPipeError):  # nobody reads it any more
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(int(status))


def _remove_generated() -> None:
    """Deletes the temporary files of code that AutoGraph has written, which does so at an end that never comes."""
    for name, module in list(sys.modules.items()):
        if name.startswith("__autograph_generated_file") and module.__file__:
            with suppress(OSError):
                os.remove(module.__file__)
