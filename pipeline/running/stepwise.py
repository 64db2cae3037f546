"""Run each component of a run in a separate process: begin the run, run node by node, conclude it.

The folder of the run passes data between the processes: `begun.json` has the inputs of the run, `nodes.jsonl` the outcome of each
node. The work folder is locked while a node runs, and free in between.
"""

from __future__ import annotations

import datetime
import io
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from common.errors import GateRefused, InputError
from common.progress import Progress
from pipeline.config.loading import build_config, load_values
from pipeline.metadata.history import BEGUN
from pipeline.metadata.progress import RunProgress
from pipeline.metadata.store import settle
from pipeline.reporting.mlflow import check
from pipeline.running import new_data
from pipeline.running.console import progress_shown
from pipeline.running.outlook import STATE_SECONDS
from pipeline.running.preparation import make_ready, new_record, place_schema
from pipeline.running.request import Request
from pipeline.running.run import Run
from pipeline.verdict.outcomes import NodeOutcome, Output
from pipeline.verdict.status import Status
from pipeline.workspace.layout import Workspace, this_process

NODES = "nodes.jsonl"


@dataclass(frozen=True)
class Begun:
    """A run that has begun."""

    images: str  # where its pictures are
    schema: str  # the folder of its schema
    state: dict[str, Any]  # the state that the next `darkroom retrain` compares with
    began: float  # the start time in seconds since 1970


def begin(request: Request, tell: Callable[[str], object]) -> str | None:
    """Begin a run if something is new, and return its id; otherwise `tell` one line, and return None.

    Raises:
        InputError: There are no pictures, or the work folder or the schema cannot be used.
        WorkFolderBusy: Another run holds the work folder.
    """
    check(request.config)
    now = new_data.look(request)
    workspace = Workspace.create(request.work)
    before = new_data.read(workspace.root)
    if new_data.settled(before, now):
        tell(new_data.why_not(before, now))
        return None
    with workspace.lock():
        settle(workspace, request.config.metadata)
        schema = place_schema(request.config.schema, workspace)
        make_ready(request, workspace)
        run_id = new_record(workspace, request.config)
        begun = Begun(request.images, str(schema), asdict(now), time.time())
        (workspace.run(run_id) / BEGUN).write_text(json.dumps(asdict(begun)), encoding="utf-8")
    return run_id


def run_node(work: Path, run_id: str, node: str) -> None:
    """Run a node, after the nodes before it. Raise its exception, or WorkFolderBusy if another run holds the work folder."""
    with Workspace(work).lock():
        # What it would print goes to the log as well, which the scheduler shows.
        piece = _Piece(*_parts(work, run_id), io.StringIO(), sys.stderr, node, _begun(work, run_id).began)
        with progress_shown(piece.progress):
            piece.run_graph()


def conclude(work: Path, run_id: str) -> tuple[Status, list[str]]:
    """End a run after its nodes were run, or one of them failed: write the verdict and the report, and print the last line.

    Return the status, and the reasons if nothing was pushed. Raise WorkFolderBusy if another run holds the work folder.
    """
    with Workspace(work).lock():
        run, begun = _Pieces(*_parts(work, run_id), sys.stdout, sys.stderr), _begun(work, run_id)
        run.begin -= time.time() - begun.began
        run.verdict.started = datetime.datetime.fromtimestamp(begun.began).astimezone().isoformat(timespec="seconds")
        status = run.to_the_end()
        new_data.write(work, new_data.State(**{**begun.state, "status": int(status)}))
    return status, run.verdict.reasons


class _Piece(Run):
    """One node of a run, which records its outcome."""

    def __init__(
        self, request: Request, workspace: Workspace, run_id: str, schema: Path, out: IO[str], err: IO[str], node: str, began: float
    ):
        super().__init__(request, workspace, run_id, schema, out, err)
        self.only, self.began, self.wrote = node, began, 0.0

    def started(self, name: str) -> None:
        self.display.started(name)
        self.write(Progress("", 0, None, ""))

    def progress(self, value: Progress) -> None:
        self.display.progress(value)
        if time.time() - self.wrote >= STATE_SECONDS:
            self.write(value)

    def write(self, value: Progress) -> None:
        """Write the state for `darkroom runs`."""
        self.wrote = time.time()
        step = (value.step, value.done, value.total, value.unit, dict(value.figures))
        state = RunProgress(this_process(), self.only or "", *step, elapsed=self.wrote - self.began, updated=self.wrote)
        state.write(self.workspace.run(self.run_id))

    def finished(self, outcome: NodeOutcome) -> None:
        with (self.workspace.run(self.run_id) / NODES).open("a", encoding="utf-8") as file:
            file.write(json.dumps(_packed(outcome), default=str) + "\n")


class _Pieces(Run):
    """All nodes of a run, with the outcomes recorded by other processes."""

    def make_ready(self) -> None:
        """Do nothing: `begin` has prepared the work folder."""

    def run_graph(self, push_anew: str = "") -> None:
        """Show the outcomes of the nodes. If the model must be pushed again, run the graph in this process."""
        if push_anew:
            super().run_graph(push_anew)
            return
        path = self.workspace.run(self.run_id) / NODES
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        outcomes = {outcome.name: outcome for outcome in (_unpacked(json.loads(line)) for line in lines)}  # the last attempt counts
        for outcome in outcomes.values():
            self.finished(outcome)
        failed = [outcome.error for outcome in outcomes.values() if outcome.error is not None]
        if failed:
            raise failed[0]
        if "Pusher" not in outcomes:
            raise RuntimeError(f"only {len(outcomes)} components were run: the scheduler's logs say why")


def _parts(work: Path, run_id: str) -> tuple[Request, Workspace, str, Path]:
    workspace, begun = Workspace(work), _begun(work, run_id)
    config = build_config(load_values(workspace.run(run_id) / "config.yaml"))
    return Request(begun.images, config, work), workspace, run_id, Path(begun.schema)


def _begun(work: Path, run_id: str) -> Begun:
    return Begun(**json.loads((Workspace(work).run(run_id) / BEGUN).read_text(encoding="utf-8")))


def _packed(outcome: NodeOutcome) -> dict[str, Any]:
    error = outcome.error
    refusal = vars(error) if isinstance(error, (GateRefused, InputError)) else {}
    kind = type(error).__name__ if error is not None else None
    return {**asdict(NodeOutcome(outcome.name, outcome.state, outcome.seconds, outcome.outputs)), "error": kind} | {
        "message": str(error),
        "refusal": refusal,
    }


def _unpacked(line: dict[str, Any]) -> NodeOutcome:
    """Return an outcome from JSON values. Exceptions of other classes are rebuilt with their class name and message."""
    outputs = {key: Output(**output) for key, output in line["outputs"].items()}
    error: Exception | None = None
    if line["error"] == "GateRefused":
        error = GateRefused(**line["refusal"])
    elif line["error"] == "InputError":
        error = InputError(line["message"], **line["refusal"])
    elif line["error"]:
        error = type(line["error"], (RuntimeError,), {})(line["message"])
    return NodeOutcome(line["name"], line["state"], line["seconds"], outputs, error)
