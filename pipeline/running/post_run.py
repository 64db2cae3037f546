"""Do the steps after the end of a run, however it ended. They do not change how the run ended."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import InputError
from pipeline.config.notify import NotifyConfig
from pipeline.reporting.command import run_command
from pipeline.reporting.mlflow import evaluated, record
from pipeline.reporting.prometheus import LOOKED, write_metrics
from pipeline.reporting.webhook import post_verdict
from pipeline.verdict.status import Status
from pipeline.verdict.verdict import Verdict, ending_of
from pipeline.workspace.layout import Workspace

if TYPE_CHECKING:
    from pipeline.running.request import Request

Step = tuple[str, Callable[[], None]]  # the consequence of a failure, and the step


def after_run(request: Request, workspace: Workspace, verdict: Verdict) -> list[str]:
    """Write the metrics, send notifications, and record the run in MLflow; return one line for each step that failed.

    The verdict of the run has been written.
    """
    config, folder = request.config, workspace.run(verdict.run)
    steps = [_metrics(workspace)]
    if verdict.status != Status.INTERRUPTED:  # a person interrupted the run and waits for its end
        steps += _notification(config.notify, verdict, folder / "log.txt")
        if config.mlflow.tracking_uri is not None and evaluated(verdict):
            steps.append(("MLflow has no record of the run", lambda: record(config, verdict, folder)))
    return _warnings(steps)


def looked(workspace: Workspace) -> None:
    """Record the time at which `retrain` last checked for new data."""
    (workspace.root / LOOKED).touch()


def renew_metrics(workspace: Workspace) -> list[str]:
    """Write the metrics without a run, after a check for new data or a rollback; return a line if they cannot be written."""
    return _warnings([_metrics(workspace)])


def never_began(error: Exception, notify: NotifyConfig, title: str, images: str) -> list[str]:
    """Notify of a run that could not begin because of an error; return one line for each notification that failed."""
    now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    verdict = Verdict(run="", title=title, images=images, started=now)
    verdict.end(*ending_of(error))
    return _warnings(_notification(notify, verdict, None))


def _metrics(workspace: Workspace) -> Step:
    return "metrics.prom was not written", lambda: write_metrics(workspace)


def _notification(config: NotifyConfig, verdict: Verdict, log: Path | None) -> list[Step]:
    steps: list[Step] = []
    if config.command and verdict.outcome in config.on:
        steps.append(("notify.command failed", lambda: run_command(config, verdict, log)))
    if config.webhook and verdict.outcome in config.on:
        steps.append(("the verdict was not posted to notify.webhook", lambda: post_verdict(config, verdict)))
    return steps


def _warnings(steps: Sequence[Step]) -> list[str]:
    """Do each step, and return a line for each one that failed."""
    warnings = []
    for meaning, step in steps:
        try:
            step()
        except KeyboardInterrupt:
            warnings.append(f"{meaning}: interrupted")
        except OSError as error:
            warnings.append(f"{meaning}: {error.strerror or type(error).__name__}")
        except (RuntimeError, InputError) as error:  # the steps' own errors, whose messages contain no secrets
            warnings.append(f"{meaning}: {error}")
        except Exception as error:
            warnings.append(f"{meaning}: {type(error).__name__}")
    return warnings
