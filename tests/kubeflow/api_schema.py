"""The API v2beta1 of Kubeflow Pipelines, as far as it is used: paths, queries, and JSON schemas of what goes over them.

The shapes are the published ones of two releases: see `published`. Written down by hand are the paths, which `test_api_server.py`
compares with those of both, what a request has to have, and which of the fields that the generated models call `str` are whole
numbers of 64 bits, written in JSON as strings.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.kubeflow.published import RELEASES, published

WHOLE_NUMBERS = {
    "max_concurrency",
    "interval_second",
    "long_value",
    "execution_id",
    "pipeline_context_id",
    "pipeline_run_context_id",
}
RFC3339 = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"
LISTS = ("page_token", "page_size", "sort_by", "filter")


@dataclass(frozen=True)
class Endpoint:
    """A method of the API: its path, query, and the models of what is sent and answered."""

    method: str
    path: str
    answers: str | None
    takes: str | None = None
    query: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    upload: bool = False
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        pattern = re.sub(r"\\?\{(\w+)\\?\}", r"(?P<\1>[^/:]+)", re.escape(self.path))
        object.__setattr__(self, "pattern", re.compile(pattern))


ROOT = "/apis/v2beta1"
ENDPOINTS = {
    "get_healthz": Endpoint("GET", f"{ROOT}/healthz", "V2beta1GetHealthzResponse"),
    "list_pipelines": Endpoint("GET", f"{ROOT}/pipelines", "V2beta1ListPipelinesResponse", query=("namespace", *LISTS)),
    "create_pipeline": Endpoint("POST", f"{ROOT}/pipelines", "V2beta1Pipeline", "V2beta1Pipeline", needs=("display_name",)),
    "upload_pipeline": Endpoint(
        "POST", f"{ROOT}/pipelines/upload", "V2beta1Pipeline", query=("name", "description", "namespace"), upload=True
    ),
    "upload_pipeline_version": Endpoint(
        "POST",
        f"{ROOT}/pipelines/upload_version",
        "V2beta1PipelineVersion",
        query=("name", "pipelineid", "description"),
        needs=("pipelineid",),
        upload=True,
    ),
    "get_pipeline_by_name": Endpoint("GET", f"{ROOT}/pipelines/names/{{name}}", "V2beta1Pipeline", query=("namespace",)),
    "get_pipeline": Endpoint("GET", f"{ROOT}/pipelines/{{pipeline_id}}", "V2beta1Pipeline"),
    "list_pipeline_versions": Endpoint(
        "GET", f"{ROOT}/pipelines/{{pipeline_id}}/versions", "V2beta1ListPipelineVersionsResponse", query=LISTS
    ),
    "get_pipeline_version": Endpoint(
        "GET", f"{ROOT}/pipelines/{{pipeline_id}}/versions/{{pipeline_version_id}}", "V2beta1PipelineVersion"
    ),
    "list_experiments": Endpoint("GET", f"{ROOT}/experiments", "V2beta1ListExperimentsResponse", query=("namespace", *LISTS)),
    "create_experiment": Endpoint("POST", f"{ROOT}/experiments", "V2beta1Experiment", "V2beta1Experiment", needs=("display_name",)),
    "list_runs": Endpoint("GET", f"{ROOT}/runs", "V2beta1ListRunsResponse", query=("namespace", "experiment_id", *LISTS)),
    "create_run": Endpoint(
        "POST",
        f"{ROOT}/runs",
        "V2beta1Run",
        "V2beta1Run",
        needs=("display_name", "pipeline_version_reference", "runtime_config"),
    ),
    "get_run": Endpoint("GET", f"{ROOT}/runs/{{run_id}}", "V2beta1Run", query=("experiment_id",)),
    "list_recurring_runs": Endpoint(
        "GET", f"{ROOT}/recurringruns", "V2beta1ListRecurringRunsResponse", query=("namespace", "experiment_id", *LISTS)
    ),
    "create_recurring_run": Endpoint(
        "POST",
        f"{ROOT}/recurringruns",
        "V2beta1RecurringRun",
        "V2beta1RecurringRun",
        needs=("display_name", "pipeline_version_reference", "runtime_config", "trigger", "max_concurrency", "mode"),
    ),
    "get_recurring_run": Endpoint("GET", f"{ROOT}/recurringruns/{{recurring_run_id}}", "V2beta1RecurringRun"),
    "delete_recurring_run": Endpoint("DELETE", f"{ROOT}/recurringruns/{{recurring_run_id}}", None),
    "enable_recurring_run": Endpoint("POST", f"{ROOT}/recurringruns/{{recurring_run_id}}:enable", None),
    "disable_recurring_run": Endpoint("POST", f"{ROOT}/recurringruns/{{recurring_run_id}}:disable", None),
}


def find_endpoint(method: str, path: str) -> tuple[str, dict[str, str]] | None:
    """The name of the endpoint of a path, and what the path names."""
    for name, endpoint in ENDPOINTS.items():
        found = endpoint.pattern.fullmatch(path)
        if endpoint.method == method and found:
            return name, found.groupdict()
    return None


def faults(model: str | None, value: Any, *, needs: tuple[str, ...] = (), release: str = RELEASES[0]) -> list[str]:
    """What is wrong with a JSON value that should be of a model; None is the empty object."""
    import jsonschema

    schema = {**_schema(model, release), "required": list(needs)} if model else {"type": "object", "maxProperties": 0}
    validator = jsonschema.Draft202012Validator(schema)
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(value)]


def filter_faults(text: str, release: str = RELEASES[0]) -> list[str]:
    """What is wrong with a list's filter: its JSON may have camelCase or snake_case, and operations by name or number."""
    try:
        read = json.loads(text)
    except ValueError as error:
        return [f"filter is no JSON: {error}"]
    for predicate in read.get("predicates", []):
        for camel, snake in (("stringValue", "string_value"), ("intValue", "int_value"), ("timestampValue", "timestamp_value")):
            if camel in predicate:
                predicate[snake] = predicate.pop(camel)
        if isinstance(predicate.get("operation"), int):
            predicate["operation"] = published(release)["enumerations"]["V2beta1PredicateOperation"][predicate["operation"]]
    return faults("V2beta1Filter", read, release=release)


@functools.cache
def _schema(model: str, release: str) -> dict[str, Any]:
    """The JSON schema of one of kfp_server_api's models: no other fields, each of its type."""
    known = published(release)
    if allowed := known["enumerations"].get(model):
        return {"enum": allowed}
    properties = {name: _typed(name, kind, release) for name, kind in known["models"][model].items()}
    # What is of any type says which, and has more fields than are published.
    return {"type": "object", "properties": properties, "additionalProperties": model == "ProtobufAny"}


def _typed(name: str, kind: str, release: str) -> dict[str, Any]:
    simple = {
        "int": {"type": "integer"},
        "bool": {"type": "boolean"},
        "object": {},
        "datetime": {"type": "string", "pattern": RFC3339},
    }
    if kind in simple:
        return simple[kind]
    if kind == "str":
        return (
            {"anyOf": [{"type": "string", "pattern": r"^-?\d+$"}, {"type": "integer"}]}
            if name in WHOLE_NUMBERS
            else {"type": "string"}
        )
    if found := re.fullmatch(r"list\[(\w+)\]", kind):
        return {"type": "array", "items": _typed("", found[1], release)}
    if found := re.fullmatch(r"dict\(str, (\w+)\)", kind):
        return {"type": "object", "additionalProperties": _typed("", found[1], release)}
    return _schema(kind, release)
