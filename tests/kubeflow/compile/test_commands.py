"""`darkroom compile` and `darkroom lint` as they are typed."""

from __future__ import annotations

import json
import os
import stat
import subprocess

import pytest
import yaml
from click.testing import CliRunner

from kubeflow.compile import commands
from pipeline.cli.group import Group
from pipeline.config.inference import INFERRED_FIELDS
from tests.kubeflow.tiny_pipeline import SPEC


def typed(*words, given: bytes | None = None):
    """Runs a command of a group that is like `darkroom`; (status, what was printed, the complaint)."""
    group = Group("darkroom", commands={command.name: command for command in commands.COMMANDS})
    done = CliRunner().invoke(group, words, input=given)
    return done.exit_code, done.stdout, done.stderr


def test_lint_reads_standard_input():
    assert typed("lint", "-", given=yaml.safe_dump(SPEC).encode()) == (0, "standard input: no problems found\n", "")
    status, out, complaint = typed("lint", "-", given=yaml.safe_dump({**SPEC, "schemaVersion": "2.0.0"}).encode())
    assert status == 2 and out.startswith("schemaVersion: is 2.0.0")
    assert complaint == "invalid: standard input breaks 1 rule of kfp, above\n"
    assert typed("lint", "-", given=b"\xff")[::2] == (2, "invalid: cannot read standard input: it is not UTF-8 text\n")
    assert typed("lint", "-", given=b"\n") == (2, "", "invalid: standard input is empty\n")


def test_lint_as_json():
    status, out, complaint = typed("lint", "-", "--json", given=yaml.safe_dump({**SPEC, "schemaVersion": "2.0.0"}).encode())
    assert status == 2 and complaint.startswith("invalid: ")
    assert {"rule", "where", "message"} == set(json.loads(out)["violations"][0])
    assert json.loads(typed("lint", "-", "--json", given=yaml.safe_dump(SPEC).encode())[1])["violations"] == []


def test_lint_reads_files(tmp_path):
    file = tmp_path / "p.yaml"
    assert typed("lint", str(file))[::2] == (2, f"invalid: cannot read {file}: No such file or directory\n")
    file.write_text(yaml.safe_dump(SPEC))
    assert typed("lint", str(file))[0] == 0


COMPILE = ("compile", "--images", "s3://pictures/cats")
TOLD = [f"--set={field}={1 if field.endswith('channels') else 8}" for field in INFERRED_FIELDS]  # without a look at pictures


@pytest.mark.parametrize("other", ["cats.yaml", "./cats.yaml", "symbolic.yaml", "hard.yaml"])
def test_compile_does_not_write_over_its_configuration(tmp_path, monkeypatch, other):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "cats.yaml"
    file.write_text("title: cats\n")
    (tmp_path / "symbolic.yaml").symlink_to(file)
    (tmp_path / "hard.yaml").hardlink_to(file)
    status, out, complaint = typed(*COMPILE, "--config", str(file), "--out", other)
    assert (status, out) == (2, "") and complaint.startswith(f"invalid: --out {other} is the file of --config, ")
    assert len(complaint) < 200 and file.read_text() == "title: cats\n"


def test_compile_writes_over_no_other_input(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("schema.yaml", "list.yaml"):
        (tmp_path / name).write_text("x")
    (tmp_path / "cats.yaml").write_text("schema: schema.yaml\n")
    complaint = typed(*COMPILE, "--config", "cats.yaml", *TOLD, "--out", "schema.yaml")[2]
    assert complaint.startswith("invalid: --out schema.yaml is the file of schema, ")
    complaint = typed("compile", "--images", "list.yaml", "--out", "list.yaml")[2]
    assert complaint.startswith("invalid: --out list.yaml is the file of --images, ")


def test_compile_finds_mistakes_before_it_says_that_it_compiles(tmp_path, monkeypatch):
    """What follows takes many seconds."""

    def compile_pipeline(*_):
        raise AssertionError("it compiles")

    monkeypatch.setattr("kubeflow.compile.compiler.compile_pipeline", compile_pipeline)
    words = "invalid: cluster.resources: there is no component Trianer; did you mean Trainer?\n"
    mistyped = "--set=cluster.resources={Trianer: {gpus: 1}}"
    assert typed(*COMPILE, *TOLD, mistyped, "--out", str(tmp_path / "x.yaml")) == (2, "", words)
    status, _, complaint = typed(*COMPILE, *TOLD, "--out", str(tmp_path / "x.json"))
    assert status == 2 and "must be called *.yaml" in complaint and complaint.count("\n") == 1


@pytest.mark.slow
def test_compile_writes_through_links_and_pipes_and_to_standard_output(tmp_path):
    words = (*COMPILE, *TOLD, "--set=cluster.push_to=s3://models/cats", "--out")
    (tmp_path / "link.yaml").symlink_to("target.yaml")
    status, out, _ = typed(*words, str(tmp_path / "link.yaml"))
    assert status == 0 and (tmp_path / "link.yaml").is_symlink()
    assert f"try: darkroom submit {tmp_path / 'link.yaml'} --host URL\n" in out
    text = (tmp_path / "target.yaml").read_text()
    status, out, complaint = typed(*words, "-")
    assert (status, out) == (0, text) and [line.split()[0] for line in complaint.splitlines()] == ["compiling,", "compiled:"]
    os.mkfifo(tmp_path / "fifo")
    reading = subprocess.Popen(["cat", tmp_path / "fifo"], stdout=subprocess.PIPE, text=True)
    assert typed(*words, str(tmp_path / "fifo"))[0] == 0
    assert reading.communicate(timeout=20)[0] == text and stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fifo", "link.yaml", "target.yaml"]
