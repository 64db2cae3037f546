"""Notify a user's command of how a run ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import asdict
from pathlib import Path

from pipeline.config.notify import NotifyConfig
from pipeline.verdict.verdict import Verdict

COMMAND_SECONDS = 60


class CommandFailed(RuntimeError):
    """A command failed; the message is the reason."""


def run_command(config: NotifyConfig, verdict: Verdict, log: Path | None, seconds: float = COMMAND_SECONDS) -> None:
    """Run the configured command with the verdict on its standard input.

    Args:
        config: The configuration of the notification.
        verdict: The verdict of the run.
        log: The file that the command's output is appended to; None discards it.
        seconds: The time limit. After it, the command and its child processes are killed.

    Raises:
        CommandFailed: It could not be started, ended with a nonzero status, or was killed.
    """
    environment = {**os.environ, "DARKROOM_OUTCOME": verdict.outcome, "DARKROOM_RUN": verdict.run}
    output_hint = f"; its output is in the run's {log.name}" if log else ""
    with open(log or os.devnull, "ab") as output:
        try:
            process = subprocess.Popen(
                config.words, stdin=subprocess.PIPE, stdout=output, stderr=output, env=environment, start_new_session=True
            )
        except OSError as error:
            raise CommandFailed(f"cannot start {config.words[0]}: {error.strerror}") from None
        try:
            process.communicate((json.dumps(asdict(verdict), ensure_ascii=False) + "\n").encode(), timeout=seconds)
        except subprocess.TimeoutExpired:
            raise CommandFailed(f"it was ended after {seconds:g} seconds{output_hint}") from None
        finally:
            if process.poll() is None:  # too late, or interrupted
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if process.returncode:
        raise CommandFailed(f"it ended with status {process.returncode}{output_hint}")
