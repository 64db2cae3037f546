"""Read HDF5 files in a separate process. A crash or a timeout is an error of the file, and the process is restarted.

A request is a line of JSON. An answer is the lengths of a JSON text and of a byte string (4 and 8 bytes), followed by both.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import selectors
import struct
import subprocess
import sys
import threading
import time
from typing import Any

from components.image_example_gen import reasons
from serving.picture_files import Refused

_REPLY = struct.Struct("<IQ")
_SECONDS = 120  # maximum for one answer
_PIECE = 1 << 20
_PROGRAM = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from {module} import serve; serve()"
_MODULE = "components.image_example_gen.readers.arrays.hdf5_child"


class Hdf5DamagedError(Exception):
    """A file that HDF5's library cannot read, or crashes on."""


class _Process:
    """The process, which starts with the first request."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen | None = None
        self.owner = 0

    def ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytearray]:
        with self.lock:
            try:
                return self._answer(self._started(), request)
            except BaseException:  # the rest of a partly read answer would be taken for the next one
                self.stop()
                raise

    def stop(self) -> None:
        if self.process is not None and self.owner == os.getpid():
            self.process.kill()
            self.process.communicate()
        self.process = None

    def _started(self) -> subprocess.Popen:
        if self.owner != os.getpid():  # after a fork, the process belongs to the parent
            self.process = None
        if self.process is None or self.process.poll() is not None:
            self.owner = os.getpid()
            self.process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM.format(module=_MODULE), json.dumps([os.path.abspath(each) for each in sys.path])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "HDF5_PLUGIN_PATH": os.devnull},
            )
            _widen(self.process.stdout.fileno())
        return self.process

    def _answer(self, process: subprocess.Popen, request: dict[str, Any]) -> tuple[dict[str, Any], bytearray]:
        end = time.monotonic() + _SECONDS
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        except OSError as error:
            raise Hdf5DamagedError(reasons.HDF5_CRASHED) from error
        text, data = _REPLY.unpack(_read(process, _REPLY.size, end))
        return json.loads(_read(process, text, end)), _read(process, data, end)


_PROCESS = _Process()
atexit.register(_PROCESS.stop)


def ask(request: dict[str, Any]) -> tuple[dict[str, Any], bytearray]:
    """Return the process's answer to a request. Raise Hdf5DamagedError if the file is damaged, Refused if it is not supported."""
    answer, data = _PROCESS.ask(request)
    if "refused" in answer:
        raise Refused(answer["refused"])
    if "damaged" in answer:
        raise Hdf5DamagedError(reasons.CUT_SHORT if answer["damaged"] else reasons.HDF5_DAMAGED)
    return answer, data


def _widen(descriptor: int) -> None:
    """Enlarge a pipe to hold a block of pixels, so that the two processes wait less often, if the system supports it."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIECE)


def _read(process: subprocess.Popen, size: int, end: float) -> bytearray:
    """Read `size` bytes of the process's output."""
    data, at, descriptor = bytearray(size), 0, process.stdout.fileno()
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while at < size:
            if not selector.select(max(0.0, end - time.monotonic())):
                raise Hdf5DamagedError(reasons.HDF5_ENDLESS)
            count = os.readv(descriptor, [memoryview(data)[at : at + _PIECE]])
            if not count:
                raise Hdf5DamagedError(reasons.HDF5_CRASHED)
            at += count
    return data
