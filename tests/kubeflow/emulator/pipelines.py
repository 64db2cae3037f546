"""Small pipelines written by hand, and pods that are functions: what the emulator's own tests are made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.kubeflow.emulator.launcher import local_path
from tests.kubeflow.emulator.pods import Pod
from tests.kubeflow.emulator.tasks import Run
from tests.kubeflow.runner import Runner

TYPE = {"schemaTitle": "tfx.String"}


@dataclass
class Step:
    """A pod under way, as its function sees it.

    Attributes:
        pod: The pod.
        given: The executor input.
    """

    pod: Pod
    given: dict[str, Any]

    def folder(self, uri: str) -> Path:
        """Return the place of a URI in the pod."""
        return self.pod.folder / (local_path(uri) or "").lstrip("/")

    def files(self) -> list[str]:
        """Return what files there are in the pod, the executor's log aside."""
        return sorted(str(path.relative_to(self.pod.folder)) for path in self.pod.folder.rglob("*") if path.is_file())

    def output(self, key: str = "out") -> dict[str, Any]:
        """Return an output artifact."""
        return self.given["outputs"]["artifacts"][key]["artifacts"][0]

    def inputs(self, key: str) -> dict[str, Any]:
        """Return an input artifact."""
        return self.given["inputs"]["artifacts"][key]["artifacts"][0]

    def write(self, text: str, name: str = "data", key: str = "out") -> None:
        """Write a file of an output."""
        path = self.folder(self.output(key)["uri"]) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def say(self, text: str) -> None:
        """Write the output file."""
        path = self.pod.folder / self.given["outputs"]["outputFile"].lstrip("/")
        path.write_text(text)

    def tell(self, metadata: dict[str, Any] | None = None, **parameters: Any) -> None:
        """Write an output file with properties of the output, and output parameters."""
        artifacts = {"out": {"artifacts": [{"metadata": metadata or {}}]}}
        self.say(json.dumps({"artifacts": artifacts, "parameterValues": parameters}))


Function = Callable[[Step], "int | None"]


class Functions:
    """An executor of pods that are functions, by the name that the command begins with; they see a file system of their own."""

    def __init__(self, functions: dict[str, Function]):
        self.functions, self.pods = functions, list[Pod]()

    def root(self, folder: Path) -> str:
        """Return nothing: the pod's folder is its root."""
        return ""

    def run(self, pod: Pod) -> tuple[int, str]:
        """Call the function; what it returns is the exit status, None is 0."""
        self.pods.append(pod)
        step = Step(pod, json.loads(pod.command[1]))
        step.write("")
        status = self.functions.get(pod.command[0], lambda step: None)(step)
        return status or 0, f"{pod.command[0]} has run"


@dataclass
class Built:
    """A pipeline that is built task by task, and the cluster that runs it.

    Attributes:
        folder: Where the cluster's folders are.
        options: Arguments of `Runner`.
        functions: What the pods of each task do.
    """

    folder: Path
    options: dict[str, Any] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Build the cluster, and an empty pipeline."""
        self.executor = Functions(self.functions)
        self.runner = Runner(self.folder / "cluster", executor=self.executor, **self.options)
        self.kubernetes: dict[str, Any] = {}
        self.spec: dict[str, Any] = {
            "pipelineInfo": {"name": "p"},
            "schemaVersion": "2.1.0",
            "defaultPipelineRoot": "gs://nobody/reads/this",
            "root": {"dag": {"tasks": {}}},
            "components": {},
            "deploymentSpec": {"executors": {}},
        }

    def add(
        self,
        name: str,
        function: Function | None = None,
        *,
        inputs: dict[str, str] | None = None,
        parameters: dict[str, Any] | None = None,
        declared: dict[str, Any] | None = None,
        given: dict[str, str] | None = None,
        graph: str | None = None,
        arguments: tuple[str, ...] = (),
        **task: Any,
    ) -> None:
        """Add a task with an output `out`.

        Args:
            name: Its name.
            function: What its pods do; None writes an empty file.
            inputs: The tasks whose output `out` it takes, by key.
            parameters: Where its parameters come from.
            declared: Its component's parameters; None declares all of `parameters` as optional strings.
            given: The types of its output parameters.
            graph: The component of the graph that it is in; None is the root.
            arguments: Arguments behind the executor input.
            **task: More of the task.
        """
        if function:
            self.functions[name] = function
        sources = {
            key: {"taskOutputArtifact": {"producerTask": producer, "outputArtifactKey": "out"}}
            for key, producer in (inputs or {}).items()
        }
        parameters = parameters or {}
        dag = self.spec["components"][graph]["dag"] if graph else self.spec["root"]["dag"]
        dag["tasks"][name] = {
            "taskInfo": {"name": name},
            "componentRef": {"name": f"comp-{name}"},
            "inputs": {"artifacts": sources, "parameters": parameters},
            **task,
        }
        if declared is None:
            declared = {key: {"parameterType": "STRING", "isOptional": True} for key in parameters}
        self.spec["components"][f"comp-{name}"] = {
            "executorLabel": f"exec-{name}",
            "inputDefinitions": {"parameters": declared},
            "outputDefinitions": {
                "artifacts": {"out": {"artifactType": TYPE}},
                "parameters": {key: {"parameterType": kind} for key, kind in (given or {}).items()},
            },
        }
        container = {"image": "i", "command": [name], "args": ["{{$}}", *arguments]}
        self.spec["deploymentSpec"]["executors"][f"exec-{name}"] = {"container": container}

    def add_graph(self, name: str, component: dict[str, Any] | None = None, **task: Any) -> str:
        """Add a task that is a graph; give the name of its component, for `add`."""
        reference = f"comp-{name}"
        self.spec["root"]["dag"]["tasks"][name] = {"taskInfo": {"name": name}, "componentRef": {"name": reference}, **task}
        component = component or {}
        self.spec["components"][reference] = {**component, "dag": {"tasks": {}, **component.get("dag", {})}}
        return reference

    def text(self) -> str:
        """Return the compiled file."""
        documents = [self.spec]
        if self.kubernetes:
            executors = {f"exec-{name}": config for name, config in self.kubernetes.items()}
            documents.append({"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}})
        return yaml.safe_dump_all(documents)

    def run(self, run_id: str = "run-1", parameters: dict[str, Any] | None = None, **options: Any) -> Run:
        """Run it."""
        return self.runner.run(self.text(), run_id, parameters, **options)

    def runs_of(self, name: str) -> int:
        """Return how many pods a task has had."""
        return sum(pod.command[0] == name for pod in self.executor.pods)

    def seen(self, name: str) -> dict[str, Any]:
        """Return the executor input of a task's last pod."""
        return json.loads([pod for pod in self.executor.pods if pod.command[0] == name][-1].command[1])


def fail(step: Step) -> int:
    """A pod's function that fails."""
    return 1


def states(run: Run) -> dict[str, str]:
    """Return the state of each task."""
    return {name: task.state for name, task in run.items()}


def constant(value: Any) -> dict[str, Any]:
    """Return a parameter's specification that gives a value."""
    return {"runtimeValue": {"constant": value}}


def from_task(producer: str, key: str) -> dict[str, Any]:
    """Return a parameter's specification that gives another task's output."""
    return {"taskOutputParameter": {"producerTask": producer, "outputParameterKey": key}}
