"""Use UTF-8 for file names and text in any locale. TensorFlow and protocol buffers know no other encoding."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

_OPTION = ("-X", "utf8")


def use_utf8(arguments: Sequence[str] | None) -> None:
    """Restart this program in Python's UTF-8 mode if the locale uses another encoding for file names.

    Python chooses the encoding once, at its start: under LC_ALL=C a folder `größe` would be bytes that no library accepts as a
    path. A program that calls `darkroom` with arguments other than its own is not restarted. Text that the encoding of standard
    output or standard error cannot represent is written as escape sequences.
    """
    anew = sys.getfilesystemencoding() != "utf-8" and tuple(sys.orig_argv[1:3]) != _OPTION
    if anew and sys.executable and _is_whole_program(arguments):
        # Both are needed: `python -I` and -E ignore the variable, and child processes get only the variable.
        os.execve(sys.executable, [sys.executable, *_OPTION, *sys.orig_argv[1:]], {**os.environ, "PYTHONUTF8": "1"})
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _is_whole_program(arguments: Sequence[str] | None) -> bool:
    """Return True if this process only runs the command: its arguments end with all arguments of the process."""
    own = sys.argv[1:]
    return arguments is None or (bool(own) and list(arguments[-len(own) :]) == own)
