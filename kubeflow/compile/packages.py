"""Read the file of a compiled pipeline: its name, a version name derived from its content, and its parameters.

A server loses the default values of a pipeline's parameters. Each run must therefore be given a value for every parameter.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import InputError

_EXACT = 2**53  # the server stores numbers as doubles, which are exact only up to this integer


@dataclass(frozen=True)
class Package:
    """A compiled pipeline."""

    path: Path  # its file
    name: str  # the name of the pipeline
    version: str  # the name of this version, which depends on the content and not on its formatting
    parameters: Mapping[str, Mapping[str, Any]]  # the definitions of its parameters
    pipeline_root: str  # the default root of its outputs, '' if it has none
    platform: bool  # whether the file has a second document, for a platform
    # Where its steps leave their records; '' if its containers name no registry, as in other projects' pipelines
    registry: str = ""
    steps: tuple[str, ...] = ()  # the names of the tasks that run a container, except those that run however the others end


def read_package(file: str | Path) -> Package:
    """Read a compiled pipeline; raise InputError if the file is none."""
    path = Path(file)
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(f"{path} does not end in .yaml: a pipeline as it is compiled is wanted")
    documents = _documents(path)
    spec = documents[0] if documents else None
    if not isinstance(spec, dict) or not all(isinstance(spec.get(key), dict) for key in ("pipelineInfo", "root", "deploymentSpec")):
        raise InputError(f"{path} is no compiled pipeline: it has no pipelineInfo, root and deploymentSpec")
    name = spec["pipelineInfo"].get("name")
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"{path} does not say the pipeline's name (pipelineInfo.name)")
    if len(documents) > 2 or (len(documents) == 2 and not (isinstance(documents[1], dict) and "platforms" in documents[1])):
        raise InputError(f"{path} has more in it than a pipeline and its platform")
    definitions = (spec["root"].get("inputDefinitions") or {}).get("parameters") or {}
    return Package(
        path=path,
        name=name,
        version=fingerprint(*documents),
        parameters=definitions,
        pipeline_root=spec.get("defaultPipelineRoot") or "",
        platform=len(documents) == 2,
        registry=_registry_of(spec["deploymentSpec"]),
        steps=_steps_of(spec),
    )


def fill_parameters(package: Package, given: Sequence[str]) -> dict[str, Any]:
    """Return a value for every parameter of a pipeline, as a JSON type: the given value, or its default.

    An optional parameter without a default or a given value is left out.

    Args:
        package: The pipeline.
        given: NAME=VALUE for each given value. Lists and structs are JSON.

    Raises:
        InputError: A value is missing, unknown, given twice or of another type.
    """
    values = _split(given)
    unknown = sorted(values.keys() - package.parameters.keys())
    if unknown:
        known = ", ".join(package.parameters) or "none at all"
        raise InputError(f"{package.path} has no parameters {', '.join(unknown)}: it has {known}")
    filled: dict[str, Any] = {}
    missing = []
    for name, definition in package.parameters.items():
        kind = definition.get("parameterType", "STRING")
        if name in values:
            filled[name] = _converted(name, values[name], kind)
        elif "defaultValue" in definition:
            filled[name] = _default_value(definition["defaultValue"], kind)
        elif not definition.get("isOptional"):
            missing.append(name)
    if missing:
        raise InputError(f"{package.path} has no default for {', '.join(missing)}: say --parameter {missing[0]}=..., and so on")
    return filled


def fingerprint(*parts: Any) -> str:
    """Return twelve hexadecimal digits that are the same for equal JSON values, however their file is formatted."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()[:12]


def _documents(path: Path) -> list[Any]:
    import yaml

    try:
        with path.open(encoding="utf-8") as file:
            return [each for each in yaml.load_all(file, getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if each is not None]
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no YAML: {' '.join(str(error).split())[:200]}") from None


def _registry_of(deployment: Mapping[str, Any]) -> str:
    """Return the registry that `kubeflow.compile.compiler` writes to each container's command."""
    for executor in (deployment.get("executors") or {}).values():
        container = executor.get("container") if isinstance(executor, dict) else None
        command = [*(container.get("command") or ()), *(container.get("args") or ())] if isinstance(container, dict) else []
        for argument in command:
            if isinstance(argument, str) and argument.startswith("--registry="):
                return argument.removeprefix("--registry=")
    return ""


def _steps_of(spec: Mapping[str, Any]) -> tuple[str, ...]:
    components = spec.get("components") or {}
    graphs = [each.get("dag") for each in (spec["root"], *components.values()) if isinstance(each, dict)]
    items = []
    for name, task in (item for graph in graphs if graph for item in (graph.get("tasks") or {}).items()):
        component = components.get((task.get("componentRef") or {}).get("name")) or {}
        always = (task.get("triggerPolicy") or {}).get("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED"
        if "executorLabel" in component and not always:
            items.append(name)
    return tuple(items)


def _split(given: Sequence[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name.strip():
            raise InputError(f"--parameter {each!r} is not NAME=VALUE")
        if name in values:
            raise InputError(f"--parameter {name} is given twice")
        values[name] = value
    return values


def _refuse(text: str) -> Any:
    raise ValueError(text)


def _json(kind: type) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        value = json.loads(text, parse_constant=_refuse)
        return value if isinstance(value, kind) else _refuse(text)

    return parse


def _integer(text: str) -> int:
    return int(text) if abs(int(text)) <= _EXACT else _refuse(text)


def _double(text: str) -> float:
    return float(text) if math.isfinite(float(text)) else _refuse(text)


# By the type of a parameter: how its text is parsed, and what it must be.
_PARSERS: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "STRING": (str, "text"),
    "NUMBER_INTEGER": (_integer, "a whole number"),
    "NUMBER_DOUBLE": (_double, "a number"),
    "BOOLEAN": (lambda text: {"true": True, "false": False}[text.lower()], "true or false"),
    "LIST": (_json(list), 'a JSON list such as ["a", "b"]'),
    "STRUCT": (_json(dict), 'a JSON object such as {"a": 1}'),
}


def _converted(name: str, text: str, kind: str) -> Any:
    parse, wanted = _PARSERS.get(kind, (_refuse, kind))
    try:
        return parse(text)
    except (ValueError, KeyError):
        raise InputError(f"--parameter {name}: {text!r} is not {wanted}") from None


def _default_value(default: Any, kind: str) -> Any:
    """Return a default value. Compilers write whole numbers as 5.0, which becomes 5."""
    return int(default) if kind == "NUMBER_INTEGER" and isinstance(default, float) and default.is_integer() else default
