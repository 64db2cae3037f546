"""A process that has imported the libraries and forks a child for each run: what takes a run seconds is paid once.

A line of JSON on standard input asks for a run: {"arguments": [...], "out": file, "err": file, "fault": see `inject`, "user": uid
or null, "environment": {...}}. On standard output come {"ready": true}, {"started": pid} and {"ended": pid, "status": as
subprocess has it}.
"""

from __future__ import annotations

import json
import os
import select
import sys
from typing import Any


def main() -> None:
    """Serves until standard input ends."""
    import apache_beam  # noqa: F401
    import tensorflow_model_analysis  # noqa: F401

    import components.report.executor
    import components.sample_quality.executor
    import components.serving_check.executor  # noqa: F401
    import local_runner  # noqa: F401
    import pipeline.graph.pipeline
    import pipeline.running.runner  # noqa: F401
    import trainer.task  # noqa: F401

    say(ready=True)
    running: set[int] = set()
    buffered = b""
    while True:
        readable, _, _ = select.select([0], [], [], 0.01)
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
    """Forks the child for a run; gives its process id."""
    pid = os.fork()
    if pid:
        say(started=pid)
        return pid
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666), number)
        sys.stdout = os.fdopen(os.dup(1), "w")  # the zygote's own is nowhere
        os.environ.update(request["environment"])
        if request["user"] is not None:
            os.setgroups([])
            os.setgid(request["user"])
            os.setuid(request["user"])
        from local_runner import main as darkroom
        from tests.faults.inject import inject

        if request["fault"]:
            inject(request["fault"])
        darkroom(request["arguments"])
    except SystemExit as ended:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended.code if isinstance(ended.code, int) else int(bool(ended.code)))
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(99)
    sys.stdout.flush()
    os._exit(0)


def say(**line: Any) -> None:
    """Writes a line of JSON."""
    os.write(1, json.dumps(line).encode() + b"\n")


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115  whatever a library prints while it is imported is no answer
    main()
