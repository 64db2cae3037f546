"""A process that has imported the libraries, and forks a child for each Python program: what takes a program seconds is paid once.

The project's own modules are imported by each child anew, from wherever its PYTHONPATH says. What depends on how Python starts
(its locale, the seed of its hashes, LD_PRELOAD, what a first import prints) is for a process of its own to show.

A line of JSON on standard input asks for a program; see `ForkServer.start` for its keys. On standard output come
{"ready": folder for output}, {"started": pid} and {"ended": pid, "status": as subprocess has it}.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import itertools
import json
import os
import runpy
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROJECT = {"common", "components", "configs", "kubeflow", "local_runner", "pipeline", "serving", "trainer"}
LIMIT = 600  # seconds after which a program counts as one that hangs
LIBRARIES = (
    *("apache_beam", "apache_beam.runners.portability.fn_api_runner", "apache_beam.runners.direct.direct_runner"),
    *("click", "cronsim", "google.cloud.storage", "jinja2", "keras", "ml_metadata", "prometheus_client", "pydantic.dataclasses"),
    *("rich.console", "rich.progress", "scipy.ndimage", "sklearn.datasets", "sklearn.neighbors", "tenacity", "tensorflow"),
    *("tensorflow_data_validation", "tensorflow_model_analysis", "tensorflow_transform.beam", "tfx.v1", "yaml"),
)


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    status: int
    out: str
    err: str

    def states(self) -> dict[str, str]:
        """What the console said of each component: `done`, `cached` or `failed`."""
        marks = {"✓": "done", "=": "cached", "✗": "failed"}
        lines = [line.split() for line in self.out.splitlines()]
        return {words[1]: marks[words[0]] for words in lines if words and words[0] in marks}


class ForkServer:
    """The process, from outside.

    Args:
        libraries: What it imports; those that are not there it passes over.
    """

    def __init__(self, libraries: Sequence[str] = LIBRARIES) -> None:
        self._count, self._ended, self._lock = itertools.count(), {}, threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, __file__, *libraries],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._folder = self._read()["ready"]

    def start(
        self,
        *arguments: object,
        environment: dict[str, str] | None = None,
        fault: dict[str, Any] | None = None,
        user: int | None = None,
        one_stream: bool = False,
        cwd: Path | None = None,
    ) -> Child:
        """Start `python ARGUMENTS`.

        Args:
            arguments: `-c`, a program and its arguments, or `-m`, a module and its arguments.
            environment: All of its variables; None takes those of this process.
            fault: See `tests.faults.inject`.
            user: Who it runs as.
            one_stream: Whether its errors go to where its output goes.
            cwd: Its folder; None takes that of this process.
        """
        name = f"{self._folder}/{next(self._count)}"
        out, err = Path(f"{name}.out"), Path(f"{name}.out" if one_stream else f"{name}.err")
        request = {"arguments": [str(a) for a in arguments], "out": str(out), "err": str(err), "fault": fault, "user": user}
        request |= {"environment": dict(os.environ) if environment is None else environment, "cwd": str(cwd or Path.cwd())}
        with self._lock:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            while "started" not in (line := self._read()):
                self._ended[line["ended"]] = line["status"]
        return Child(self, line["started"], out, err)

    def wait(self, pid: int) -> int:
        """Wait for a program's end; return its status, below 0 where a signal ended it."""
        with self._lock:
            while pid not in self._ended:
                line = self._read()
                self._ended[line["ended"]] = line["status"]
            return self._ended.pop(pid)

    def close(self) -> None:
        """End it."""
        self._process.stdin.close()
        self._process.wait(LIMIT)

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        assert line, "the fork server has died"
        return json.loads(line)


@dataclass
class Child:
    """A program that runs."""

    server: ForkServer
    pid: int
    out: Path
    err: Path

    def wait(self, seconds: float = LIMIT) -> Ended:
        """Wait for its end; after so many seconds it is killed."""
        timer = threading.Timer(seconds, lambda: os.killpg(self.pid, 9))
        timer.start()
        status = self.server.wait(self.pid)
        timer.cancel()
        said = [path.read_text() if path.exists() else "" for path in (self.out, self.err)]
        for path in {self.out, self.err}:
            path.unlink(missing_ok=True)
        return Ended(status, said[0], said[1] if self.err != self.out else "")

    def signal(self, number: int) -> None:
        """Send it a signal; one that has ended hears none."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


@functools.cache
def fork_server() -> ForkServer:
    """Return the one of this process, which ends with it."""
    server = ForkServer()
    atexit.register(server.close)
    return server


def main() -> None:
    """Serve until standard input ends."""
    for name in sys.argv[1:]:
        with contextlib.suppress(ImportError):  # the extras are not everywhere
            importlib.import_module(name)
    assert not PROJECT & set(sys.modules), "the project's own modules are each program's to import"
    gc.collect()
    gc.freeze()  # a child that collects would copy every page
    folder = tempfile.mkdtemp(prefix="fork-server-")
    running: set[int] = set()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what runs is stopped then too
    try:
        say(ready=folder)
        serve(running)
    finally:
        for pid in running:
            for kill in (os.killpg, os.kill):  # with all that it started; one just forked has no group of its own yet
                with contextlib.suppress(ProcessLookupError):
                    kill(pid, signal.SIGKILL)
        shutil.rmtree(folder)


def serve(running: set[int]) -> None:
    """Answer what comes; the programs that run are in `running`."""
    buffered = b""
    while True:
        readable, _, _ = select.select([0], [], [], 0.01 if running else None)
        if readable:
            data = os.read(0, 1 << 16)
            if not data:
                return
            buffered += data
            *lines, buffered = buffered.split(b"\n")
            for line in lines:
                running.add(start(json.loads(line)))
        for pid in list(running):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                running.remove(pid)
                say(ended=pid, status=os.waitstatus_to_exitcode(status))


def start(request: dict[str, Any]) -> int:
    """Fork the child for a program; return its process id."""
    pid = os.fork()
    if pid:
        say(started=pid)
        return pid
    try:
        become(request)
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    # As Python ends, but for what it would free.
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def become(request: dict[str, Any]) -> None:
    """Be the program that is asked for."""
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666), number)
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # noqa: SIM115  the server's own is nowhere
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    tempfile.tempdir = None  # TMPDIR may be another
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()  # as Python's own after a fork: no program's draws are another's
    if request["user"] is not None:
        os.setgroups([])
        os.setgid(request["user"])
        os.setuid(request["user"])
    sys.path[:0] = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    if request["fault"]:
        from tests.faults.inject import inject

        inject(request["fault"])
    option, program, *arguments = request["arguments"]
    sys.orig_argv = [sys.executable, *request["arguments"]]
    if option == "-m":
        sys.argv = [program, *arguments]
        sys.path.insert(0, os.getcwd())
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        sys.argv = ["-c", *arguments]
        sys.path.insert(0, "")
        module = sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(program, "<string>", "exec"), module.__dict__)


def say(**line: Any) -> None:
    """Write a line of JSON."""
    os.write(1, json.dumps(line).encode() + b"\n")


if __name__ == "__main__":
    del sys.path[0]  # this folder; and what PYTHONPATH says is for each program to say
    sys.path[:] = [path for path in sys.path if path not in os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115  whatever a library prints while it is imported is no answer
    main()
