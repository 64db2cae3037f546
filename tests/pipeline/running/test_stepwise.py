"""A run in pieces: what one process tells the next is all that there was."""

from __future__ import annotations

import json

import pytest

from common.errors import GateRefused, InputError
from pipeline.running.stepwise import _packed, _unpacked
from pipeline.verdict.outcomes import NodeOutcome, Output


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
