"""`darkroom lint` as it is typed."""

from __future__ import annotations

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
