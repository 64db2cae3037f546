"""The state of a run at work, which is gone with its process."""

import os
import signal
import subprocess
import sys
import time

import pytest

from pipeline.metadata.history import describe_run, values_of_run
from pipeline.metadata.progress import FILE, RunProgress, at_work, remove
from pipeline.metadata.runs import list_runs, table
from pipeline.workspace.layout import Workspace, this_process
from tests.project import ROOT

RUN = "20260101-030000"
STATE = {
    "step": "training",
    "done": 30,
    "total": 120,
    "unit": "steps",
    "figures": {"loss": 2.5},
    "elapsed": 61.0,
    "left": 130.0,
    "expected_memory": 1.14e9,
}


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "runs" / RUN).mkdir(parents=True)
    return Workspace(tmp_path)


def test_a_run_at_work_is_shown_with_its_component_and_progress(workspace):
    with workspace.lock():
        assert list_runs(str(workspace.root))[0].outcome == "at work"  # it has just begun
        RunProgress(this_process(), "Trainer", **STATE).write(workspace.run(RUN))
        (run,) = list_runs(str(workspace.root))
        assert (run.outcome, run.seconds) == ("at work (Trainer)", 61.0)
        last = table([run])[-1]
        assert (
            last
            == f"{RUN}: Trainer; training: 30 of 120 steps, loss 2.5 (25%); 61 s so far, about 2 min left; 1.1 GB of memory at its peak"
        )
        assert "it is at work: Trainer" in describe_run(RUN, str(workspace.root))[0]
        values = values_of_run(RUN, str(workspace.root))
        assert values["outcome"] == "at work" and values["progress"]["done"] == 30
    assert list_runs(str(workspace.root))[0].outcome == "unended"
    assert values_of_run(RUN, str(workspace.root)) == {"run": RUN, "outcome": "unended", "progress": None}


def test_a_killed_run_is_not_at_work_even_if_another_command_holds_the_folder(workspace):
    script = f"""
import time
from pathlib import Path
from pipeline.metadata.progress import RunProgress
from pipeline.workspace.layout import Workspace, this_process
workspace = Workspace(Path({str(workspace.root)!r}))
with workspace.lock():
    RunProgress(this_process(), "Trainer").write(workspace.run({RUN!r}))
    print("ready", flush=True)
    time.sleep(60)
"""
    child = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"ready\n"
    assert at_work(workspace, workspace.run(RUN)).component == "Trainer"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert at_work(workspace, workspace.run(RUN)) is None
    with workspace.lock():  # for example darkroom gc
        assert at_work(workspace, workspace.run(RUN)) is None
    assert list_runs(str(workspace.root))[0].outcome == "unended"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"component": 3}', "null"])
def test_a_damaged_state_is_no_state(workspace, content):
    (workspace.run(RUN) / FILE).write_text(content)
    with workspace.lock():
        assert at_work(workspace, workspace.run(RUN)) is None


def test_a_state_is_whole_or_absent_and_then_gone(workspace):
    run = workspace.run(RUN)
    for done in range(3):
        RunProgress(this_process(), "Trainer", done=done, updated=time.time()).write(run)
        assert os.listdir(run) == [FILE]
    remove(run)
    assert os.listdir(run) == []
    RunProgress(this_process()).write(run / "nowhere")  # a folder that is gone does not stop the run
