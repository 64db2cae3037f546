"""Podman as a server of docker's API, for clients that know nothing else."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.kubeflow.cluster.engine import Engine


@contextlib.contextmanager
def docker_api(engine: Engine, folder: Path) -> Iterator[str]:
    """Serve docker's API at a socket in a folder.

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


def ended_containers(engine: Engine, image: str, started: float) -> list[int]:
    """Return the exit statuses of the containers of an image that have died since, by the engine's own events.

    Args:
        engine: Podman.
        image: The image's name.
        started: By `time.monotonic`.
    """
    since = f"--since={int(time.monotonic() - started) + 1}s"
    form = "--format={{.ContainerExitCode}}"
    filters = ("--filter=event=died", f"--filter=image={image}")
    said = engine.call("events", "--stream=false", since, *filters, form).stdout
    return [int(line) for line in said.split()]
