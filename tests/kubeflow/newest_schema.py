"""Whether a compiled pipeline is of the published schemas, by whatever Python has a release of them.

Run as a program it writes what is wrong with a file, a line each: see `test_schemas`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def faults(text: str) -> list[str]:
    """Say what no message of kfp-pipeline-spec or kfp-kubernetes has a field for, or another type of."""
    import yaml
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2 as published

    found: list[str] = []

    def check(what: str, value: Any, message: Callable[[], Any]) -> None:
        try:
            json_format.ParseDict(value, message())  # a field that is unknown is an error
        except json_format.ParseError as error:
            found.append(f"{what}: {' '.join(str(error).split())}")

    spec, *platforms = yaml.safe_load_all(text)
    check("the pipeline", spec, published.PipelineSpec)
    check("its deployment", spec["deploymentSpec"], published.PipelineDeploymentConfig)
    for platform in platforms:
        from kfp.kubernetes import kubernetes_executor_config_pb2 as kubernetes

        check("the platform", platform, published.PlatformSpec)
        for label, executor in platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].items():
            check(label, executor, kubernetes.KubernetesExecutorConfig)
    return found


if __name__ == "__main__":
    print("\n".join(faults(Path(sys.argv[1]).read_text())))
