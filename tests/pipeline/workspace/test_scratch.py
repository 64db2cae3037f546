"""A run's temporary files are in one folder, which is gone however the run ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from pipeline.workspace.scratch import PREFIX, place, remove_dead, remove_own, scratch

SCRIPT = """
import tempfile, time
from pipeline.workspace.scratch import scratch
with scratch():
    tempfile.mkdtemp()
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which temporary files are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def holder(temporary: Path) -> subprocess.Popen:
    """Start a process with a folder of its own; it is ready."""
    environment = {**os.environ, "TMPDIR": str(temporary)}
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def test_all_temporary_files_are_in_it_those_of_children_as_well_and_then_gone(temporary: Path) -> None:
    with scratch() as folder:
        tempfile.mkdtemp()
        with tempfile.NamedTemporaryFile(delete=False):
            pass
        subprocess.run([sys.executable, "-c", "import tempfile; tempfile.mkdtemp()"], check=True)
        subprocess.run(["sh", "-c", 'touch "$TMPDIR/of a shell"'], check=True)
        assert len(list(folder.iterdir())) == 4 and list(temporary.iterdir()) == [folder]
        assert place() == temporary and folder.stat().st_mode & 0o077 == 0
    assert not list(temporary.iterdir())
    assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(temporary) and place() == temporary


def test_where_no_variable_was_set_none_is_left(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.delenv("TMPDIR")
    with scratch() as folder:
        assert os.environ["TMPDIR"] == str(folder)
    assert "TMPDIR" not in os.environ and tempfile.tempdir == str(temporary)


def test_one_in_another_is_the_same(temporary: Path) -> None:
    with scratch() as outer:
        with scratch() as inner:
            assert inner == outer
        assert outer.is_dir()
    assert not list(temporary.iterdir())


def test_it_is_gone_after_an_interrupt_and_before_an_end_at_once(temporary: Path) -> None:
    with pytest.raises(KeyboardInterrupt), scratch():
        raise KeyboardInterrupt
    with scratch() as folder:
        remove_own()
        assert not folder.exists()
    assert not list(temporary.iterdir())


def test_what_threads_write_meanwhile_does_not_keep_it(temporary: Path) -> None:
    ended = threading.Event()

    def write(folder: Path) -> None:
        for number in range(100_000):
            try:
                (folder / str(number)).touch()
            except OSError:
                break
        ended.set()

    with scratch() as folder:
        threading.Thread(target=write, args=[folder], daemon=True).start()
        while not list(folder.iterdir()):
            time.sleep(0.001)
    assert ended.wait(20)
    assert not list(temporary.iterdir())


def test_a_killed_process_leaves_one_which_the_next_removes_but_not_that_of_a_living_one(temporary: Path) -> None:
    killed, living = holder(temporary), holder(temporary)
    try:
        killed.send_signal(signal.SIGKILL)
        killed.wait(20)
        assert len(list(temporary.glob(f"{PREFIX}*"))) == 2
        with scratch():
            assert len(list(temporary.iterdir())) == 2
    finally:
        living.send_signal(signal.SIGINT)
        living.wait(20)
    assert not list(temporary.iterdir())


def test_only_folders_are_removed_and_no_links_to_others(temporary: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (temporary / f"{PREFIX}link").symlink_to(tmp_path / "kept")
    (temporary / f"{PREFIX}file").touch()
    (temporary / "another").mkdir()
    remove_dead(temporary)
    assert (tmp_path / "kept" / "file").exists() and len(list(temporary.iterdir())) == 3


def test_many_that_begin_at_once_have_each_its_own(temporary: Path) -> None:
    """One that has made its folder and does not hold it yet may lose it to another; it makes a new one."""
    script = "from pipeline.workspace.scratch import scratch\nfor _ in range(40):\n    with scratch() as f: assert (f / 'x').touch() is None"
    environment = {**os.environ, "TMPDIR": str(temporary)}
    processes = [subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE) for _ in range(4)]
    assert [process.communicate(timeout=60)[1] for process in processes] == [b""] * 4
    assert not list(temporary.iterdir())


DEAF = """
import ctypes, sys, tempfile
from pipeline.running import signals
from pipeline.workspace.scratch import remove_own, scratch
signals.GRACE_SECONDS = 0.2
with scratch(), signals.interruptible(remove_own):
    tempfile.mkdtemp()
    print("ready", flush=True)
    mutex = ctypes.create_string_buffer(64)
    for _ in range(2):  # in C code that no signal gets out of: a mutex that this very thread holds
        ctypes.CDLL(None).pthread_mutex_lock(mutex)
"""


def test_it_is_gone_where_the_main_thread_does_not_come_back(temporary: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(temporary)}
    process = subprocess.Popen([sys.executable, "-c", DEAF], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n" and list(temporary.iterdir())
    time.sleep(0.2)
    process.send_signal(signal.SIGHUP)
    assert process.wait(20) == 130 and not list(temporary.iterdir())
