"""Looks through a compiled pipeline for what Kubeflow Pipelines would refuse, ignore or misunderstand; anybody's TFX pipeline."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import yaml

Target = Literal["kfp", "vertex"]
SCHEMA = "2.1.0"
STOCK = "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor"


@dataclass(frozen=True)
class Violation:
    """What is wrong with a compiled pipeline.

    Attributes:
        rule: A short name, the same for the same kind.
        where: The task, the executor or the part.
        words: What happens on the cluster, and what to do, in a sentence.
    """

    rule: str
    where: str
    words: str

    def __str__(self) -> str:
        return f"{self.where}: {self.words} [{self.rule}]"


def lint(text: str, target: Target = "kfp") -> list[Violation]:
    """Looks through a compiled pipeline.

    Args:
        text: The file's text.
        target: Where it is to run: open-source Kubeflow Pipelines, or Vertex AI, which takes more.

    Returns:
        What is wrong; nothing where it can run.
    """
    spec, problems = _parsed(text, target)
    if spec is None:
        return problems
    rules = _EVERYWHERE + (_VERTEX if target == "vertex" else _OPEN_SOURCE)
    # Sorted: the maps of protocol buffers have no order.
    return problems + [violation for rule in rules for violation in sorted(rule(spec), key=lambda found: found.where)]


def _parsed(text: str, target: Target) -> tuple[dict[str, Any] | None, list[Violation]]:
    """The PipelineSpec within a file, and what is wrong with the file as such."""
    try:
        documents = [each for each in yaml.safe_load_all(text) if each is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date such as 2001-13-45
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        return None, [Violation("not-yaml", "the file", f"is not YAML: {problem}")]
    spec = documents[0] if documents else None
    problems = list(_more(documents[1:], target))
    if isinstance(spec, dict) and "pipelineSpec" in spec:
        if target == "kfp":
            problems.append(
                Violation(
                    "wrapped",
                    "the file",
                    "is a PipelineJob, which only Vertex AI takes: give the runner an output_filename ending in .yaml, "
                    "and a bare PipelineSpec is written",
                )
            )
        spec = spec["pipelineSpec"]
    if not (isinstance(spec, dict) and isinstance(spec.get("root"), dict) and "dag" in spec["root"] and "pipelineInfo" in spec):
        return None, [
            *problems,
            Violation("no-pipeline", "the file", "holds no PipelineSpec: it has no root.dag or no pipelineInfo"),
        ]
    if target == "kfp" and not problems and _is_json(text):
        problems.append(Violation("json", "the file", "is JSON, which Kubeflow Pipelines refuses: write YAML"))
    try:
        return _laid_out(spec), problems
    except ValueError as error:
        words = " ".join(str(error).split())
        return None, [*problems, Violation("no-pipeline", "the file", f"is not laid out as a PipelineSpec is: {words}")]


def _more(documents: list[Any], target: Target) -> Iterator[Violation]:
    """What may stand in a file beside the pipeline: on Kubernetes its platform's part, and that alone."""
    for number, document in enumerate(documents, start=2):
        platform = isinstance(document, dict) and set(document) == {"platforms"} and isinstance(document["platforms"], dict)
        if number > 2 or not platform:
            yield Violation(
                "documents", f"document {number}", "is neither the pipeline nor its platform's part, and would be refused"
            )
        elif target == "vertex":
            yield Violation("documents", f"document {number}", "is for Kubernetes, of which Vertex AI knows nothing: leave it out")


def _laid_out(spec: dict[str, Any]) -> dict[str, Any]:
    """A spec as the published messages of PipelineSpec have it, without what says nothing.

    Raises:
        ValueError: It does not fit them.
    """
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2

    def read(part: Any, message: Any) -> dict[str, Any]:
        try:
            return json_format.MessageToDict(json_format.ParseDict(part, message, ignore_unknown_fields=True))
        except (json_format.ParseError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(str(error)) from None

    # The deployment is a struct there, of whatever shape, and a message of its own.
    deployment = read(spec.get("deploymentSpec") or {}, pipeline_spec_pb2.PipelineDeploymentConfig())
    return read({**spec, "deploymentSpec": {}}, pipeline_spec_pb2.PipelineSpec()) | {"deploymentSpec": deployment}


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _graphs(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The tasks of each graph by name."""
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
    """Kubeflow Pipelines knows one schema."""
    found = spec.get("schemaVersion")
    if found != SCHEMA:
        yield Violation("schema", "schemaVersion", f"is {found}, and {SCHEMA} alone is read: set use_pipeline_spec_2_1=True")


def resolvers(spec: dict[str, Any]) -> Iterator[Violation]:
    """Only Vertex AI has resolvers."""
    for name, executor in _executors(spec):
        if "resolver" in executor:
            yield Violation("resolver", name, "resolver executors are not implemented: let a component look for the artifact")


def drivers(spec: dict[str, Any]) -> Iterator[Violation]:
    """Nobody runs what is to run before the cache is looked up."""
    for name, container in _containers(spec):
        if "preCacheCheck" in container.get("lifecycle", {}):
            yield Violation(
                "driver",
                name,
                "lifecycle.preCacheCheck is ignored: no span is found and no change of the files is seen; "
                "run the driver in the container, without the cache",
            )


def cached_sources(spec: dict[str, Any]) -> Iterator[Violation]:
    """A task that reads files, and has no inputs that would tell of a change, is cached for ever."""
    for name, task in _tasks(spec):
        cached = task.get("cachingOptions", {}).get("enableCache")
        if cached and "input_base" in task.get("inputs", {}).get("parameters", {}):
            yield Violation("stale", name, "reads files, whose changes the cache does not see: take its cachingOptions away")


def entrypoints(spec: dict[str, Any]) -> Iterator[Violation]:
    """TFX's own entrypoint dies on the empty types that the driver sends."""
    for name, container in _containers(spec):
        if STOCK in container.get("command", []):
            yield Violation(
                "entrypoint",
                name,
                "TFX's own entrypoint fails on input artifacts without a type, as which they come: "
                "set default_commands to one that fills them in, such as python -m kubeflow.entrypoint",
            )


def parameters(spec: dict[str, Any]) -> Iterator[Violation]:
    """Default values do not survive."""
    declared = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    for name, parameter in declared.items():
        if "defaultValue" not in parameter:
            yield Violation(
                "parameter",
                f"the parameter {name}",
                "has no default value here, TFX drops it: each run must be given one, or make it a constant",
            )


def double_outputs(spec: dict[str, Any]) -> Iterator[Violation]:
    """Numbers that are not whole do not arrive as parameters of TFX's executors; those of other compilers read them."""
    if spec.get("sdkVersion", "").startswith("kfp"):
        return
    for name, component in spec.get("components", {}).items():
        for key, output in component.get("outputDefinitions", {}).get("parameters", {}).items():
            if output.get("parameterType") == "NUMBER_DOUBLE":
                yield Violation(
                    "double",
                    name,
                    f"gives its output {key} as a parameter of type double, which is not passed on: write it into an artifact",
                )


def vertex_accelerators(spec: dict[str, Any]) -> Iterator[Violation]:
    """Vertex AI has kinds of its own."""
    return _accelerators(spec, r"[A-Z0-9_]+", "no kind of Vertex AI's: name one such as NVIDIA_TESLA_T4")


def accelerators(spec: dict[str, Any]) -> Iterator[Violation]:
    """The kind becomes the name of a Kubernetes resource."""
    return _accelerators(spec, r"[a-z0-9.-]+/[A-Za-z0-9._-]+", "no Kubernetes resource: name one such as nvidia.com/gpu")


def _accelerators(spec: dict[str, Any], allowed: str, words: str) -> Iterator[Violation]:
    for name, container in _containers(spec):
        kind = container.get("resources", {}).get("accelerator", {}).get("type")
        if kind and not re.fullmatch(allowed, kind):
            yield Violation("accelerator", name, f"asks for the accelerator {kind}, which is {words}")


def infra_validators(spec: dict[str, Any]) -> Iterator[Violation]:
    """There is no docker within a pod."""
    for name, container in _containers(spec):
        if any("infra_validator" in str(argument) for argument in container.get("args", [])):
            yield Violation(
                "infra-validator",
                name,
                "InfraValidator needs docker or rights that a pod has not: try the model within a container",
            )


def references(spec: dict[str, Any]) -> Iterator[Violation]:
    """Tasks, components and executors that are named must be there; TFX writes some names that are not."""
    executors = dict(_executors(spec))
    for component_name, component in spec.get("components", {}).items():
        label = component.get("executorLabel")
        if label is not None and label not in executors:
            yield Violation("reference", component_name, f"is run by {label}, which there is none of")
    for tasks in _graphs(spec):
        for name, task in tasks.items():
            if task.get("componentRef", {}).get("name") not in spec.get("components", {}):
                yield Violation(
                    "reference", name, f"is of the component {task.get('componentRef', {}).get('name')}, which there is none of"
                )
            for other in sorted(_named(task) - set(tasks)):
                yield Violation("reference", name, f"waits for {other}, which there is none of in its graph")


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
    """A condition may only speak of what the task is given."""
    pattern = re.compile(r"inputs\.(artifacts|parameters)\['([^']+)'\]")
    for name, task in _tasks(spec):
        condition = task.get("triggerPolicy", {}).get("condition", "")
        for kind, key in pattern.findall(condition):
            if key not in task.get("inputs", {}).get(kind, {}):
                yield Violation(
                    "condition",
                    name,
                    f"runs on a condition on {key}, which it is not given: a channel in a condition must not be an input as well",
                )


_Rule = Callable[[dict[str, Any]], Iterator[Violation]]
_EVERYWHERE: tuple[_Rule, ...] = (references, conditions)
_VERTEX: tuple[_Rule, ...] = (vertex_accelerators,)
_OPEN_SOURCE: tuple[_Rule, ...] = (
    schema_version,
    resolvers,
    drivers,
    cached_sources,
    entrypoints,
    parameters,
    double_outputs,
    accelerators,
    infra_validators,
)
