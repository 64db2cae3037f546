"""Ctrl-C, and connections that drop, while a run trains: it ends, says so where it can, and leaves nothing behind."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.metadata.runs import list_runs
from tests.project import ROOT, darkroom, last_verdict, write_discs

pytestmark = pytest.mark.slow

SCRIPT = "import sys; del sys.path[0]; from local_runner import main; main(sys.argv[1:])"
SETTINGS = ["training.patience=100000", "training.batch_size=32", "preprocessing.height=12", "preprocessing.width=12"]
SETTINGS += ["preprocessing.channels=1", "model.hidden=[64]", "model.latent_dim=2", "training.importance_samples=5"]
C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
LIMIT = 200  # seconds after which a run counts as one that hangs


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """An empty folder for temporary files."""
    (tmp_path / "temporary").mkdir()
    return tmp_path / "temporary"


def arguments(work: Path, images: Path, epochs: int) -> list[str]:
    """Those of a run."""
    return [
        "run",
        "--images",
        str(images),
        "--work",
        str(work),
        f"--set=training.epochs={epochs}",
        *(f"--set={s}" for s in SETTINGS),
    ]


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen]]:
    """The runs that a test has started; whatever became of it, they are stopped."""
    found: list[subprocess.Popen] = []
    yield found
    for process in found:
        process.kill()
        process.wait()


def start(work: Path, images: Path, temporary: Path, before: str = "", **options: object) -> subprocess.Popen:
    """Start a run that never ends by itself; `before` is a script that becomes it.

    SIGHUP has its usual meaning there: what `nohup` starts is to go on, and the tests may be.
    """
    options["preexec_fn"] = lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary), **options.pop("environment", {})}
    first = ["-c", before] if before else []
    command = [sys.executable, *first, "-c", SCRIPT, *arguments(work, images, 100_000)]
    return subprocess.Popen(command, env=environment, **options)


def wait_for_training(work: Path, process: subprocess.Popen, terminal: int | None = None) -> None:
    """Wait until pictures are decoded and the first epoch is kept; read meanwhile what is written to a terminal."""
    deadline = time.monotonic() + LIMIT
    while not list(work.glob("checkpoints/*.npz")):
        assert process.poll() is None and time.monotonic() < deadline
        if terminal is not None and select.select([terminal], [], [], 0)[0]:
            os.read(terminal, 1 << 16)
        time.sleep(0.05)


def test_sighup_and_ctrl_c_end_a_run_at_once_and_the_next_one_goes_on(
    tmp_path: Path, temporary: Path, started: list[subprocess.Popen]
) -> None:
    write_discs(tmp_path / "images", 200)
    work, images = tmp_path / "work", tmp_path / "images"
    process = start(work, images, temporary, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    started.append(process)
    wait_for_training(work, process)
    assert list(temporary.glob("*/darkroom-pixels-*"))
    deadline = time.monotonic() + LIMIT
    while (run := list_runs(str(work))[0]).progress is None or run.progress.step != "training":
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    assert run.outcome == "at work (Trainer)" and run.progress.figures["images/s"] > 0 and run.progress.left > 0
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 130 and err == "interrupted: the next run goes on from the last finished component\n"
    assert last_verdict(work)["outcome"] == "interrupted" and last_verdict(work)["status"] == 130
    assert list_runs(str(work))[0].outcome == "interrupted" and not list(work.glob("runs/*/progress.json"))
    assert not list(temporary.iterdir())

    before = set(work.glob("artifacts/Trainer/model_run/*/history.jsonl"))
    command = [sys.executable, str(ROOT / "local_runner.py"), *arguments(work, images, 100_000)[1:]]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    started.append(process)
    deadline, written = time.monotonic() + LIMIT, []
    while not written:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
        found = set(work.glob("artifacts/Trainer/model_run/*/history.jsonl")) - before
        written = [path for path in found if path.stat().st_size > 0]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, out + err
    assert err == "interrupted: the next run goes on from the last finished component\n"
    assert last_verdict(work)["outcome"] == "interrupted"

    ended = darkroom(*arguments(work, images, 3))
    assert ended.status == 0, ended.out + ended.err
    states = ended.states()
    assert [states[n] for n in ("ImageExampleGen", "StatisticsGen", "DataGate", "Transform")] == ["cached"] * 4
    assert states["Trainer"] == "done"
    assert not written[0].exists()  # removed at once, or by the next run where a library held the signal back


def test_a_terminal_that_is_gone_ends_a_run_whatever_its_work_folder_and_locale(
    tmp_path: Path, temporary: Path, started: list[subprocess.Popen]
) -> None:
    write_discs(tmp_path / "images", 200)
    work = tmp_path / "größe-日本"
    ours, theirs = pty.openpty()
    script = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    script += "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
    images = tmp_path / "images"
    process = start(work, images, temporary, script, environment=C_LOCALE, start_new_session=True, **streams)
    started.append(process)
    os.close(theirs)
    wait_for_training(work, process, ours)
    os.close(ours)  # the system sends SIGHUP, and what is written from now on fails
    assert process.wait(LIMIT) == 130
    assert last_verdict(work)["outcome"] == "interrupted" and not list(temporary.iterdir())

    ended = darkroom(*arguments(work, images, 5), fresh=True, TMPDIR=str(temporary), **C_LOCALE)
    assert ended.status == 0 and "größe-日本/serving/1" in ended.out, ended.err
    assert not list(temporary.iterdir())
    drawn = darkroom("generate", "--work", work, "--out", tmp_path / "größe.png", fresh=True, TMPDIR=str(temporary), **C_LOCALE)
    assert drawn.status == 0 and (tmp_path / "größe.png").stat().st_size and not list(temporary.iterdir())
