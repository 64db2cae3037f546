"""What 2.17's server does with a compiled file before anything runs.

Followed are backend/src/v2/compiler/argocompiler (argo.go, Compile; dag.go, DAG, task and addImplicitDependencies),
backend/src/v2/compiler/visitor.go, and backend/src/apiserver/template/v2_template.go (validatePipelineJobInputs).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.kubeflow.emulator import server_yaml
from tests.kubeflow.emulator.platform import executors_of
from tests.kubeflow.emulator.values import KINDS, Broken, kind_of, plain

EXIT = "ALL_UPSTREAM_TASKS_COMPLETED"


class Refused(Exception):
    """The server does not take the file or its parameters."""


@dataclass
class Pipeline:
    """A compiled pipeline.

    Attributes:
        spec: The PipelineSpec.
        kubernetes: What the platform document says of each executor label.
    """

    spec: dict[str, Any]
    kubernetes: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self.spec["pipelineInfo"]["name"]

    def component(self, task: dict[str, Any]) -> dict[str, Any]:
        """Return a task's component."""
        return self.spec["components"][task["componentRef"]["name"]]

    def executor(self, component: dict[str, Any]) -> dict[str, Any]:
        """Return a component's executor."""
        return self.spec["deploymentSpec"]["executors"][component["executorLabel"]]


def load(text: str) -> Pipeline:
    """Return a compiled file that the server can compile to a workflow.

    Raises:
        Refused: It cannot.
    """
    try:
        documents = server_yaml.documents(text)
    except server_yaml.Unreadable as error:
        raise Refused(str(error)) from error
    specs = [document for document in documents if document.get("pipelineInfo", {}).get("name") and "root" in document]
    if len(specs) != 1:
        raise Refused("multiple pipeline specs provided" if specs else "no pipeline spec is provided")
    if specs[0].get("schemaVersion") != "2.1.0":
        raise Refused(f"KFP only supports schema version 2.1.0, but the pipeline spec has version {specs[0].get('schemaVersion')}")
    try:
        kubernetes = executors_of([document for document in documents if "platforms" in document])
        pipeline = Pipeline(specs[0], kubernetes)
        _check_graph(pipeline, "root", pipeline.spec["root"]["dag"])
    except Broken as error:
        raise Refused(str(error)) from error
    return pipeline


def parameters_of(pipeline: Pipeline, given: dict[str, Any]) -> dict[str, Any]:
    """Return the values of the pipeline's parameters: those given, else defaults, else null if they are optional.

    Raises:
        Refused: One is missing, unknown or of another type.
    """
    declared = pipeline.spec["root"].get("inputDefinitions", {}).get("parameters", {})
    more = sorted(set(given) - set(declared))
    if more:
        raise Refused(f"parameter(s) provided are not required by pipeline: {', '.join(more)}")
    values = {}
    for name, parameter in declared.items():
        if name in given:
            wanted = KINDS.get(parameter["parameterType"], "string")
            if kind_of(given[name]) != wanted:
                raise Refused(f"input parameter {name} requires type {wanted}")
            values[name] = plain(given[name])
        elif "defaultValue" in parameter:
            values[name] = plain(parameter["defaultValue"])
        elif parameter.get("isOptional"):
            values[name] = None
        else:
            raise Refused(f"parameter {name} is not optional, yet has neither default value nor user provided value")
    return values


def is_exit(task: dict[str, Any]) -> bool:
    """Whether a task is an exit handler, which 2.17 makes a hook of the tasks that it depends on."""
    return task.get("triggerPolicy", {}).get("strategy") == EXIT


def predecessors(task: dict[str, Any]) -> set[str]:
    """Return the tasks that a task waits for."""
    inputs = task.get("inputs", {})
    sources = [
        source[kind]["producerTask"]
        for part, kind in (("artifacts", "taskOutputArtifact"), ("parameters", "taskOutputParameter"))
        for source in inputs.get(part, {}).values()
        if kind in source
    ]
    return {*task.get("dependentTasks", ()), *sources}


def in_order(tasks: dict[str, dict[str, Any]]) -> list[str]:
    """Return the tasks' names, each behind those that it waits for.

    Raises:
        Refused: Some wait for each other.
    """
    order: list[str] = []
    left = dict(tasks)
    while left:
        ready = sorted(name for name, task in left.items() if not predecessors(task) & set(left))
        if not ready:
            raise Refused(f"these tasks wait for each other: {', '.join(sorted(left))}")
        order += ready
        for name in ready:
            del left[name]
    return order


def hooks_of(tasks: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return the exit handler of each task that has one; of several that depend on a task the last by name is kept."""
    exits = sorted(name for name, task in tasks.items() if is_exit(task))
    return {dependency: name for name in exits for dependency in predecessors(tasks[name])}


def _check_graph(pipeline: Pipeline, name: str, dag: dict[str, Any]) -> None:
    tasks = dag["tasks"]
    if all(is_exit(task) for task in tasks.values()):
        raise Broken(f"DAG {name} must contain one or more non-exit tasks")
    for task_name, task in tasks.items():
        unknown = sorted(predecessors(task) - set(tasks))
        if unknown:
            raise Broken(f"addImplicitDependencies: unknown producer task {unknown[0]!r} in DAG {name}")
        reference = task["componentRef"]["name"]
        if reference not in pipeline.spec.get("components", {}):
            raise Broken(f"compiling task {task_name!r}: component spec for {reference!r} not found")
        if "artifactIterator" in task:
            raise Broken(f"compiling task {task_name!r}: artifact iterator not implemented yet")
        if "parameterIterator" in task:
            raise NotImplementedError(f"{task_name}: loops are not emulated")
        component = pipeline.component(task)
        if "dag" in component:
            _check_graph(pipeline, reference, component["dag"])
            continue
        executors = pipeline.spec["deploymentSpec"]["executors"]
        label = component.get("executorLabel")
        if label not in executors:
            raise Broken(f"compiling task {task_name!r}: executor with label {label!r} not found")
        if "importer" in executors[label] and task.get("triggerPolicy", {}).get("condition"):
            raise Broken(f"compiling task {task_name!r}: triggerPolicy.condition on importer task is not supported")
        if not {"importer", "container"} & set(executors[label]):
            raise Broken(f"component {reference!r}: non-container and non-importer executor not implemented")
    in_order({task_name: task for task_name, task in tasks.items() if not is_exit(task)})
