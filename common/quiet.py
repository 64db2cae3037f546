"""Keep what libraries write from the terminal: for a while, or in a log file."""

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
    """A stream that may end before what writes to it does: where nobody reads any more, a run goes on to its end.

    Args:
        fd: A file descriptor, which stays open.
    """

    encoding = "utf-8"

    def __init__(self, fd: int):
        self._fd = fd

    def write(self, text: str) -> int:
        """Writes all of it at once, or as much as anybody takes."""
        data = text.encode(self.encoding, "backslashreplace")
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._fd, data) :]
        return len(text)

    def fileno(self) -> int:
        """The file descriptor: by it a terminal is asked for its width."""
        return self._fd

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._fd)


@contextmanager
def quiet(log: Path) -> Iterator[tuple[IO[str], IO[str]]]:
    """Sends all that this process writes to a log file, down to what C++ libraries write to the file descriptors.

    Args:
        log: The file; added to.

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
    """Keeps libraries' warnings and log lines from the terminal, for what is done before there is a log to send them to.

    Those of C and C++ as well, which write to the file descriptor of standard error: TensorFlow at its import, libtiff. What ends
    a command comes as an exception, and is said behind this.
    """
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), _standard_error_to_nowhere():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


@contextmanager
def _standard_error_to_nowhere() -> Iterator[None]:
    if sys.stderr is None:  # `2>&-`: the descriptor may be another file's by now
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
