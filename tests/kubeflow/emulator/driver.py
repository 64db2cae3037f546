"""The driver of Kubeflow Pipelines 2.17: what a task is given, and whether it runs at all.

Followed are backend/src/v2/driver/resolve.go (resolveInputs, resolveInputParameter, resolveUpstreamArtifacts), driver.go
(provisionOutputs), cache.go with cacheutils/cache.go (the fingerprint), util.go (placeholders), and expression/expression.go.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.kubeflow.emulator.launcher import LOGS, local_path
from tests.kubeflow.emulator.metadata import Artifact
from tests.kubeflow.emulator.tasks import DONE, Task
from tests.kubeflow.emulator.values import UNSET, Broken, converted, kind_of, number_text, plain, to_text

PARAMETER = re.compile(r"\{\{\$\.inputs\.parameters\['(.+?)']}}")
OUTPUT_FILE = "/tmp/kfp/outputs/"


class ParameterIsNull(Broken):
    """An input of the graph that is optional and was not given: ErrResolvedParameterNull."""


@dataclass(frozen=True)
class RunInfo:
    """What is the same for all tasks of a run.

    Attributes:
        pipeline: The pipeline's name.
        run_id: The run's id.
        root: The run's folder: <pipeline root>/<pipeline>/<run> (metadata/client.go, GetPipeline).
        session: Where the store's credentials are, as JSON.
    """

    pipeline: str
    run_id: str
    root: str
    session: str


@dataclass
class Inputs:
    """Inputs of a task or of a graph.

    Attributes:
        parameters: Their values; None is null.
        artifacts: The artifact of each key.
        of_graph: The keys of artifacts that come through the graph's own inputs.
    """

    parameters: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    of_graph: set[str] = field(default_factory=set)

    def sent(self) -> dict[str, Any]:
        """Return the inputs of the executor input."""
        artifacts = {
            key: {"artifacts": [artifact.as_input(of_graph=key in self.of_graph)]} for key, artifact in self.artifacts.items()
        }
        return {"parameterValues": dict(self.parameters), "artifacts": artifacts}


@dataclass(frozen=True)
class Scope:
    """A graph under way: its inputs, and what became of its tasks up to now."""

    inputs: Inputs
    tasks: dict[str, Task]


def inputs_of(name: str, task: dict[str, Any], component: dict[str, Any], scope: Scope, info: RunInfo) -> Inputs:
    """Return what a task is given.

    Raises:
        Broken: The driver fails: something is missing, null, or of another type.
    """
    if not task.get("taskInfo", {}).get("name"):
        raise Broken("validateNonRoot: task spec is required: taskInfo.name is empty")
    declared = component.get("inputDefinitions", {}).get("parameters", {})
    sources = task.get("inputs", {})
    found, nulls = Inputs(), set()
    if "dag" in component:
        for key, parameter in declared.items():
            if key not in sources.get("parameters", {}) and parameter.get("isOptional"):
                found.parameters[key] = plain(parameter.get("defaultValue"))
                nulls |= {key} if "defaultValue" not in parameter else set()
    for key, source in sources.get("parameters", {}).items():
        if source.get("parameterExpressionSelector"):
            raise NotImplementedError(f"{name}, {key}: parameterExpressionSelector is not emulated")
        try:
            found.parameters[key] = parameter_of(name, source, task, scope, info)
        except ParameterIsNull:
            if not declared.get(key, {}).get("isOptional"):
                raise
    for key, source in sources.get("artifacts", {}).items():
        if "componentInputArtifact" in source:
            inner = source["componentInputArtifact"]
            if inner not in scope.inputs.artifacts:
                raise Broken(f"parent DAG does not have input artifact {inner}")
            found.artifacts[key] = scope.inputs.artifacts[inner]
            found.of_graph.add(key)
        else:
            producer = source["taskOutputArtifact"]
            found.artifacts[key] = artifact_of(scope.tasks, producer["producerTask"], producer["outputArtifactKey"])
    _convert(found, declared, nulls)
    return found


def _convert(found: Inputs, declared: dict[str, Any], nulls: set[str]) -> None:
    """Make parameters what the component declares."""
    for key, parameter in declared.items():
        value = found.parameters.get(key, UNSET)
        if value is UNSET:
            if parameter.get("isOptional") and key not in found.parameters:
                continue
            if "defaultValue" not in parameter and key not in found.parameters:
                raise Broken(f"neither value nor default value provided for non-optional parameter {key!r}")
        # A default is left to the launcher, which then finds that a STRING is there already: empty. Others fail.
        found.parameters[key] = converted(key, value, parameter["parameterType"], null_allowed=key in nulls)


def parameter_of(name: str, source: dict[str, Any], task: dict[str, Any], scope: Scope, info: RunInfo) -> Any:
    """Return the value that a parameter's specification stands for (resolveInputParameter).

    Raises:
        ParameterIsNull: It is an input of the graph that is null.
        Broken: There is none.
    """
    if "componentInputParameter" in source:
        key = source["componentInputParameter"]
        if key not in scope.inputs.parameters:
            raise Broken(f"parent DAG does not have input parameter {key}")
        if scope.inputs.parameters[key] is None:
            raise ParameterIsNull(f"the resolved input parameter is null: {key}")
        return scope.inputs.parameters[key]
    if "taskOutputParameter" in source:
        producer = source["taskOutputParameter"]
        return output_parameter_of(scope.tasks, producer["producerTask"], producer["outputParameterKey"])
    if "taskFinalStatus" in source:
        return _final_status(task, scope, info)
    if "constant" not in source.get("runtimeValue", {}):
        raise Broken(f"parameter spec {source} not implemented yet")
    constant = plain(source["runtimeValue"]["constant"])
    known = {
        "{{$.pipeline_job_name}}": info.run_id,
        "{{$.pipeline_job_resource_name}}": info.run_id,
        "{{$.pipeline_job_uuid}}": info.run_id,
        "{{$.pipeline_task_name}}": name,
    }
    return known.get(constant, constant) if isinstance(constant, str) else constant


def _final_status(task: dict[str, Any], scope: Scope, info: RunInfo) -> dict[str, Any]:
    producer = next(iter(task.get("dependentTasks", ())), "")
    if producer not in scope.tasks:
        raise Broken(f"producer task, {producer}, not in tasks")
    states = {"SUCCEEDED": "COMPLETE", "SKIPPED": "CANCELED"}
    state = scope.tasks[producer].state
    status = {"state": states.get(state, state), "pipelineTaskName": producer, "pipelineJobResourceName": info.run_id}
    return {**status, "error": {}}


def artifact_of(tasks: dict[str, Task], producer: str, key: str) -> Artifact:
    """Return a task's output; a graph's is that of the task in it which the graph names, of several the one that has run.

    Raises:
        Broken: There is none.
    """
    task = tasks.get(producer)
    if task is None:
        raise Broken(f"cannot find producer task {producer!r}")
    if task.graph is not None:
        choices = task.outputs.get("artifacts", {}).get(key, {}).get("artifactSelectors", [])
        for choice in choices:
            inner = task.graph.get(choice["producerSubtask"])
            if len(choices) == 1 or (inner and inner.state in DONE):
                return artifact_of(task.graph, choice["producerSubtask"], choice["outputArtifactKey"])
        raise Broken(f"artifact output key {key!r} not found in parent task {producer!r}")
    if key not in task.artifacts:
        raise Broken(f"cannot find output artifact key {key!r} in producer task {producer!r}")
    return task.artifacts[key]


def output_parameter_of(tasks: dict[str, Task], producer: str, key: str) -> Any:
    """Return a task's output parameter; UNSET if it has written none.

    Raises:
        Broken: There is no such task.
    """
    task = tasks.get(producer)
    if task is None:
        raise Broken(f"producer task, {producer}, not in tasks")
    if task.graph is None:
        return task.parameters.get(key, UNSET)
    source = task.outputs.get("parameters", {}).get(key, {})
    choices = source.get("valueFromOneof", {}).get("parameterSelectors", [source.get("valueFromParameter", {})])
    for choice in choices:
        inner = task.graph.get(choice.get("producerSubtask", ""))
        if inner and (len(choices) == 1 or inner.state in DONE):
            return output_parameter_of(task.graph, choice["producerSubtask"], choice["outputParameterKey"])
    raise Broken(f"producer_subtask of {producer}, {key}, not in outputParams")


def outputs_of(name: str, component: dict[str, Any], info: RunInfo) -> dict[str, Any]:
    """Return the outputs of the executor input (provisionOutputs).

    All lie in a folder of this try of the driver, the task root: artifacts under their keys, which are their names too, the log
    as one more of them, and the file in which the command says more of them.

    Args:
        name: The task.
        component: Its component.
        info: The run.
    """
    folder = f"{info.root}/{name}/{uuid.uuid4()}"
    definitions = component.get("outputDefinitions", {})
    declared = {**definitions.get("artifacts", {}), LOGS: {"artifactType": {"schemaTitle": "system.Artifact"}}}
    artifacts = {}
    for key, one in declared.items():
        artifact = {"name": key, "uri": f"{folder}/{key}", "type": one.get("artifactType", {})}
        artifacts[key] = {"artifacts": [artifact | ({"metadata": plain(one["metadata"])} if "metadata" in one else {})]}
    return {
        "artifacts": artifacts,
        "parameters": {key: {"outputFile": f"{OUTPUT_FILE}{key}"} for key in definitions.get("parameters", {})},
        "outputFile": f"{local_path(folder)}/output_metadata.json",
    }


def command_of(container: dict[str, Any], parameters: dict[str, Any]) -> list[str]:
    """Return the command and its arguments with parameters filled in (resolveContainerArgs).

    Raises:
        Broken: One of them is not there.
    """
    command: list[str] = []
    for argument in [*container.get("command", ()), *container.get("args", ())]:
        if "$.outputs" in argument:
            command.append(argument)
        elif argument.strip().startswith('{"IfPresent":'):
            choice = json.loads(argument)["IfPresent"]
            chosen = choice.get("Then" if parameters.get(choice["InputName"]) is not None else "Else") or []
            command += [_filled(one, parameters) for one in ([chosen] if isinstance(chosen, str) else chosen)]
        else:
            command.append(_filled(argument, parameters))
    return command


def _filled(argument: str, parameters: dict[str, Any]) -> str:
    def value_of(match: re.Match[str]) -> str:
        if match[1] not in parameters:
            raise Broken(f"failed to resolve input parameters: parameter {match[1]!r} not found in executor input")
        value = parameters[match[1]]
        return number_text(value) if kind_of(value) == "number" else to_text(value)

    return PARAMETER.sub(value_of, argument)


def fingerprint(
    task: dict[str, Any], component: dict[str, Any], container: dict[str, Any], sent: dict[str, Any], claims: list[str]
) -> str:
    """Return by what the cache knows a task again.

    Artifacts of inputs count by their ids, outputs by names, types and metadata; nothing of resources and environment does.

    Args:
        task: The task.
        component: Its component.
        container: Its container.
        sent: The executor input.
        claims: Persistent volume claims that are mounted.
    """
    own = task.get("cachingOptions", {}).get("cacheKey")
    outputs = {key: many["artifacts"][0] for key, many in sent["outputs"]["artifacts"].items()}
    parameters = component.get("outputDefinitions", {}).get("parameters", {})
    parts: Any = {
        "inputs": {key: [one["name"] for one in many["artifacts"]] for key, many in sent["inputs"]["artifacts"].items()},
        "parameters": sent["inputs"]["parameterValues"],
        "outputs": {key: {**artifact, "uri": ""} for key, artifact in outputs.items()},
        "output parameters": {key: one["parameterType"] for key, one in parameters.items()},
        "image": container["image"],
        "command": [*container.get("command", ()), *container.get("args", ())],
        "claims": sorted(set(claims)),
    }
    if own:
        parts = [task["componentRef"]["name"], own]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
