"""Tells a command of the user's how a run ended."""

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
    """Why a command did not do what it was to do."""


def run_command(config: NotifyConfig, verdict: Verdict, log: Path | None, seconds: float = COMMAND_SECONDS) -> None:
    """Runs the configured command with the verdict on its standard input.

    Args:
        config: What is asked for.
        verdict: How the run ended.
        log: Gets what the command says; None where there is no log.
        seconds: How long it may take; then it and what it started are ended.

    Raises:
        CommandFailed: It could not be started, ended with another status than 0, or had to be ended.
    """
    environment = {**os.environ, "DARKROOM_OUTCOME": verdict.outcome, "DARKROOM_RUN": verdict.run}
    said = f"; what it said is in the run's {log.name}" if log else ""
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
            raise CommandFailed(f"it was ended after {seconds:g} seconds{said}") from None
        finally:
            if process.poll() is None:  # too late, or interrupted
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if process.returncode:
        raise CommandFailed(f"it ended with status {process.returncode}{said}")
