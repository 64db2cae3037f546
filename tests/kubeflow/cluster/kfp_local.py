"""Runs a compiled pipeline by the SDK's own `kfp.local`, in containers: `python kfp_local.py FILE ROOT < settings.json`.

It runs in `.kfp-env`, knows nothing of this project, and talks to the engine that DOCKER_HOST names. The settings are arguments of
docker's client, such as `environment`, for all containers.
"""

from __future__ import annotations

import json
import os
import sys

from kfp import components, local


def main(file: str, root: str) -> None:
    """Run the pipeline; what fails raises."""
    os.umask(0o007)  # the containers' users are in group 0, and write into folders that are made here
    settings = json.load(sys.stdin)
    local.init(runner=local.DockerRunner(**settings), pipeline_root=root, raise_on_error=True)
    components.load_component_from_file(file)()


if __name__ == "__main__":
    main(*sys.argv[1:])
