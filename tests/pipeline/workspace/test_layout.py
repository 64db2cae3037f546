"""The work folder: one run at a time, whatever became of the run before."""

import os
import signal
import subprocess
import sys

import pytest

from common.errors import InputError
from pipeline.workspace.layout import WorkFolderBusy, Workspace, command

HOLD = """
import sys, time, pathlib
from pipeline.workspace.layout import Workspace
with Workspace.create(pathlib.Path(sys.argv[1])).lock():
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_run_is_told_who_holds_it(tmp_path, holder):
    with pytest.raises(WorkFolderBusy, match=f"process {holder.pid}"), Workspace.create(tmp_path).lock():
        pass


def test_whether_it_is_held(tmp_path, holder):
    assert Workspace(tmp_path).held()
    holder.kill()
    holder.wait()
    assert not Workspace(tmp_path).held() and not Workspace(tmp_path / "nowhere").held()


def test_a_command_can_be_typed():
    assert command("gc", "/my wörk") == "darkroom gc --work '/my wörk'"


def test_a_dead_process_holds_nothing(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with Workspace.create(tmp_path).lock():
        pass


def test_the_lock_can_be_had_again(tmp_path):
    for _ in range(2):
        with Workspace.create(tmp_path).lock():
            pass


def test_runs_in_the_same_second_get_names_of_their_own(tmp_path):
    workspace = Workspace.create(tmp_path)
    names = [workspace.new_run() for _ in range(5)]
    assert len(set(names)) == 5
    assert names == sorted(names)


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "work").write_text("")
    with pytest.raises(InputError, match="work"):
        Workspace.create(tmp_path / "work")


def test_a_path_that_tfx_would_take_for_a_pattern(tmp_path):
    with pytest.raises(InputError, match="pattern"):
        Workspace.create(tmp_path / "cats [1]")
    Workspace.create(tmp_path / "Katzen & Häuser, 2")
