"""Looks through a compiled pipeline for what Kubeflow Pipelines would refuse, ignore or misunderstand; anybody's TFX pipeline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

import yaml

from kubeflow.compile.rules import EVERYWHERE, OPEN_SOURCE, VERTEX, Violation, misread

Target = Literal["kfp", "vertex"]


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
    rules = EVERYWHERE + (VERTEX if target == "vertex" else OPEN_SOURCE)
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
    if target == "kfp":
        problems += misread(text)
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
