"""A compiled pipeline of one task, with a parameter of each type."""

from __future__ import annotations

import copy
import itertools
from pathlib import Path
from typing import Any

import yaml

from kubeflow.server.connection import Connection, Retry, connect
from tests.kubeflow.api_state import ApiServer

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


def write_judging(folder: Path, registry: str, name: str = "darkroom") -> Path:
    """Writes one whose steps leave what came of them in a registry: two gates, a step between them, and one whatever happens."""
    steps = ("DataGate", "Trainer", "Verdict", "Notification")
    root = copy.deepcopy(SPEC["root"])
    root["dag"]["tasks"] = {name: {"componentRef": {"name": f"comp-{name}"}, "taskInfo": {"name": name}} for name in steps[:-1]}
    for before, after in itertools.pairwise(steps[:-1]):
        root["dag"]["tasks"][after]["dependentTasks"] = [before]
    inner = {"dag": root["dag"]}
    whatever = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    root["dag"] = {
        "tasks": {
            "tfx-dag": {"componentRef": {"name": "comp-tfx-dag"}, "taskInfo": {"name": "tfx-dag"}},
            "Notification": {
                "componentRef": {"name": "comp-Notification"},
                "dependentTasks": ["tfx-dag"],
                "taskInfo": {"name": "Notification"},
                "triggerPolicy": whatever,
            },
        }
    }
    container = {"image": "python:3.10", "command": ["true", f"--registry={registry}"]}
    return write_pipeline(
        folder,
        pipelineInfo={"name": name},
        root=root,
        components={"comp-tfx-dag": inner, **{f"comp-{name}": {"executorLabel": f"exec-{name}"} for name in steps}},
        deploymentSpec={"executors": {f"exec-{name}": {"container": copy.deepcopy(container)} for name in steps}},
    )


def quick_retry(slept: list[float] | None = None) -> Retry:
    """Retries that do not wait, and write down how long they would have."""
    return Retry(sleep=(slept if slept is not None else []).append, chance=lambda: 0.0)


def connected(server: ApiServer, namespace: str | None = None, slept: list[float] | None = None, **environment: str) -> Connection:
    """A connection to the stand-in."""
    return connect(server.url, namespace, environment, quick_retry(slept))
