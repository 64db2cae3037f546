"""`darkroom lint` as it is typed."""

from __future__ import annotations

import os
import stat
import subprocess

import pytest
import yaml
from click.testing import CliRunner

from kubeflow import compile_commands
from pipeline.cli import Group
from tests.kubeflow.tiny_pipeline import SPEC


def typed(*words, given: bytes | None = None):
    """Runs a command of a group that is like `darkroom`; (status, what was printed, the complaint)."""
    group = Group("darkroom", commands={command.name: command for command in compile_commands.COMMANDS})
    done = CliRunner().invoke(group, words, input=given)
    return done.exit_code, done.stdout, done.stderr


def test_lint_reads_standard_input():
    assert typed("lint", "-", given=yaml.safe_dump(SPEC).encode()) == (0, "standard input: nothing stands against it\n", "")
    status, out, complaint = typed("lint", "-", given=yaml.safe_dump({**SPEC, "schemaVersion": "2.0.0"}).encode())
    assert status == 2 and out.startswith("schemaVersion: is 2.0.0")
    assert complaint == "invalid: standard input breaks 1 rule of kfp, above\n"
    assert typed("lint", "-", given=b"\xff")[::2] == (2, "invalid: cannot read standard input: it is not UTF-8 text\n")


def test_lint_reads_files(tmp_path):
    file = tmp_path / "p.yaml"
    assert typed("lint", str(file))[::2] == (2, f"invalid: cannot read {file}: No such file or directory\n")
    file.write_text(yaml.safe_dump(SPEC))
    assert typed("lint", str(file))[0] == 0


@pytest.mark.slow
def test_compile_writes_through_links_and_pipes_and_to_standard_output(tmp_path):
    unseen = ("height=28", "width=28", "channels=1")
    told = ("training.batch_size=8", "training.epochs=2", "cluster.push_to=s3://models/cats")
    unseen = (*(f"preprocessing.{each}" for each in unseen), *told)
    words = ("compile", "--images", "s3://pictures/cats", *(f"--set={each}" for each in unseen), "--out")
    (tmp_path / "link.yaml").symlink_to("target.yaml")
    status, out, _ = typed(*words, str(tmp_path / "link.yaml"))
    assert status == 0 and f"try: darkroom submit {tmp_path / 'link.yaml'}" in out and (tmp_path / "link.yaml").is_symlink()
    text = (tmp_path / "target.yaml").read_text()
    status, out, complaint = typed(*words, "-")
    assert (status, out) == (0, text) and complaint.startswith("compiled: ") and complaint.count("\n") == 1
    os.mkfifo(tmp_path / "fifo")
    reading = subprocess.Popen(["cat", tmp_path / "fifo"], stdout=subprocess.PIPE, text=True)
    assert typed(*words, str(tmp_path / "fifo"))[0] == 0
    assert reading.communicate(timeout=20)[0] == text and stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)
    status, _, complaint = typed(*words, str(tmp_path / "x.json"))
    assert status == 2 and "must be called *.yaml" in complaint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fifo", "link.yaml", "target.yaml"]
