"""A compiled pipeline of one task, with a parameter of each type."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from kubeflow.connection import Connection, Retry, connect
from tests.kubeflow.api_server import ApiServer

SPEC: dict[str, Any] = {
    "components": {"comp-one": {"executorLabel": "exec-one"}},
    "defaultPipelineRoot": "gs://bucket/root",
    "deploymentSpec": {"executors": {"exec-one": {"container": {"image": "python:3.10", "command": ["true"]}}}},
    "pipelineInfo": {"name": "darkroom"},
    "root": {
        "dag": {
            "tasks": {
                "one": {"cachingOptions": {"enableCache": True}, "componentRef": {"name": "comp-one"}, "taskInfo": {"name": "one"}}
            }
        },
        "inputDefinitions": {
            "parameters": {
                "epochs": {"parameterType": "NUMBER_INTEGER", "defaultValue": 5.0},
                "rate": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 0.001},
                "images": {"parameterType": "STRING", "defaultValue": "s3://bucket/cats"},
                "cached": {"parameterType": "BOOLEAN", "defaultValue": True},
                "labels": {"parameterType": "LIST", "defaultValue": ["cat"]},
                "more": {"parameterType": "STRUCT", "defaultValue": {"seed": 1.0}},
            }
        },
    },
    "schemaVersion": "2.1.0",
    "sdkVersion": "kfp-2.5.0",
}
PLATFORM = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-one": {}}}}}}
DEFAULTS = {"epochs": 5, "rate": 0.001, "images": "s3://bucket/cats", "cached": True, "labels": ["cat"], "more": {"seed": 1.0}}


def write_pipeline(folder: Path, name: str = "pipeline.yaml", *, platform: bool = False, **changes: Any) -> Path:
    """Writes it, with changed fields."""
    documents = [{**copy.deepcopy(SPEC), **changes}, *([PLATFORM] if platform else [])]
    path = folder / name
    path.write_text(yaml.safe_dump_all(documents))
    return path


def quick_retry(slept: list[float] | None = None) -> Retry:
    """Retries that do not wait, and write down how long they would have."""
    return Retry(sleep=(slept if slept is not None else []).append, chance=lambda: 0.0)


def connected(server: ApiServer, namespace: str | None = None, slept: list[float] | None = None, **environment: str) -> Connection:
    """A connection to the stand-in."""
    return connect(server.url, namespace, environment, quick_retry(slept))
