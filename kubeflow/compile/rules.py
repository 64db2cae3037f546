"""The rules of `kubeflow.compile.lint`. Each checks a PipelineSpec, in the form of the published messages, for one kind of error.

The behavior of servers was read in the sources of Kubeflow Pipelines 2.17. A rule that follows one source file names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
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


@dataclass(frozen=True)
class Violation:
    """A problem of a compiled pipeline.

    Attributes:
        rule: A short name of the rule.
        where: The task, the executor or the part.
        message: What happens on the cluster, and what to do, in a sentence.
    """

    rule: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message} [{self.rule}]"


def _graphs(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the tasks of each graph by name."""
    for component in (spec["root"], *spec.get("components", {}).values()):
        if "dag" in component:
            yield component["dag"].get("tasks", {})


def _tasks(spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for tasks in _graphs(spec):
        yield from tasks.items()


def _executors(spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from spec.get("deploymentSpec", {}).get("executors", {}).items()


def _containers(spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, executor in _executors(spec):
        if "container" in executor:
            yield name, executor["container"]


def schema_version(spec: dict[str, Any]) -> Iterator[Violation]:
    """Require the only schema version that Kubeflow Pipelines reads."""
    found = spec.get("schemaVersion")
    if found != SCHEMA:
        yield Violation("schema", "schemaVersion", f"is {found}, but servers read only {SCHEMA}: set use_pipeline_spec_2_1=True")


def resolvers(spec: dict[str, Any]) -> Iterator[Violation]:
    """Refuse resolvers, which only Vertex AI supports."""
    for name, executor in _executors(spec):
        if "resolver" in executor:
            yield Violation("resolver", name, "resolver executors are not implemented: let a component look for the artifact")


def drivers(spec: dict[str, Any]) -> Iterator[Violation]:
    """Refuse drivers: Kubeflow Pipelines does not run them before it looks up the cache."""
    for name, container in _containers(spec):
        if "preCacheCheck" in container.get("lifecycle", {}):
            yield Violation(
                "driver",
                name,
                "lifecycle.preCacheCheck is ignored: no span is found and no change of the files is seen; "
                "run the driver in the container, without the cache",
            )


def cached_sources(spec: dict[str, Any]) -> Iterator[Violation]:
    """Refuse caching of a task that reads files. No input would reveal a change, so that it would be cached forever."""
    for name, task in _tasks(spec):
        cached = task.get("cachingOptions", {}).get("enableCache")
        if cached and "input_base" in task.get("inputs", {}).get("parameters", {}):
            yield Violation("stale", name, "reads files, and the cache does not detect their changes: remove its cachingOptions")


def entrypoints(spec: dict[str, Any]) -> Iterator[Violation]:
    """Refuse TFX's own entrypoint, which fails on the empty types that the driver sends."""
    for name, container in _containers(spec):
        if STOCK in container.get("command", []):
            yield Violation(
                "entrypoint",
                name,
                "TFX's own entrypoint fails, because the server sends input artifacts without a type: "
                "set default_commands to one that adds the types, such as python -m kubeflow.entrypoint",
            )


def parameters(spec: dict[str, Any]) -> Iterator[Violation]:
    """Refuse parameters without a default value, because TFX drops it."""
    declared = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    for name, parameter in declared.items():
        if "defaultValue" not in parameter:
            yield Violation(
                "parameter",
                f"the parameter {name}",
                "has no default value, because TFX drops it: give each run a value, or use a constant",
            )


def double_outputs(spec: dict[str, Any]) -> Iterator[Violation]:
    """Refuse outputs of type double as parameters. TFX's executors do not pass them on; those of other compilers do."""
    if spec.get("sdkVersion", "").startswith("kfp"):
        return
    for name, component in spec.get("components", {}).items():
        for key, output in component.get("outputDefinitions", {}).get("parameters", {}).items():
            if output.get("parameterType") == "NUMBER_DOUBLE":
                yield Violation(
                    "double",
                    name,
                    f"returns its output {key} as a parameter of type double, which is not passed on: write it into an artifact",
                )


def accelerators(spec: dict[str, Any], pattern: str, hint: str) -> Iterator[Violation]:
    """Require accelerator types that the server supports: those that match `pattern`."""
    for name, container in _containers(spec):
        kind = container.get("resources", {}).get("accelerator", {}).get("type")
        if kind and not re.fullmatch(pattern, kind):
            yield Violation("accelerator", name, f"asks for the accelerator {kind}, which is {hint}")


def infra_validators(spec: dict[str, Any]) -> Iterator[Violation]:
    """Refuse InfraValidator, because a pod has no docker."""
    for name, container in _containers(spec):
        if any("infra_validator" in str(argument) for argument in container.get("args", [])):
            yield Violation(
                "infra-validator",
                name,
                "InfraValidator needs docker or rights that a pod does not have: check the model inside a container",
            )


def references(spec: dict[str, Any]) -> Iterator[Violation]:
    """Require that referenced tasks, components and executors exist. TFX writes some references to missing ones."""
    executors = dict(_executors(spec))
    for component_name, component in spec.get("components", {}).items():
        label = component.get("executorLabel")
        if label is not None and label not in executors:
            yield Violation("reference", component_name, f"uses the executor {label}, which does not exist")
    for tasks in _graphs(spec):
        for name, task in tasks.items():
            if task.get("componentRef", {}).get("name") not in spec.get("components", {}):
                yield Violation(
                    "reference", name, f"uses the component {task.get('componentRef', {}).get('name')}, which does not exist"
                )
            for other in sorted(_named(task) - set(tasks)):
                yield Violation("reference", name, f"waits for {other}, which does not exist in its graph")


def _named(task: dict[str, Any]) -> set[str]:
    inputs = task.get("inputs", {})
    found = set(task.get("dependentTasks", ()))
    for kind in ("artifacts", "parameters"):
        for one in inputs.get(kind, {}).values():
            for source in ("taskOutputArtifact", "taskOutputParameter"):
                if source in one:
                    found.add(one[source]["producerTask"])
    return found


def conditions(spec: dict[str, Any]) -> Iterator[Violation]:
    """Require that a condition uses only inputs of its task."""
    pattern = re.compile(r"inputs\.(artifacts|parameters)\['([^']+)'\]")
    for name, task in _tasks(spec):
        condition = task.get("triggerPolicy", {}).get("condition", "")
        for kind, key in pattern.findall(condition):
            if key not in task.get("inputs", {}).get(kind, {}):
                yield Violation(
                    "condition",
                    name,
                    f"has a condition on {key}, which is not one of its inputs: a channel in a condition must not be an input as well",
                )


def refusals(spec: dict[str, Any]) -> Iterator[Violation]:
    """Require that a gate's refusal fails a task of the graph.

    An exit handler cannot fail the run (argocompiler/dag.go, argocompiler/common.go).
    """
    verdicts = {name for name, task in _tasks(spec) if VERDICT in _container_of(spec, task).get("args", ())}
    for name, task in _tasks(spec):
        if name in verdicts and _is_exit_handler(task):
            yield Violation(
                "exit-handler",
                name,
                "is an exit handler, whose failure does not fail the run: make it depend on the last task instead",
            )
    if any(_is_exit_handler(spec_task) for _, spec_task in _tasks(spec)) and any(
        OURS in container.get("command", ()) for _, container in _containers(spec)
    ):
        yield from _undecided(spec, verdicts)


def _undecided(spec: dict[str, Any], verdicts: set[str]) -> Iterator[Violation]:
    for tasks in _graphs(spec):
        behind, new = set(), verdicts & set(tasks)
        while new:
            behind |= new
            new = {other for name in new for other in _named(tasks[name])} & set(tasks) - behind
        for name, task in tasks.items():
            outputs = spec.get("components", {}).get(task.get("componentRef", {}).get("name"), {}).get("outputDefinitions", {})
            kinds = [str(one.get("artifactType")) for one in outputs.get("artifacts", {}).values()]
            if (
                name not in behind
                and any(blessing in kind for blessing in _BLESSINGS for kind in kinds)
                and not _reads_only(task, spec)
            ):
                yield Violation("no-verdict", name, "may refuse, but no task after it fails then: the run would succeed")


def _reads_only(task: dict[str, Any], spec: dict[str, Any]) -> bool:
    """Return True if a task's blessing is that of an earlier run."""
    return any("components.baselines.registry." in str(argument) for argument in _container_of(spec, task).get("args", ()))


def _container_of(spec: dict[str, Any], task: dict[str, Any]) -> dict[str, Any]:
    component = spec.get("components", {}).get(task.get("componentRef", {}).get("name"), {})
    return dict(_containers(spec)).get(component.get("executorLabel"), {})


def _is_exit_handler(task: dict[str, Any]) -> bool:
    return task.get("triggerPolicy", {}).get("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED"


def retries(spec: dict[str, Any]) -> Iterator[Violation]:
    """Check retries: `backoffMaxDuration` becomes Argo's `maxDuration`, the time of all attempts from the first start.

    Source: argocompiler/container.go.
    """
    for name, task in _tasks(spec):
        policy = task.get("retryPolicy", {})
        if not policy.get("maxRetryCount"):
            continue
        factor = policy.get("backoffFactor", 2)
        if factor != int(factor):
            yield Violation(
                "retries", name, f"has the backoffFactor {factor:g}, but the server reads only whole numbers: the task would fail"
            )
        longest = float(policy.get("backoffMaxDuration", "0s").rstrip("s"))
        if not longest:
            yield Violation("retries", name, "is never retried: without a backoffMaxDuration, all attempts end at once")
        elif longest < _DAY:
            yield Violation(
                "retries",
                name,
                f"is not retried later than {longest:g} s after its first start: backoffMaxDuration limits all attempts together; "
                "set it to days",
            )


def roots(spec: dict[str, Any]) -> Iterator[Violation]:
    """Require a root that the launcher can open: gs://, s3:// or minio:// (LocalPathForURI).

    No server reads `defaultPipelineRoot`; `darkroom submit` sends it.
    """
    root = spec.get("defaultPipelineRoot", "")
    if root and not root.startswith(("gs://", "s3://", "minio://")):
        yield Violation("root", "defaultPipelineRoot", f"is {root[:60]}: the launcher opens only gs://, s3:// and minio://")


def nulls(spec: dict[str, Any]) -> Iterator[Violation]:
    """Refuse nulls, which are errors for the driver and for ML Metadata (driver/resolve.go, metadata/converter.go)."""
    for name, task in _tasks(spec):
        for key, given in task.get("inputs", {}).get("parameters", {}).items():
            if "constant" in given.get("runtimeValue", {}) and given["runtimeValue"]["constant"] is None:
                yield Violation("null", name, f"has null as its parameter {key}: leave it out")
    for name, component in spec.get("components", {}).items():
        for key, output in component.get("outputDefinitions", {}).get("artifacts", {}).items():
            for field, value in output.get("metadata", {}).items():
                if value is None:
                    yield Violation("null", name, f"has null for {field} in the metadata of its output {key}: leave it out")


def dollars(spec: dict[str, Any]) -> Iterator[Violation]:
    """Refuse dollar expressions in parameters.

    Parameters reach the launcher as container arguments, where Kubernetes expands $(NAME) and turns $$ into $.
    """
    for name, task in _tasks(spec):
        for key, given in task.get("inputs", {}).get("parameters", {}).items():
            found = re.search(r"\$\$|\$\([A-Za-z_]\w*\)", str(given.get("runtimeValue", {}).get("constant", "")))
            if found:
                yield Violation(
                    "dollar", name, f"has {found[0]} in its parameter {key}, which Kubernetes replaces: change the text"
                )


def empty_outputs(spec: dict[str, Any]) -> Iterator[Violation]:
    """Refuse inputs from TFX's Pusher. Its output folder is empty if it does not push, and uploads lose empty folders."""
    pushers = {
        name
        for name, task in _tasks(spec)
        if any("tfx.components.pusher.executor" in str(word) for word in _container_of(spec, task).get("args", ()))
    }
    for name, task in _tasks(spec):
        for key, given in task.get("inputs", {}).get("artifacts", {}).items():
            producer = given.get("taskOutputArtifact", {}).get("producerTask")
            if producer in pushers and OURS not in _container_of(spec, task).get("command", ()):
                yield Violation(
                    "empty-output",
                    name,
                    f"takes {key} from {producer}. Without a push its folder is empty, and the upload loses it: "
                    "create it in the container, as python -m kubeflow.entrypoint does",
                )


def names(spec: dict[str, Any]) -> Iterator[Violation]:
    """Check names of pipelines, tasks and components.

    The server checks pipeline names. Names of tasks and components become names in the workflow, which Argo checks (validate.go).
    """
    pipeline = spec["pipelineInfo"].get("name", "")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,127}", pipeline):
        yield Violation(
            "name", "pipelineInfo", f"has the name {pipeline[:60]!r}: use only lowercase letters, digits and -, at most 128"
        )
    for name in sorted({*spec.get("components", {}), *(name for name, _ in _tasks(spec))}):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,119}", name):
            yield Violation(
                "name", name[:60], "is not a valid name of a task or component: use only letters, digits and -, at most 120"
            )
    for name in sorted(set(spec.get("components", {})) & set(_TEMPLATES)):
        yield Violation("name", name, "is a name that the server's workflow uses: start names of components with comp-")
    for name, component in spec.get("components", {}).items():
        if "executor-logs" in component.get("outputDefinitions", {}).get("artifacts", {}):
            yield Violation("name", name, "has an output executor-logs, the name of the server's own log: rename it")


_NUMBER = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def misread(text: str) -> Iterator[Violation]:
    """Yield unquoted strings that this parser reads as strings and the server's parser as numbers."""
    for event in yaml.parse(text):
        plain = isinstance(event, yaml.ScalarEvent) and event.implicit[0] and event.style is None
        if plain and _NUMBER.fullmatch(event.value) and isinstance(yaml.safe_load(event.value), str):
            line = f"line {event.start_mark.line + 1}"
            yield Violation("string", line, f"the server reads {event.value} as a number: put it in quotes")


_Rule = Callable[[dict[str, Any]], Iterator[Violation]]
EVERYWHERE: tuple[_Rule, ...] = (references, conditions)
VERTEX: tuple[_Rule, ...] = (
    partial(accelerators, pattern=r"[A-Z0-9_]+", hint="no type of Vertex AI: use one such as NVIDIA_TESLA_T4"),
)
OPEN_SOURCE: tuple[_Rule, ...] = (
    schema_version,
    resolvers,
    drivers,
    cached_sources,
    entrypoints,
    parameters,
    double_outputs,
    partial(accelerators, pattern=r"[a-z0-9.-]+/[A-Za-z0-9._-]+", hint="no Kubernetes resource: use one such as nvidia.com/gpu"),
    infra_validators,
    refusals,
    retries,
    roots,
    nulls,
    dollars,
    empty_outputs,
    names,
)
