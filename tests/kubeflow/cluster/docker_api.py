"""Podman as a server of docker's API, for clients that know nothing else."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.kubeflow.cluster.engine import Engine

LABEL = "darkroom-test"


@contextlib.contextmanager
def docker_api(engine: Engine, folder: Path) -> Iterator[str]:
    """Serve docker's API at a socket in a folder. In the end, remove what is left of containers with the folder as their label.

    Yields:
        What DOCKER_HOST is to be.
    """
    socket = folder / "docker.sock"
    environment = {**os.environ, **engine.environment}
    with subprocess.Popen([engine.name, "system", "service", "--time=0", f"unix://{socket}"], env=environment) as server:
        try:
            while not socket.exists():
                assert server.poll() is None, "podman's service has ended"
                time.sleep(0.05)
            yield f"unix://{socket}"
        finally:
            server.terminate()
            left = engine.call("ps", "--all", "--quiet", f"--filter=label={LABEL}={folder}").stdout.split()
            if left:
                engine.call("rm", "--force", *left)


def exit_statuses(engine: Engine, folder: Path) -> list[int]:
    """Return the exit statuses of the containers with a folder as their label, which may be gone, by the engine's record of events."""
    filters = ("--filter=event=died", f"--filter=label={LABEL}={folder}")
    said = engine.call("events", "--stream=false", "--since=2h", *filters, "--format={{.ContainerExitCode}}").stdout
    return [int(line) for line in said.split()]
