"""What a shell completes, and where its script is put."""

import os
import shutil
import subprocess
import sys

import pytest

from pipeline.cli import run
from pipeline.cli.completion import DATASETS, VARIABLE
from pipeline.data.datasets import DATASETS as KNOWN
from tests.pipeline.cli.runner import invoke
from tests.project import ROOT, SCRIPT


def completed(*words: str) -> list[str]:
    """Return what bash gets for the last of the words, each as `type,value`."""
    environment = {"COMP_WORDS": " ".join(["darkroom", *words]), "COMP_CWORD": str(len(words)), VARIABLE: "bash_complete"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ru"], ["plain,run", "plain,runs"]),
        (["config", "explain", "training.epo"], ["plain,training.epochs"]),
        (["run", "--set", "training.epo"], ["plain,training.epochs="]),
        (["run", "--config", "fashion-mnist-2"], ["file,fashion-mnist-2", "plain,fashion-mnist-2d"]),
        (["run", "--images", "/t"], ["file,/t"]),
        (["run", "--work", "/t"], ["dir,/t"]),
        (["run", "--dataset", "fa"], ["plain,fashion-mnist"]),
    ],
)
def test_what_is_completed(words, expected):
    assert completed(*words) == expected


def test_a_run_of_the_work_folder_is_completed(tmp_path):
    (tmp_path / "runs/20260101-000000").mkdir(parents=True)
    assert completed("report", "--work", str(tmp_path), "--run", "2026") == ["plain,20260101-000000"]


def test_the_data_sets_are_those_of_a_run():
    assert set(DATASETS) == set(KNOWN)
    assert {option.name for option in run.run.params if option._custom_shell_complete} >= {"images", "config", "work", "dataset"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_valid_and_can_be_installed(tmp_path, shell):
    script = invoke("completion", shell).out
    assert VARIABLE in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)
    places = {"HOME": str(tmp_path), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": "", "ZDOTDIR": ""}
    ended = invoke("completion", shell, "--install", **places)
    (path,) = [path for path in tmp_path.rglob("*darkroom*") if path.is_file()]
    assert ended.status == 0 and path.read_text() == script.removesuffix("\n") and path.name in ended.out


def test_the_shell_is_that_of_the_person():
    assert invoke("completion", SHELL="/usr/bin/fish").out == invoke("completion", "fish").out
    ended = invoke("completion", SHELL="/bin/tcsh")
    assert ended.status == 2 and "name bash, zsh or fish" in ended.err
