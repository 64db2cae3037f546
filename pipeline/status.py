"""Exit statuses: what the shell is told."""

from __future__ import annotations

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
