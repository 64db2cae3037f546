"""Run the pipeline if something is new, and otherwise print one line (`darkroom retrain`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from common.quiet import hushed
from common.writing import write_text
from pipeline.metadata.history import killed
from pipeline.running.post_run import looked, renew_metrics
from pipeline.running.request import Request
from pipeline.running.run import run
from pipeline.verdict.status import Status
from pipeline.workspace.layout import Workspace

RECORD = "retrained.json"
NOTHING_NEW = "nothing new"  # how the line begins that says so
# Outcomes that the same pictures and configuration would lead to again.
SETTLED = (Status.PUSHED, Status.REFUSED)


@dataclass(frozen=True)
class State:
    """The inputs of a run, and how it ended."""

    pictures: str  # the fingerprint of all input files of the last spans: names, sizes and modification times
    config: str  # SHA-256 of the configuration, without the sections `metadata`, `notify` and `mlflow`
    count: int  # the number of pictures
    span: int  # the number of the latest span, 0 without spans
    status: int | None = None  # the exit status of the run; None before its end
    first: int = 0  # the number of the earliest span


def retrain(request: Request, tell: Callable[[str], object], as_json: bool = False) -> Status:
    """Run the pipeline if pictures or configuration have changed since the last run, or if that run did not finish.

    Args:
        request: The request of the run.
        tell: Called with the one line to print if nothing is new, and with each warning.
        as_json: As for `run`.

    Raises:
        InputError: There are no pictures.
        WorkFolderBusy: Another run holds the work folder.
    """
    now = look(request)
    workspace = Workspace.create(request.work)
    looked(workspace)
    before, runs = read(workspace.root), workspace.runs()
    if runs and runs[-1].name in killed(workspace):
        renew_metrics(workspace)  # records the killed run before this one ends; failures are reported at that end
    if settled(before, now):
        tell(why_not(before, now))
        for warning in renew_metrics(workspace):
            tell(f"warning: {warning}")
        return Status.DONE
    status = run(request, as_json)
    try:
        write(workspace.root, replace(now, status=int(status)))
    except OSError as error:  # the run has reported its outcome; a failed one is run again anyway
        if status in SETTLED:
            tell(f"warning: {RECORD} was not written, so that the next retrain runs again: {error.strerror}")
    return status


def settled(before: State | None, now: State) -> bool:
    """Return True if a run would have the same outcome as the last one."""
    return bool(before and before.status in SETTLED and (before.pictures, before.config) == (now.pictures, now.config))


def why_not(before: State, now: State) -> str:
    """Return the line to print if nothing is new."""
    several = 0 < now.first < now.span
    span = f" in spans {now.first} to {now.span}" if several else f" in span {now.span}" if now.span else ""
    ended = Status(before.status).word
    return (
        f"{NOTHING_NEW}: the {now.count:,} pictures{span} and the configuration are those of the last run, which ended as {ended}"
    )


def look(request: Request) -> State:
    """Return the current state of the inputs."""
    with hushed():
        sources = request.find(request.images, request.config.data)
    config = hashlib.sha256(request.config.essence().encode()).hexdigest()
    return State(sources.fingerprint, config, sources.count, sources.span, first=sources.first_span)


def read(work: Path) -> State | None:
    """Return the state recorded by the last `retrain`; None if there is no valid record."""
    try:
        return State(**json.loads((work / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write(work: Path, state: State) -> None:
    """Write the record, completely or not at all."""
    write_text(json.dumps(asdict(state), indent=2) + "\n", work / RECORD)
