"""`darkroom retrain`: a run where there is something new, and one line where there is not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from common.quiet import hushed
from pipeline.metadata.history import killed
from pipeline.running.post_run import looked, renew_metrics
from pipeline.running.request import Request
from pipeline.running.run import run
from pipeline.verdict.status import Status
from pipeline.workspace.layout import Workspace

RECORD = "retrained.json"
# Ends after which the same pictures and configuration would come to the same end again.
SETTLED = (Status.PUSHED, Status.REFUSED)


@dataclass(frozen=True)
class State:
    """What a run was about.

    Attributes:
        pictures: The fingerprint of all that was there to be read: names, sizes and times of change, of the last spans.
        config: SHA-256 of the configuration, without who is told of the run.
        count: How many pictures there were.
        span: The latest span's number, 0 where there are none.
        status: How the run ended; None before that.
        first: The earliest span's number.
    """

    pictures: str
    config: str
    count: int
    span: int
    status: int | None = None
    first: int = 0


def retrain(request: Request, tell: Callable[[str], object]) -> Status:
    """Runs the pipeline if pictures or configuration are not those of the last run, or that one did not come to its end.

    Args:
        request: What a run would be asked for.
        tell: Is called with the one line that is said where nothing is to be done, and with a warning if there is one.

    Raises:
        InputError: There are no pictures.
        WorkFolderBusy: Another run holds the work folder.
    """
    now = look(request)
    workspace = Workspace.create(request.work)
    looked(workspace)
    before, runs = read(workspace.root), workspace.runs()
    if runs and runs[-1].name in killed(workspace):
        renew_metrics(workspace)  # before this run has an end of its own; what goes wrong with it is said then
    if settled(before, now):
        tell(why_not(before, now))
        for warning in renew_metrics(workspace):
            tell(f"warning: {warning}")
        return Status.PUSHED
    status = run(request)
    try:
        write(workspace.root, replace(now, status=int(status)))
    except OSError as error:  # the run has said how it ended; one that failed is tried again anyway
        if status in SETTLED:
            tell(f"warning: {RECORD} was not written, so that the next retrain runs again: {error.strerror}")
    return status


def settled(before: State | None, now: State) -> bool:
    """Whether a run would come to the same end again."""
    return bool(before and before.status in SETTLED and (before.pictures, before.config) == (now.pictures, now.config))


def why_not(before: State, now: State) -> str:
    """What is said where nothing is to be done."""
    several = 0 < now.first < now.span
    span = f" in spans {now.first} to {now.span}" if several else f" in span {now.span}" if now.span else ""
    ended = Status(before.status).word
    return f"nothing new: the {now.count:,} pictures{span} and the configuration are those of the last run, which ended as {ended}"


def look(request: Request) -> State:
    """What there is now."""
    from components.image_example_gen.discovery.find import find_sources

    with hushed():
        sources = find_sources(request.images, request.config.data)
    config = hashlib.sha256(request.config.essence().encode()).hexdigest()
    return State(sources.fingerprint, config, sources.count, sources.span, first=sources.first_span)


def read(work: Path) -> State | None:
    """What the last `retrain` was about; None where there was none, or its record is of no use."""
    try:
        return State(**json.loads((work / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write(work: Path, state: State) -> None:
    """Writes the record, whole or not at all."""
    fresh = work / f".{RECORD}.new"
    try:
        fresh.write_text(json.dumps(asdict(state), indent=2) + "\n", encoding="utf-8")
        fresh.replace(work / RECORD)
    finally:
        fresh.unlink(missing_ok=True)
