"""Names of files and words in UTF-8, whatever the locale says: TensorFlow and protocol buffers know no other encoding."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

_OPTION = ("-X", "utf8")


def use_utf8(arguments: Sequence[str] | None) -> None:
    """Start this program anew in Python's UTF-8 mode, where the locale has names of files in another encoding.

    Python decides that once, when it starts: under LC_ALL=C a folder `größe` would be bytes that no library takes for a path.
    A program that calls `darkroom` with arguments that are not its own is left as it is. What cannot be written as text in the
    encoding of standard output and standard error is written as an escape sequence.

    Args:
        arguments: The command's; None for those of this program.
    """
    anew = sys.getfilesystemencoding() != "utf-8" and tuple(sys.orig_argv[1:3]) != _OPTION
    if anew and sys.executable and _is_whole_program(arguments):
        # The option as well as the variable, which `python -I` and -E do not read; children get the variable.
        os.execve(sys.executable, [sys.executable, *_OPTION, *sys.orig_argv[1:]], {**os.environ, "PYTHONUTF8": "1"})
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _is_whole_program(arguments: Sequence[str] | None) -> bool:
    """Whether this process has no other purpose than the command: its arguments end with all of the process's own."""
    own = sys.argv[1:]
    return arguments is None or (bool(own) and list(arguments[-len(own) :]) == own)
