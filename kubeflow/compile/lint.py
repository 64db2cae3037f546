"""Check any compiled TFX pipeline for what Kubeflow Pipelines would reject, ignore or misread."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from operator import itemgetter
from typing import Any, Literal

import yaml

from kubeflow.compile.rules import EVERYWHERE, OPEN_SOURCE, VERTEX, Violation, misread

Target = Literal["kfp", "vertex"]


def lint(text: str, target: Target = "kfp") -> list[Violation]:
    """Return the violations of a compiled pipeline, given the text of its file; none if it can run on the target."""
    spec, problems = _parsed(text, target)
    if spec is None:
        return problems
    rules = {**EVERYWHERE, **(VERTEX if target == "vertex" else OPEN_SOURCE)}
    # Sorted, because maps of protocol buffers have no order.
    return problems + [Violation(name, *result) for name, rule in rules.items() for result in sorted(rule(spec), key=itemgetter(0))]


def _parsed(text: str, target: Target) -> tuple[dict[str, Any] | None, list[Violation]]:
    """Return the PipelineSpec of a file, and the problems of the file itself."""
    try:
        documents = [each for each in yaml.safe_load_all(text) if each is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date such as 2001-13-45
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        return None, [Violation("not-yaml", "the file", f"is not YAML: {problem}")]
    spec = documents[0] if documents else None
    problems = [Violation("documents", *result) for result in _more(documents[1:], target)]
    if isinstance(spec, dict) and "pipelineSpec" in spec:
        if target == "kfp":
            hint = "give the runner an output_filename that ends in .yaml, so that it writes a PipelineSpec"
            problems.append(Violation("wrapped", "the file", f"is a PipelineJob, which only Vertex AI accepts: {hint}"))
        spec = spec["pipelineSpec"]
    if not (isinstance(spec, dict) and isinstance(spec.get("root"), dict) and "dag" in spec["root"] and "pipelineInfo" in spec):
        reason = "holds no PipelineSpec: it has no root.dag or no pipelineInfo"
        return None, [*problems, Violation("no-pipeline", "the file", reason)]
    if target == "kfp" and not problems:
        with suppress(ValueError):
            json.loads(text)
            problems.append(Violation("json", "the file", "is JSON, which Kubeflow Pipelines refuses: write YAML"))
    if target == "kfp":
        problems += misread(text)
    try:
        return _laid_out(spec), problems
    except ValueError as error:
        reason = " ".join(str(error).split())
        return None, [*problems, Violation("no-pipeline", "the file", f"is not a valid PipelineSpec: {reason}")]


def _more(documents: list[Any], target: Target) -> Iterator[tuple[str, str]]:
    """Yield problems of further documents in a file. Only a platform document for Kubernetes is allowed."""
    for number, document in enumerate(documents, start=2):
        platform = isinstance(document, dict) and set(document) == {"platforms"} and isinstance(document["platforms"], dict)
        if number > 2 or not platform:
            yield f"document {number}", "is neither the pipeline nor its platform document, and would be refused"
        elif target == "vertex":
            yield f"document {number}", "is for Kubernetes, which Vertex AI does not support: leave it out"


def _laid_out(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a spec in the form of the published PipelineSpec messages, without empty values, or raise ValueError."""
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2

    def read(part: Any, message: Any) -> dict[str, Any]:
        try:
            return json_format.MessageToDict(json_format.ParseDict(part, message, ignore_unknown_fields=True))
        except (json_format.ParseError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(str(error)) from None

    # In PipelineSpec the deployment is a free-form struct. Read it as its own message type.
    deployment = read(spec.get("deploymentSpec") or {}, pipeline_spec_pb2.PipelineDeploymentConfig())
    return read({**spec, "deploymentSpec": {}}, pipeline_spec_pb2.PipelineSpec()) | {"deploymentSpec": deployment}
