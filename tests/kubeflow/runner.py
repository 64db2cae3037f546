"""Runs a compiled pipeline from its YAML alone, as Kubeflow Pipelines' driver and launcher would, with processes for pods.

What they do was taken from the sources of Kubeflow Pipelines 2.5 (backend/src/v2/driver and component/launcher_v2.go): inputs
are sent without their types' schemas; each container finds its input artifacts, and those alone, in the launcher's folders,
and what it writes there is uploaded when it has ended well; what an executor writes into its output file is laid over what
the driver had set. No cluster took part.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.kubeflow.emulator.pods import Executor, Pod, PodLost, Processes

__all__ = ["Executor", "Pod", "PodLost", "Processes", "Runner", "Task"]
SCHEMES = ("minio", "s3", "gs")
FOLDERS = {"minio": "minio", "s3": "s3", "gs": "gcs"}


@dataclass
class Task:
    """What became of a task: `SUCCEEDED`, `CACHED`, `FAILED` or `SKIPPED`."""

    name: str
    state: str
    tries: int = 0
    status: int | None = None
    said: str = ""
    artifacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)


class Runner:
    """An emulated cluster: an object store in a folder, a cache, and the tasks of each run.

    Args:
        folder: Where the store and the containers' folders are.
        environment: Environment variables of all containers.
        executor: What runs pods; None takes processes.
    """

    def __init__(self, folder: Path, environment: dict[str, str] | None = None, executor: Executor | None = None):
        self.executor = executor or Processes()
        self.store, self.pods = folder / "store", folder / "pods"
        self.environment = environment or {}
        self.cache: dict[str, Task] = {}

    def run(self, text: str, run_id: str, parameters: dict[str, Any] | None = None) -> dict[str, Task]:
        """Runs a pipeline; gives its tasks by name."""
        spec = next(yaml.safe_load_all(text))
        declared = spec["root"].get("inputDefinitions", {}).get("parameters", {})
        given = parameters or {}
        assert set(given) == set(declared), "KFP drops default values: each run passes all parameters"
        return _Run(self, spec, run_id).graph(spec["root"]["dag"], given, {})


class _Run:
    def __init__(self, runner: Runner, spec: dict[str, Any], run_id: str):
        self.runner, self.spec, self.run_id = runner, spec, run_id
        self.root = f"{spec['defaultPipelineRoot']}/{spec['pipelineInfo']['name']}/{run_id}"

    def graph(self, dag: dict[str, Any], parameters: dict[str, Any], above: dict[str, Any]) -> dict[str, Task]:
        done: dict[str, Task] = {}
        for name in in_order(dag["tasks"]):
            task = dag["tasks"][name]
            waits = predecessors(task)
            always = task.get("triggerPolicy", {}).get("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED"
            if not always and any(done[other].state in ("FAILED", "SKIPPED") for other in waits):
                done[name] = Task(name, "SKIPPED")
                continue
            given = {key: self.artifact(one, done) for key, one in task.get("inputs", {}).get("artifacts", {}).items()}
            condition = task.get("triggerPolicy", {}).get("condition", "")
            if condition and not holds(condition, given):
                done[name] = Task(name, "SKIPPED")
                continue
            component = self.spec["components"][task["componentRef"]["name"]]
            if "dag" in component:
                inner = self.graph(component["dag"], parameters, above)
                done |= inner
                failed = any(one.state == "FAILED" for one in inner.values())
                done[name] = Task(name, "FAILED" if failed else "SUCCEEDED")
                continue
            values = task.get("inputs", {}).get("parameters", {})
            values = {key: self.parameter(one, done, parameters) for key, one in values.items()}
            done[name] = self.task(name, task, component, given, values)
        return done

    def task(self, name: str, task: dict, component: dict, artifacts: dict[str, dict], values: dict[str, Any]) -> Task:
        executor = self.spec["deploymentSpec"]["executors"][component["executorLabel"]]
        if "importer" in executor:
            uri = executor["importer"]["artifactUri"]["constant"]
            (key,) = component["outputDefinitions"]["artifacts"]
            return Task(name, "SUCCEEDED", artifacts={key: {"name": uri, "uri": uri, "metadata": {}}})
        assert "container" in executor, "resolver executors are not implemented in open-source Kubeflow Pipelines"
        key = cache_key(component, executor["container"], artifacts, values)
        if task.get("cachingOptions", {}).get("enableCache") and key in self.runner.cache:
            earlier = self.runner.cache[key]
            return Task(name, "CACHED", artifacts=earlier.artifacts, parameters=earlier.parameters)
        retries = int(task.get("retryPolicy", {}).get("maxRetryCount", 0))
        for attempt in range(retries + 1):
            result = self.container(name, component, executor["container"], artifacts, values, attempt)
            result.tries = attempt + 1
            if result.state == "SUCCEEDED":
                self.runner.cache[key] = result
                break
        return result

    def artifact(self, source: dict, done: dict[str, Task]) -> dict[str, Any]:
        producer = source["taskOutputArtifact"]
        return done[producer["producerTask"]].artifacts[producer["outputArtifactKey"]]

    def parameter(self, source: dict, done: dict[str, Task], parameters: dict[str, Any]) -> Any:
        if "runtimeValue" in source:
            return source["runtimeValue"]["constant"]
        if "componentInputParameter" in source:
            return parameters[source["componentInputParameter"]]
        producer = source["taskOutputParameter"]
        return done[producer["producerTask"]].parameters[producer["outputParameterKey"]]

    def container(self, name: str, component: dict, container: dict, artifacts: dict, values: dict, attempt: int) -> Task:
        """The launcher's part: download, run, upload, merge."""
        pod = self.runner.pods / self.run_id / f"{name}-{attempt}"
        pod.mkdir(parents=True)
        for artifact in artifacts.values():
            stored = self.stored(artifact["uri"])
            if stored.exists():
                shutil.copytree(stored, pod / mounted(artifact["uri"]), dirs_exist_ok=True)
        outputs = {
            key: {
                "name": "",
                "uri": f"{self.root}/{name}/{key}",
                "type": one["artifactType"],
                "metadata": one.get("metadata", {}),
            }
            for key, one in component.get("outputDefinitions", {}).get("artifacts", {}).items()
        }
        file = pod / "tmp" / "kfp_outputs" / "output_metadata.json"
        invocation = {
            "inputs": {
                "parameterValues": values,
                "artifacts": {key: {"artifacts": [{**one, "type": {}}]} for key, one in artifacts.items()},
            },
            "outputs": {
                "artifacts": {key: {"artifacts": [one]} for key, one in outputs.items()},
                "outputFile": self.runner.executor.root(pod) + "/tmp/kfp_outputs/output_metadata.json",
            },
        }
        command = [*container.get("command", ()), *container.get("args", ())]
        command = [argument.replace("{{$}}", json.dumps(invocation)) for argument in command]
        label = f"{self.run_id}-{name}-{attempt}".lower().replace("_", "-")
        environment = dict(self.runner.environment)
        status, said = self.runner.executor.run(
            Pod(label, container["image"], command, pod, environment, container.get("resources", {}))
        )
        (pod / "log.txt").write_text(said)
        result = Task(name, "FAILED", status=status, said=said)
        if status:
            return result
        written = json.loads(file.read_text()) if file.exists() else {}
        for key, artifact in outputs.items():
            for more in written.get("artifacts", {}).get(key, {}).get("artifacts", ()):
                artifact["metadata"] = {**artifact["metadata"], **more.get("metadata", {})}
                artifact["uri"] = more.get("uri") or artifact["uri"]
            here = pod / mounted(artifact["uri"])
            if here.exists():
                shutil.copytree(here, self.stored(artifact["uri"]), dirs_exist_ok=True)
            del artifact["type"]  # ML Metadata keeps it; the driver does not send it to the next one
        result.state, result.artifacts, result.parameters = "SUCCEEDED", outputs, written.get("parameterValues", {})
        shutil.rmtree(pod, ignore_errors=True)
        return result

    def stored(self, uri: str) -> Path:
        return self.runner.store / mounted(uri)


def holds(condition: str, artifacts: dict[str, dict[str, Any]]) -> bool:
    """Whether a condition in CEL (cel.dev) holds for a task's input artifacts."""
    import celpy

    inputs = {"artifacts": {key: {"artifacts": [artifact]} for key, artifact in artifacts.items()}}
    environment = celpy.Environment()
    program = environment.program(environment.compile(condition))
    return bool(program.evaluate({"inputs": celpy.json_to_cel(inputs)}))


def mounted(uri: str) -> str:
    """The launcher's folder for a URI, relative to the root."""
    scheme, _, rest = uri.partition("://")
    assert scheme in SCHEMES, uri
    return f"{FOLDERS[scheme]}/{rest}"


def predecessors(task: dict[str, Any]) -> set[str]:
    """The tasks that a task waits for."""
    inputs = task.get("inputs", {})
    found = set(task.get("dependentTasks", ()))
    found |= {
        one["taskOutputArtifact"]["producerTask"] for one in inputs.get("artifacts", {}).values() if "taskOutputArtifact" in one
    }
    found |= {
        one["taskOutputParameter"]["producerTask"] for one in inputs.get("parameters", {}).values() if "taskOutputParameter" in one
    }
    return found


def in_order(tasks: dict[str, dict[str, Any]]) -> list[str]:
    """The tasks, each behind those that it waits for."""
    order: list[str] = []
    left = dict(tasks)
    while left:
        ready = sorted(name for name, task in left.items() if not predecessors(task) & set(left))
        assert ready, f"these tasks wait for each other: {sorted(left)}"
        order += ready
        for name in ready:
            del left[name]
    return order


def cache_key(component: dict, container: dict, artifacts: dict[str, dict], values: dict[str, Any]) -> str:
    """By what the cache knows a task again: its container, its parameters, the names of its inputs and the kinds of its outputs."""
    parts = {
        "image": container["image"],
        "command": [*container.get("command", ()), *container.get("args", ())],
        "inputs": {key: artifact["uri"] for key, artifact in artifacts.items()},
        "parameters": values,
        "outputs": component.get("outputDefinitions", {}),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
