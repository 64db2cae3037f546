"""Prism, Beam's engine in Go, and a worker pool, in processes of their own."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import apache_beam

from tests.project import ROOT, SCRIPT

BINARY = Path(os.environ.get("DARKROOM_PRISM") or ROOT / ".engines" / f"prism-{apache_beam.__version__}")
LIMIT = 300  # seconds after which a process counts as one that hangs at its start


@dataclass
class Engine:
    """A job server and a worker pool that run.

    Attributes:
        folder: Has their logs.
        server: The job server's process.
        pool: The worker pool's process.
        ports: Theirs.
    """

    folder: Path
    server: subprocess.Popen = field(init=False)
    pool: subprocess.Popen = field(init=False)
    ports: dict[str, int] = field(default_factory=dict)

    def start_server(self) -> None:
        """Start the job server, at the same port as before if there was one."""
        port = self.ports.setdefault("server", free_port())
        self.server = self._start("prism", str(BINARY), f"--job_port={port}", "--serve_http=false")
        wait_for(port, self.server)

    def start_pool(self) -> None:
        """Start the worker pool, at the same port as before if there was one."""
        port = self.ports.setdefault("pool", free_port())
        self.pool = self._start("pool", sys.executable, "-c", SCRIPT, "worker-pool", f"--port={port}")
        wait_for(port, self.pool)

    def restart(self) -> None:
        """Start again what has ended or is about to: Prism ends without its worker pool."""
        self.stop()
        self.start_server()
        self.start_pool()

    def arguments(self) -> list[str]:
        """Those of a run on this engine."""
        settings = {"job_server": self.ports["server"], "worker_pool": self.ports["pool"]}
        return ["--engine", "portable", *(f"--set=beam.{name}=localhost:{port}" for name, port in settings.items())]

    def nursery(self) -> list[int]:
        """Return the process id of the pool's child that forks the workers."""
        return _children(self.pool.pid)

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        return [worker for nursery in self.nursery() for worker in _children(nursery)]

    def stop(self) -> None:
        """End both."""
        for process in (self.pool, self.server):
            process.terminate()
            process.wait(LIMIT)

    def _start(self, name: str, *command: str) -> subprocess.Popen:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)})


@contextlib.contextmanager
def engine(folder: Path) -> Iterator[Engine]:
    """Start an engine, and stop it after the context."""
    started = Engine(folder)
    started.start_server()
    try:
        started.start_pool()
        yield started
    finally:
        started.stop()


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def wait_for(port: int, process: subprocess.Popen) -> None:
    """Wait until a process listens on a port; raise AssertionError if it ends instead, or is too slow."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        assert process.poll() is None, f"{process.args} ended with {process.returncode}"
        with contextlib.suppress(OSError), socket.create_connection(("localhost", port), timeout=1):
            return
        time.sleep(0.1)
    raise AssertionError(f"{process.args} does not listen on {port}")


def _children(pid: int) -> list[int]:
    return [int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]
