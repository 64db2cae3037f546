"""A program that the fork server runs is as good as one in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fork_server import ROOT, Ended, ForkServer

SEEN = "import os, sys; print(sys.argv[1:], os.getcwd(), os.environ['OF_IT'], __name__); print('wrong', file=sys.stderr)\n"


@pytest.fixture(scope="module")
def server():
    """One that has imported nothing."""
    running = ForkServer(libraries=())
    yield running
    running.close()


@pytest.mark.parametrize(
    "program",
    [
        SEEN,
        SEEN + "sys.exit(3)",
        SEEN + "sys.exit('a reason')",
        SEEN + "import atexit; atexit.register(print, 'at the end')",
        SEEN + "os.environ['OF_IT'] = 'changed'; os.chdir('/')",
        SEEN + "sys.stdout.flush(); os.execv(sys.executable, [sys.executable, '-c', 'print(4)'])",
        SEEN + "sys.stdout.flush(); os.kill(os.getpid(), 9)",
        SEEN + "sys.stdout.flush(); os.kill(os.getpid(), 15)",
        SEEN + "import common.errors; print(common.errors.__file__)",
        SEEN + "import threading, time; threading.Thread(target=lambda: (time.sleep(0.1), print('a thread'))).start()",
    ],
)
def test_status_output_and_what_it_sees_are_the_same(server, tmp_path, program):
    environment = {**os.environ, "OF_IT": "ä", "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    arguments = ["-c", program, "a", "--b"]
    done = subprocess.run([sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True)
    ended = server.start(*arguments, environment=environment, cwd=tmp_path).wait()
    assert ended == Ended(done.returncode, done.stdout, done.stderr)


def test_modules_are_run_and_errors_join_the_output_where_asked_for(server, tmp_path):
    (tmp_path / "own.py").write_text("import sys; print(sys.argv, __name__, sys.path[0], file=sys.stderr); raise SystemExit(7)")
    ended = server.start("-m", "own", "x", cwd=tmp_path, one_stream=True).wait()
    assert ended == Ended(7, f"['{tmp_path}/own.py', 'x'] __main__ {tmp_path}\n", "")


def test_an_exception_is_a_traceback_and_status_1(server):
    ended = server.start("-c", "1/0").wait()
    assert ended.status == 1 and ended.err.endswith("ZeroDivisionError: division by zero\n")


def test_two_at_once_and_a_signal(server):
    waiting, other = (server.start("-c", f"import time; time.sleep({seconds})") for seconds in (60, 0))
    assert other.wait().status == 0
    waiting.signal(signal.SIGTERM)
    assert waiting.wait().status == -signal.SIGTERM
    waiting.signal(signal.SIGTERM)  # it hears none
    assert server.start("-c", "import time; time.sleep(60)").wait(0.2).status == -signal.SIGKILL


@pytest.mark.parametrize("number", [None, signal.SIGTERM], ids=["end of input", "SIGTERM"])
def test_its_end_is_the_end_of_what_it_runs(number, tmp_path):
    server = ForkServer(libraries=())
    program = (
        "import os, subprocess; other = subprocess.Popen(['sleep', '60']); print(os.getpid(), other.pid, flush=True); other.wait()"
    )
    child = server.start("-c", program)
    while len(pids := child.out.read_text().split() if child.out.exists() else []) < 2:
        time.sleep(0.01)
    if number:
        server._process.send_signal(number)
    server.close()
    for _ in range(500):  # whoever adopts them takes a moment to reap them
        if not any(is_running(pid) for pid in pids):
            break
        time.sleep(0.01)
    assert not any(is_running(pid) for pid in pids)


def is_running(pid: str) -> bool:
    """Whether a process lives: one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
