"""The rules of `kubeflow.compile.lint`. Each checks a PipelineSpec, in the form of the published messages, for one kind of error.

The behavior of servers was read in the sources of Kubeflow Pipelines 2.17. A rule that follows one source file names it. A rule
yields the place of each violation, and the message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import yaml

SCHEMA = "2.1.0"
STOCK = "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor"
OURS = "kubeflow.entrypoint"
VERDICT = "kubeflow.container.verdict.Executor"
_BLESSINGS = ("ModelBlessing", "InfraBlessing", "darkroom.DataBlessing")
_DAY = 24 * 3600
_TEMPLATES = ("root", "entrypoint")  # template names that the server's workflow uses
_NUMBER = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

Part = dict[str, Any]
Problems = Iterator[tuple[str, str]]


@dataclass(frozen=True)
class Violation:
    """A problem of a compiled pipeline."""

    rule: str  # a short name of the rule
    where: str  # the task, the executor or the part
    message: str  # what happens on the cluster, and what to do, in a sentence

    def __str__(self) -> str:
        return f"{self.where}: {self.message} [{self.rule}]"


def _at(part: Part, *keys: str) -> Part:
    """Return an inner mapping; empty if it is absent."""
    for key in keys:
        part = part.get(key, {})
    return part


def _graphs(spec: Part) -> Iterator[Part]:
    """Yield the tasks of each graph by name."""
    for component in (spec["root"], *_at(spec, "components").values()):
        if "dag" in component:
            yield _at(component, "dag", "tasks")


def _tasks(spec: Part) -> list[tuple[str, Part]]:
    return [item for tasks in _graphs(spec) for item in tasks.items()]


def _executors(spec: Part) -> Part:
    return _at(spec, "deploymentSpec", "executors")


def _containers(spec: Part) -> list[tuple[str, Part]]:
    return [(name, executor["container"]) for name, executor in _executors(spec).items() if "container" in executor]


def _component_of(spec: Part, task: Part) -> Part:
    return _at(spec, "components").get(_at(task, "componentRef").get("name"), {})


def _container_of(spec: Part, task: Part) -> Part:
    return dict(_containers(spec)).get(_component_of(spec, task).get("executorLabel"), {})


def _runs(spec: Part, task: Part, executor: str) -> bool:
    """Return True if an argument of the task's container contains the path of an executor."""
    return any(executor in str(argument) for argument in _container_of(spec, task).get("args", ()))


def schema_version(spec: Part) -> Problems:
    """Require the only schema version that Kubeflow Pipelines reads."""
    result = spec.get("schemaVersion")
    if result != SCHEMA:
        yield "schemaVersion", f"is {result}, but servers read only {SCHEMA}: set use_pipeline_spec_2_1=True"


def resolvers(spec: Part) -> Problems:
    """Refuse resolvers, which only Vertex AI supports."""
    for name, executor in _executors(spec).items():
        if "resolver" in executor:
            yield name, "resolver executors are not implemented: let a component look for the artifact"


def drivers(spec: Part) -> Problems:
    """Refuse drivers: Kubeflow Pipelines does not run them before it looks up the cache."""
    what_happens = "lifecycle.preCacheCheck is ignored: no span is found and no change of the files is seen"
    for name, container in _containers(spec):
        if "preCacheCheck" in _at(container, "lifecycle"):
            yield name, f"{what_happens}; run the driver in the container, without the cache"


def cached_sources(spec: Part) -> Problems:
    """Refuse caching of a task that reads files. No input would reveal a change, so that it would be cached forever."""
    for name, task in _tasks(spec):
        if _at(task, "cachingOptions").get("enableCache") and "input_base" in _at(task, "inputs", "parameters"):
            yield name, "reads files, and the cache does not detect their changes: remove its cachingOptions"


def entrypoints(spec: Part) -> Problems:
    """Refuse TFX's own entrypoint, which fails on the empty types that the driver sends."""
    what_to_do = "set default_commands to one that adds the types, such as python -m kubeflow.entrypoint"
    for name, container in _containers(spec):
        if STOCK in container.get("command", []):
            yield name, f"TFX's own entrypoint fails, because the server sends input artifacts without a type: {what_to_do}"


def parameters(spec: Part) -> Problems:
    """Refuse parameters without a default value, because TFX drops it."""
    for name, parameter in _at(spec["root"], "inputDefinitions", "parameters").items():
        if "defaultValue" not in parameter:
            message = "has no default value, because TFX drops it: give each run a value, or use a constant"
            yield f"the parameter {name}", message


def double_outputs(spec: Part) -> Problems:
    """Refuse outputs of type double as parameters. TFX's executors do not pass them on; those of other compilers do."""
    if spec.get("sdkVersion", "").startswith("kfp"):
        return
    for name, component in _at(spec, "components").items():
        for key, output in _at(component, "outputDefinitions", "parameters").items():
            if output.get("parameterType") == "NUMBER_DOUBLE":
                message = f"returns its output {key} as a parameter of type double, which is not passed on"
                yield name, f"{message}: write it into an artifact"


def accelerators(spec: Part, pattern: str, hint: str) -> Problems:
    """Require accelerator types that the server supports: those that match `pattern`."""
    for name, container in _containers(spec):
        kind = _at(container, "resources", "accelerator").get("type")
        if kind and not re.fullmatch(pattern, kind):
            yield name, f"asks for the accelerator {kind}, which is {hint}"


def infra_validators(spec: Part) -> Problems:
    """Refuse InfraValidator, because a pod has no docker."""
    for name, container in _containers(spec):
        if any("infra_validator" in str(argument) for argument in container.get("args", [])):
            yield name, "InfraValidator needs docker or rights that a pod does not have: check the model inside a container"


def references(spec: Part) -> Problems:
    """Require that referenced tasks, components and executors exist. TFX writes some references to missing ones."""
    components, executors = _at(spec, "components"), _executors(spec)
    for component_name, component in components.items():
        label = component.get("executorLabel")
        if label is not None and label not in executors:
            yield component_name, f"uses the executor {label}, which does not exist"
    for tasks in _graphs(spec):
        for name, task in tasks.items():
            component_name = _at(task, "componentRef").get("name")
            if component_name not in components:
                yield name, f"uses the component {component_name}, which does not exist"
            for other in sorted(_named(task) - set(tasks)):
                yield name, f"waits for {other}, which does not exist in its graph"


def _named(task: Part) -> set[str]:
    """Return the tasks that a task waits for."""
    given = [*_at(task, "inputs", "artifacts").values(), *_at(task, "inputs", "parameters").values()]
    sources = [value[key] for value in given for key in ("taskOutputArtifact", "taskOutputParameter") if key in value]
    return {*task.get("dependentTasks", ()), *(source["producerTask"] for source in sources)}


def conditions(spec: Part) -> Problems:
    """Require that a condition uses only inputs of its task."""
    for name, task in _tasks(spec):
        condition = _at(task, "triggerPolicy").get("condition", "")
        for kind, key in re.findall(r"inputs\.(artifacts|parameters)\['([^']+)'\]", condition):
            if key not in _at(task, "inputs", kind):
                message = f"has a condition on {key}, which is not one of its inputs"
                yield name, f"{message}: a channel in a condition must not be an input as well"


def exit_handlers(spec: Part) -> Problems:
    """Require that a gate's refusal fails a task of the graph.

    An exit handler cannot fail the run (argocompiler/dag.go, argocompiler/common.go).
    """
    for name, task in _tasks(spec):
        if _is_verdict(spec, task) and _is_exit_handler(task):
            yield name, "is an exit handler, whose failure does not fail the run: make it depend on the last task instead"


def undecided(spec: Part) -> Problems:
    """Require a verdict after each gate of a pipeline of this project that has an exit handler."""
    ours = any(OURS in container.get("command", ()) for _, container in _containers(spec))
    if not ours or not any(_is_exit_handler(task) for _, task in _tasks(spec)):
        return
    for tasks in _graphs(spec):
        behind, new = set(), {name for name, task in tasks.items() if _is_verdict(spec, task)}
        while new:
            behind |= new
            new = {other for name in new for other in _named(tasks[name])} & set(tasks) - behind
        for name, task in tasks.items():
            outputs = _at(_component_of(spec, task), "outputDefinitions", "artifacts").values()
            blesses = any(blessing in str(output.get("artifactType")) for blessing in _BLESSINGS for output in outputs)
            # The blessing of a baseline is that of an earlier run.
            if name not in behind and blesses and not _runs(spec, task, "components.baselines.registry."):
                yield name, "may refuse, but no task after it fails then: the run would succeed"


def _is_verdict(spec: Part, task: Part) -> bool:
    return VERDICT in _container_of(spec, task).get("args", ())


def _is_exit_handler(task: Part) -> bool:
    return _at(task, "triggerPolicy").get("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED"


def retries(spec: Part) -> Problems:
    """Check retries: `backoffMaxDuration` becomes Argo's `maxDuration`, the time of all attempts from the first start.

    Source: argocompiler/container.go.
    """
    for name, task in _tasks(spec):
        policy = _at(task, "retryPolicy")
        if not policy.get("maxRetryCount"):
            continue
        factor = policy.get("backoffFactor", 2)
        if factor != int(factor):
            yield name, f"has the backoffFactor {factor:g}, but the server reads only whole numbers: the task would fail"
        longest = float(policy.get("backoffMaxDuration", "0s").rstrip("s"))
        if not longest:
            yield name, "is never retried: without a backoffMaxDuration, all attempts end at once"
        elif longest < _DAY:
            message = f"is not retried later than {longest:g} s after its first start"
            yield name, f"{message}: backoffMaxDuration limits all attempts together; set it to days"


def roots(spec: Part) -> Problems:
    """Require a root that the launcher can open: gs://, s3:// or minio:// (LocalPathForURI).

    No server reads `defaultPipelineRoot`; `darkroom submit` sends it.
    """
    root = spec.get("defaultPipelineRoot", "")
    if root and not root.startswith(("gs://", "s3://", "minio://")):
        yield "defaultPipelineRoot", f"is {root[:60]}: the launcher opens only gs://, s3:// and minio://"


def nulls(spec: Part) -> Problems:
    """Refuse nulls, which are errors for the driver and for ML Metadata (driver/resolve.go, metadata/converter.go)."""
    for name, task in _tasks(spec):
        for key, given in _at(task, "inputs", "parameters").items():
            if _at(given, "runtimeValue").get("constant", "") is None:
                yield name, f"has null as its parameter {key}: leave it out"
    for name, component in _at(spec, "components").items():
        for key, output in _at(component, "outputDefinitions", "artifacts").items():
            for field, value in _at(output, "metadata").items():
                if value is None:
                    yield name, f"has null for {field} in the metadata of its output {key}: leave it out"


def dollars(spec: Part) -> Problems:
    """Refuse dollar expressions in parameters.

    Parameters reach the launcher as container arguments, where Kubernetes expands $(NAME) and turns $$ into $.
    """
    for name, task in _tasks(spec):
        for key, given in _at(task, "inputs", "parameters").items():
            match = re.search(r"\$\$|\$\([A-Za-z_]\w*\)", str(_at(given, "runtimeValue").get("constant", "")))
            if match:
                yield name, f"has {match[0]} in its parameter {key}, which Kubernetes replaces: change the text"


def empty_outputs(spec: Part) -> Problems:
    """Refuse inputs from TFX's Pusher. Its output folder is empty if it does not push, and uploads lose empty folders."""
    pushers = {name for name, task in _tasks(spec) if _runs(spec, task, "tfx.components.pusher.executor")}
    what_to_do = "create it in the container, as python -m kubeflow.entrypoint does"
    for name, task in _tasks(spec):
        for key, given in _at(task, "inputs", "artifacts").items():
            producer = _at(given, "taskOutputArtifact").get("producerTask")
            if producer in pushers and OURS not in _container_of(spec, task).get("command", ()):
                yield (
                    name,
                    f"takes {key} from {producer}. Without a push its folder is empty, and the upload loses it: {what_to_do}",
                )


def names(spec: Part) -> Problems:
    """Check names of pipelines, tasks and components.

    The server checks pipeline names. Names of tasks and components become names in the workflow, which Argo checks (validate.go).
    """
    pipeline, components = spec["pipelineInfo"].get("name", ""), _at(spec, "components")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,127}", pipeline):
        yield "pipelineInfo", f"has the name {pipeline[:60]!r}: use only lowercase letters, digits and -, at most 128"
    for name in sorted({*components, *(name for name, _ in _tasks(spec))}):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,119}", name):
            yield name[:60], "is not a valid name of a task or component: use only letters, digits and -, at most 120"
    for name in sorted(set(components) & set(_TEMPLATES)):
        yield name, "is a name that the server's workflow uses: start names of components with comp-"
    for name, component in components.items():
        if "executor-logs" in _at(component, "outputDefinitions", "artifacts"):
            yield name, "has an output executor-logs, the name of the server's own log: rename it"


def misread(text: str) -> Iterator[Violation]:
    """Yield unquoted strings that this parser reads as strings and the server's parser as numbers."""
    for event in yaml.parse(text):
        plain = isinstance(event, yaml.ScalarEvent) and event.implicit[0] and event.style is None
        if plain and _NUMBER.fullmatch(event.value) and isinstance(yaml.safe_load(event.value), str):
            line = f"line {event.start_mark.line + 1}"
            yield Violation("string", line, f"the server reads {event.value} as a number: put it in quotes")


Rules = Mapping[str, Callable[[Part], Problems]]
EVERYWHERE: Rules = {"reference": references, "condition": conditions}
VERTEX: Rules = {
    "accelerator": partial(accelerators, pattern=r"[A-Z0-9_]+", hint="no type of Vertex AI: use one such as NVIDIA_TESLA_T4")
}
OPEN_SOURCE: Rules = {
    "schema": schema_version,
    "resolver": resolvers,
    "driver": drivers,
    "stale": cached_sources,
    "entrypoint": entrypoints,
    "parameter": parameters,
    "double": double_outputs,
    "accelerator": partial(
        accelerators, pattern=r"[a-z0-9.-]+/[A-Za-z0-9._-]+", hint="no Kubernetes resource: use one such as nvidia.com/gpu"
    ),
    "infra-validator": infra_validators,
    "exit-handler": exit_handlers,
    "no-verdict": undecided,
    "retries": retries,
    "root": roots,
    "null": nulls,
    "dollar": dollars,
    "empty-output": empty_outputs,
    "name": names,
}
