"""Runs a compiled pipeline from its YAML alone, as Kubeflow Pipelines 2.17 would, with processes or containers for pods.

What its compiler, driver and launcher do, and Argo Workflows 4.0.8 with what they make, was taken from their sources; the modules
of `tests.kubeflow.emulator` name the files and functions that they follow. No cluster took part. Not emulated are loops, expression
selectors, workspaces, OCI artifacts, and the rarer fields of the platform document (see `platform.OTHERS`): they raise
NotImplementedError. Tasks run one after another.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

from tests.kubeflow.emulator import platform
from tests.kubeflow.emulator.compiler import Pipeline, Refused, load, parameters_of
from tests.kubeflow.emulator.conditions import holds
from tests.kubeflow.emulator.driver import (
    Inputs,
    RunInfo,
    Scope,
    command_of,
    fingerprint,
    inputs_of,
    outputs_of,
    parameter_of,
)
from tests.kubeflow.emulator.graph import run_graph
from tests.kubeflow.emulator.launcher import FOLDERS, Launcher, Outcome, filled_in
from tests.kubeflow.emulator.metadata import Metadata
from tests.kubeflow.emulator.platform import Nodes, Patch, Pending
from tests.kubeflow.emulator.pods import Executor, Forks, Pod, PodLost, Processes, expanded
from tests.kubeflow.emulator.retries import INSTALLED, Clock, Defaults, Strategy, Try, with_defaults, with_retries
from tests.kubeflow.emulator.tasks import Run, Task
from tests.kubeflow.emulator.values import Broken, to_json

__all__ = [
    "Clock",
    "Defaults",
    "Executor",
    "Forks",
    "Nodes",
    "Pending",
    "Pod",
    "PodLost",
    "Processes",
    "Refused",
    "Run",
    "Runner",
    "Task",
]

# The default of the launcher's ConfigMap (backend/src/v2/config/env.go, DefaultPipelineRoot), and of the server that it is at.
DEFAULT_ROOT = "minio://mlpipeline/v2/artifacts"
MINIO = {
    "region": "minio",
    "endpoint": "seaweedfs.kubeflow:9000",
    "disableSSL": "true",
    "fromEnv": "false",
    "maxRetries": "5",
    "secretName": "mlpipeline-minio-artifact",
    "accessKeyKey": "accesskey",
    "secretKeyKey": "secretkey",
}


class Runner:
    """An emulated cluster: object stores in a folder, ML Metadata, a cache, and the tasks of each run.

    Args:
        folder: Where the stores and the pods' folders are.
        environment: Environment variables of all containers.
        executor: What runs pods; None takes processes.
        clock: What pauses and deadlines go by; no one waits for it.
        nodes: The Secrets, claims and nodes there are.
        default_root: The root of runs that say none: defaultPipelineRoot of the launcher's ConfigMap.
        defaults: What the workflow controller's configuration says of retries.
    """

    def __init__(
        self,
        folder: Path,
        environment: dict[str, str] | None = None,
        executor: Executor | None = None,
        clock: Clock | None = None,
        nodes: Nodes | None = None,
        default_root: str = DEFAULT_ROOT,
        defaults: Defaults = INSTALLED,
    ):
        self.store, self.pods = folder / "store", folder / "pods"
        self.environment = environment or {}
        self.executor = executor or Processes()
        self.clock = clock or Clock()
        self.nodes = nodes or Nodes()
        self.default_root, self.defaults = default_root, defaults
        self.metadata = Metadata()
        self.cache: dict[tuple[str, str], Task] = {}

    def run(self, text: str, run_id: str, parameters: dict[str, Any] | None = None, pipeline_root: str | None = None) -> Run:
        """Run a pipeline to its end.

        Args:
            text: The compiled file. Its defaultPipelineRoot is read by nobody.
            run_id: The run's id.
            parameters: runtime_config.parameters.
            pipeline_root: runtime_config.pipeline_root.

        Returns:
            The tasks by name, and the run's state.

        Raises:
            Refused: The server does not take the file or the parameters.
            Pending: A pod waits without end.
        """
        pipeline = load(text)
        values = parameters_of(pipeline, parameters or {})
        root = (pipeline_root or self.default_root).rstrip("/")
        provider = root.partition("://")[0]
        session = to_json({"Provider": provider, "Params": MINIO if provider == "minio" else {"fromEnv": "true"}})
        info = RunInfo(pipeline.name, run_id, f"{root}/{pipeline.name}/{run_id}", session)
        return _Run(self, pipeline, info).whole(Inputs(values))


class _Run:
    """A run under way."""

    def __init__(self, cluster: Runner, pipeline: Pipeline, info: RunInfo):
        self.cluster, self.pipeline, self.info = cluster, pipeline, info
        self.tasks = Run()

    def whole(self, inputs: Inputs) -> Run:
        """Run the root graph."""
        # The template `entrypoint` holds the template `root`, and both have the controller's defaults.
        task = with_defaults(self.cluster.defaults, lambda: self._phased("root", self.pipeline.spec["root"]["dag"], inputs))[1]
        self.tasks.state = task.state
        return self.tasks

    def task(self, name: str, task: dict[str, Any], scope: Scope) -> Task:
        """Run a task whose turn it is: its driver, and what that says."""
        component = self.pipeline.component(task)
        try:
            if "dag" not in component and "importer" in self.pipeline.executor(component):
                return self.imported(name, task, component, scope)
            inputs = inputs_of(name, task, component, scope, self.info)
            condition = task.get("triggerPolicy", {}).get("condition", "")
            if condition and not holds(condition, inputs.sent()):
                return Task(name, "SKIPPED", said=f"when '{condition}' evaluated false")
            if "dag" in component:
                return self.graph(name, component["dag"], inputs)
            return self.contained(name, task, component, inputs, scope)
        except Broken as error:
            return Task(name, "FAILED", said=f"driver: {error}")

    def graph(self, name: str, dag: dict[str, Any], inputs: Inputs) -> Task:
        """Run a graph within the graph. A retryPolicy of such a task is ignored (argocompiler/dag.go, dagTask)."""
        phases: list[str] = []

        def run() -> tuple[str, dict[str, Task]]:
            phase, done = run_graph(dag, inputs, self.task, self.tasks, self.cluster.defaults)
            phases.append(phase)
            return phase, done

        phase, inner = with_defaults(self.cluster.defaults, run)
        state = "SUCCEEDED" if phase == "Succeeded" else "FAILED"
        return Task(name, state, phases=phases, graph=inner, outputs=dag.get("outputs", {}))

    def _phased(self, name: str, dag: dict[str, Any], inputs: Inputs) -> tuple[str, Task]:
        task = self.graph(name, dag, inputs)
        return task.phases[-1], task

    def imported(self, name: str, task: dict[str, Any], component: dict[str, Any], scope: Scope) -> Task:
        """Register what an importer names (component/importer_launcher.go); nothing is looked at."""
        importer = self.pipeline.executor(component)["importer"]
        source = importer.get("artifactUri", {})
        uri = source.get("constant")
        if "runtimeParameter" in source:
            uri = parameter_of(name, task["inputs"]["parameters"][source["runtimeParameter"]], task, scope, self.info)
        if not uri or "://" not in uri:
            raise Broken(f"ImportSpecToMLMDArtifact: no provider scheme found in artifact URI: {uri}")
        if task.get("taskInfo", {}).get("name") != name:  # it is filed under that name, and looked for under the other
            raise Broken(f"Execute: the importer's taskInfo.name must be {name}")
        (key,) = component["outputDefinitions"]["artifacts"]
        metadata, anew = importer.get("metadata", {}), bool(importer.get("reimport"))
        artifact = self.cluster.metadata.import_once(uri, importer.get("typeSchema", {}), metadata, anew=anew)
        return Task(name, "SUCCEEDED", artifacts={key: artifact})

    def contained(self, name: str, task: dict[str, Any], component: dict[str, Any], inputs: Inputs, scope: Scope) -> Task:
        """Run a container, unless the cache knows its outputs."""
        container = self.pipeline.executor(component)["container"]
        config = self.pipeline.kubernetes.get(component["executorLabel"], {})
        patch = platform.patch_of(config, lambda source: parameter_of(name, source, task, scope, self.info))
        given = {"inputs": inputs.sent(), "outputs": outputs_of(name, component, self.info)}
        cached = task.get("cachingOptions", {}).get("enableCache", False)
        key = self.info.pipeline, fingerprint(task, component, container, given, [claim for claim, _ in patch.volumes])
        if cached and key in self.cluster.cache:
            earlier = self.cluster.cache[key]
            lost = sorted(set(given["outputs"]["artifacts"]) - set(earlier.artifacts))
            if lost:
                raise Broken(f"reuseCachedOutputs: unable to find artifact with name {lost[0]} in mlmd output artifacts")
            return Task(name, "CACHED", artifacts=earlier.artifacts, parameters=earlier.parameters)
        command = command_of(container, inputs.parameters)

        strategy, phases = Strategy.of_task(task, self.cluster.defaults), list[str]()

        def attempt(retry: int, deadline: float | None) -> Try[Outcome]:
            environment = {"KFP_RETRY_INDEX": str(retry)} if "retryPolicy" in task else {}
            made = {**container, "command": command, "env": [*_listed(environment), *container.get("env", ())]}
            return self.pod(name, component, made, given, patch, retry, deadline)

        def executor() -> tuple[str, tuple[Outcome, str]]:  # a graph of one task, which may be run again like any other
            tries, ended = with_retries(strategy, self.cluster.clock, attempt)
            phases.extend(one.phase for one in tries)
            return tries[-1].phase, (tries[-1].result, ended)

        phase, (last, ended) = with_defaults(self.cluster.defaults, executor)
        state = "SUCCEEDED" if phase == "Succeeded" else "FAILED"
        result = Task(name, state, len(phases), phases, last.status, last.said, ended)
        result.artifacts, result.parameters = last.artifacts, last.parameters
        if cached and state == "SUCCEEDED":
            self.cluster.cache[key] = result
        return result

    def pod(
        self,
        name: str,
        component: dict[str, Any],
        container: dict[str, Any],
        given: dict[str, Any],
        patch: Patch,
        retry: int,
        deadline: float | None,
    ) -> Try[Outcome]:
        """Run one pod: the launcher around the user's command."""
        cluster = self.cluster
        secrets = platform.admitted(patch, cluster.nodes)
        folder = self.folder(f"{self.info.run_id}-{name}-{retry}")
        root = cluster.executor.root(folder)
        launcher = Launcher(cluster.store, folder, root, self.info.root, self.info.session)
        own = {one["name"]: one.get("value", "") for one in container.get("env", ())}
        environment = {**cluster.environment, "KFP_POD_NAME": folder.name, **own, **secrets}
        try:
            # The executor input is an argument too, of the launcher, and expanded like the user's own.
            seen = json.loads(expanded(json.dumps(launcher.prepared(given, component, retry)), environment))
            command = filled_in([expanded(one, environment) for one in container["command"]], seen, root)
        except (Broken, json.JSONDecodeError) as error:
            return Try("Failed", Outcome(said=f"launcher: {error}"))
        resources = container.get("resources", {})
        pod = Pod(folder.name, container["image"], command, folder, environment, resources, patch.volumes, patch.node_selector)
        before, started = cluster.clock.now, time.monotonic()
        try:
            status, said = cluster.executor.run(pod)
        except PodLost as lost:
            return Try("Error", Outcome(said=f"pod deleted: {lost}"))
        finally:
            cluster.clock.advance(time.monotonic() - started)
        (folder / "log.txt").write_text(said)
        limits = [limit for limit in (deadline, before + patch.deadline if patch.deadline else None) if limit is not None]
        if any(cluster.clock.now > limit for limit in limits):
            return Try("Failed", Outcome(said="Pod was active on the node longer than the specified deadline"))
        well, outcome = launcher.finished(seen, component, status, said, cluster.metadata)
        if well:
            shutil.rmtree(folder, ignore_errors=True)
        return Try("Succeeded" if well else "Failed", outcome)

    def folder(self, label: str) -> Path:
        """Make a pod's folder; its name is the pod's."""
        name = re.sub("[^a-z0-9-]+", "-", label.lower()).strip("-")
        folder, more = self.cluster.pods / name, 1
        while folder.exists():
            more += 1
            folder = self.cluster.pods / f"{name}-{more}"
        for inner in (*FOLDERS.values(), "/tmp"):
            (folder / inner.strip("/")).mkdir(parents=True)
        return folder


def _listed(environment: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in environment.items()]
