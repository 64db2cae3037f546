"""A run in pieces: what one process tells the next is all that there was."""

from __future__ import annotations

import io
import json
import time

import pytest

from common.errors import GateRefused, InputError
from common.progress import Progress
from pipeline.config.loading import build_config
from pipeline.metadata.runs import list_runs
from pipeline.running.request import Request
from pipeline.running.stepwise import _packed, _Piece, _unpacked
from pipeline.verdict.outcomes import NodeOutcome, Output
from pipeline.workspace.layout import Workspace


def there_and_back(outcome: NodeOutcome) -> NodeOutcome:
    return _unpacked(json.loads(json.dumps(_packed(outcome))))


def test_what_a_node_gave():
    outcome = NodeOutcome(
        "Pusher", "done", 0.25, {"pushed_model": Output("/a/ä", {"pushed": 1, "pushed_version": "3", "share": 0.5})}
    )
    assert there_and_back(outcome) == outcome


@pytest.mark.parametrize(
    "error",
    [
        GateRefused(
            "data", ["it drifted", "it is dark"], [{"path": "a", "reason": "b"}], [{"feature": "mean", "value": 0.5}], "/a/1"
        ),
        InputError("no pictures", [{"path": "ä.png", "reason": "no picture"}]),
    ],
)
def test_why_a_node_ended_the_run(error):
    back = there_and_back(NodeOutcome("DataGate", "failed", 1.0, error=error)).error
    assert (type(back), str(back), vars(back)) == (type(error), str(error), vars(error))


def test_a_fault_keeps_its_name():
    back = there_and_back(NodeOutcome("Trainer", "failed", 1.0, error=OSError(28, "No space left on device"))).error
    assert (type(back).__name__, str(back)) == ("OSError", "[Errno 28] No space left on device")


def test_the_node_at_work_is_shown(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.run("20260101-000000").mkdir(parents=True)
    streams = io.StringIO(), io.StringIO()
    request = Request("/images", build_config({}), tmp_path)
    with workspace.lock():
        piece = _Piece(request, workspace, "20260101-000000", tmp_path, *streams, "Trainer", time.time() - 60)
        piece.started("Trainer")
        assert list_runs(str(tmp_path))[0].outcome == "at work (Trainer)"
        piece.wrote = 0.0
        piece.progress(Progress("training", 3, 10, "steps", {"loss": 5.0}))
        (run,) = list_runs(str(tmp_path))
        assert (run.progress.step, run.progress.done, run.progress.left) == ("training", 3, None) and run.seconds >= 60
    assert streams[0].getvalue() == streams[1].getvalue() == ""
