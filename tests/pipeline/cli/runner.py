"""Run commands in the process of the test."""

from __future__ import annotations

from click.testing import CliRunner

from pipeline.cli.main import cli
from tests.fork_server import Ended


def invoke(*arguments: object, **environment: str) -> Ended:
    """Run `darkroom ...` with Click's own runner, without a terminal, and return its exit status and output."""
    done = CliRunner().invoke(cli, list(map(str, arguments)), prog_name="darkroom", env=environment)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Ended(done.exit_code, done.stdout, done.stderr)
