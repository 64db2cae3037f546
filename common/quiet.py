"""Keep the output of libraries off the terminal: discard it, or write it to a log file."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


class Outlived(io.TextIOBase):
    """A stream to a file descriptor, which stays open. It ignores write errors: a run continues after its reader has gone."""

    encoding = "utf-8"

    def __init__(self, fd: int):
        self._fd = fd

    def write(self, text: str) -> int:
        """Write all of the text, or as much as the descriptor accepts."""
        data = text.encode(self.encoding, "backslashreplace")
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._fd, data) :]
        return len(text)

    def fileno(self) -> int:
        """Return the file descriptor, from which the width of the terminal is read."""
        return self._fd

    def isatty(self) -> bool:
        """Return True if the stream is a terminal."""
        return os.isatty(self._fd)


@contextmanager
def quiet(log: Path) -> Iterator[tuple[IO[str], IO[str]]]:
    """Append all output of this process to a log file, including what C++ libraries write to the file descriptors.

    Yields:
        Streams that still reach the terminal: standard output and standard error.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(1), os.dup(2)]
    out, err = (Outlived(fd) for fd in saved)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        os.dup2(target, 1)
        os.dup2(target, 2)
        yield out, err
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for fd, original in zip((1, 2), saved):
            os.dup2(original, fd)
        for fd in (target, *saved):
            os.close(fd)


@contextmanager
def hushed() -> Iterator[None]:
    """Discard warnings and log lines of libraries, for work that is done before a log exists.

    This includes C and C++ libraries that write to the descriptor of standard error, such as TensorFlow at its import, and
    libtiff. An error that ends a command is an exception, and is printed after this context.
    """
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), standard_error_discarded():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


@contextmanager
def standard_error_discarded() -> Iterator[None]:
    """Discard what this process writes to the descriptor of standard error."""
    if sys.stderr is None:  # `2>&-`: the descriptor may belong to another file by now
        yield
        return
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        sys.stderr.flush()
        os.dup2(nowhere, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(nowhere)
        os.close(saved)
