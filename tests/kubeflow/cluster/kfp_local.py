"""Runs a compiled pipeline by the SDK's own `kfp.local`, in containers: `python kfp_local.py FILE ROOT < settings.json`.

It runs in `.kfp-env`, knows nothing of this project, and talks to the engine that DOCKER_HOST names. The settings are arguments of
docker's client, such as `environment`, for all containers.
"""

from __future__ import annotations

import functools
import json
import os
import sys

import docker
from kfp import components, local

LIMIT = 600  # seconds; docker's client gives up a container that prints nothing for a minute, as a step may on a busy machine


def main(file: str, root: str) -> None:
    """Run the pipeline; what fails raises."""
    os.umask(0o007)  # the containers' users are in group 0, and write into folders that are made here
    settings = json.load(sys.stdin)
    docker.from_env = functools.partial(docker.from_env, timeout=LIMIT)
    local.init(runner=local.DockerRunner(**settings), pipeline_root=root, raise_on_error=True)
    components.load_component_from_file(file)()


if __name__ == "__main__":
    main(*sys.argv[1:])
