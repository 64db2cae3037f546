"""Start the workers of a training on this machine, and start them all again if one of them is killed."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from common.errors import InputError, MachineFault
from common.progress import report_progress
from trainer.workers import LOST
from trainer.workers.job import Job

LOGGER = logging.getLogger("darkroom.trainer")
STARTS = 4  # at most, in one training
GRACE_SECONDS = 10.0  # for the other workers to end after the first has
POLL_SECONDS = 0.1


def train_here(job: Job, workers: int) -> None:
    """Train a job on this machine. A training whose workers are started again goes on from its checkpoint.

    Args:
        job: The job, completely written.
        workers: Number of processes. They share the machine's processors.

    Raises:
        InputError: The training has diverged, or another mistake of the user.
        MachineFault: A worker failed, or workers were killed `STARTS` times. One line.
    """
    for start in range(1, STARTS + 1):
        with _workers(job.folder, workers) as processes:
            failed, status = _wait(processes)
        if job.read_mistake():
            raise InputError(job.read_mistake())
        if job.is_done():
            return
        reason = _reason(failed, status, job.folder)
        if status >= 0 and status != LOST and not _port_was_taken(job.folder, workers):
            raise MachineFault(f"{reason}; its last lines are in the run's log")
        if start < STARTS:
            LOGGER.warning("%s; all are started again, and training goes on from its checkpoint", reason)
    hint = "; if the machine is short of memory, use fewer training.workers" if status == -signal.SIGKILL else ""
    raise MachineFault(f"{reason}, at {STARTS} starts{hint}")


@contextmanager
def _workers(folder: Path, count: int) -> Iterator[list[subprocess.Popen]]:
    """Start the workers. At the end of the context none of them is left."""
    addresses = [f"localhost:{port}" for port in free_ports(count)]
    processes: list[subprocess.Popen] = []
    with ExitStack() as stack:
        try:
            for index in range(count):
                error_log = stack.enter_context((folder / f"worker-{index}.log").open("wb"))
                processes.append(_start(folder, addresses, index, error_log))
            threading.Thread(target=_relay, args=(processes[0].stdout,), daemon=True).start()
            yield processes
        finally:
            for process in processes:
                process.kill()
            for process in processes:
                process.wait()
                if process.stdin:
                    process.stdin.close()


def _start(folder: Path, addresses: list[str], index: int, error_log: IO[bytes]) -> subprocess.Popen:
    """Start a worker. Its standard input is a pipe that ends with this process, and so does the worker."""
    threads = str(max(1, len(os.sched_getaffinity(0)) // len(addresses)))
    here = {name: ",".join(filter(None, (os.environ.get(name), "localhost"))) for name in ("no_proxy", "NO_PROXY")}
    environment = {
        **os.environ,
        **here,
        "TF_CONFIG": json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}),
        "TF_NUM_INTRAOP_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")])),
        "PYTHONWARNINGS": "ignore",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "trainer.workers.worker", str(folder), "--attached"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if index == 0 else subprocess.DEVNULL,
        stderr=error_log,
        start_new_session=True,  # Ctrl-C is for this process, which ends its workers
    )


def _wait(processes: list[subprocess.Popen]) -> tuple[int, int]:
    """Wait until all workers have ended, or some seconds after the first has failed. Return the first that failed, and its status.

    A worker that was killed counts before those that ended because they lost it.
    """
    failed_at = 0.0
    while any(process.poll() is None for process in processes):
        if any(process.returncode for process in processes):
            failed_at = failed_at or time.monotonic()
            killed = any((process.returncode or 0) < 0 for process in processes)
            if killed or time.monotonic() - failed_at > GRACE_SECONDS:
                break
        time.sleep(POLL_SECONDS)
    ended = [(process.returncode, index) for index, process in enumerate(processes) if process.returncode]
    order = sorted(ended, key=lambda each: (each[0] >= 0, each[0] == LOST))
    return (order[0][1], order[0][0]) if order else (0, 0)


def _relay(lines: IO[bytes]) -> None:
    """Report the chief's progress and log records as this process's own."""
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # the output of a library
        if "progress" in event:
            progress = event["progress"]
            report_progress(
                progress["step"], done=progress["done"], total=progress["total"], unit=progress["unit"], **progress["figures"]
            )
        else:
            LOGGER.log(event["level"], "%s", event["message"])


def _reason(index: int, status: int, folder: Path) -> str:
    if status < 0:
        return f"training worker {index} was killed by {signal.Signals(-status).name}"
    lines = (folder / f"worker-{index}.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    LOGGER.error("training worker %d:\n%s", index, "\n".join(lines[-40:]))
    return f"training worker {index} ended with status {status}: {lines[-1][:120] if lines else 'no message'}"


def _port_was_taken(folder: Path, workers: int) -> bool:
    """Return whether another program took a port between its choice and its use."""
    logs = [folder / f"worker-{index}.log" for index in range(workers)]
    return any(b"Address already in use" in log.read_bytes() for log in logs)


def free_ports(count: int) -> list[int]:
    """Return ports that are free at the moment, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
