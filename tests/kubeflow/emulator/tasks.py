"""What became of a run and its tasks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.kubeflow.emulator.metadata import Artifact

DONE = ("SUCCEEDED", "CACHED")


@dataclass
class Task:
    """What became of a task.

    Attributes:
        name: Its name in its graph.
        state: SUCCEEDED, CACHED, FAILED, or SKIPPED where it was not its turn.
        tries: How many pods were started.
        phases: How each of them ended, in Argo's words: Succeeded, Failed, Error.
        status: The exit status of the last try's command; None if there was none.
        said: What the last try has printed, or why the driver failed or nothing ran.
        ended: Why there was no further try.
        artifacts: Outputs by their keys, the log too.
        parameters: Output parameters.
        graph: The tasks of a task that is a graph.
        outputs: Which tasks the outputs of such a graph come from.
    """

    name: str
    state: str
    tries: int = 0
    phases: list[str] = field(default_factory=list)
    status: int | None = None
    said: str = ""
    ended: str = ""
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    graph: dict[str, Task] | None = None
    outputs: dict[str, Any] = field(default_factory=dict)


class Run(dict[str, Task]):
    """The tasks of a run by name, those of inner graphs and exit handlers too.

    Attributes:
        state: SUCCEEDED or FAILED, as the server shows it: by the target tasks of the graph alone.
    """

    state: str = ""
