"""Pods, and what runs them: processes here, containers by whoever has an engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from kubeflow.container.entrypoint import MOUNTS_ENV
from tests.fork_server import fork_server

REPOSITORY = Path(__file__).parents[3]


@dataclass(frozen=True)
class Pod:
    """A try of a task, ready to run.

    Attributes:
        name: Its name, lower case letters, digits and hyphens; unique within the emulated cluster.
        image: The container image.
        command: The user's command and arguments, with all placeholders filled in.
        folder: What stands for the file system that launcher and container share: minio/, s3/, gcs/ and tmp/ lie in it.
        environment: Environment variables: the cluster's, the container's own, and those of Secrets.
        resources: As compiled: cpuLimit, memoryLimit (gigabytes of 10^9 bytes), cpuRequest, memoryRequest, accelerator.
        volumes: Persistent volume claims and where they are mounted.
        node_selector: Labels that the pod's node has.
    """

    name: str
    image: str
    command: list[str]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    resources: dict[str, Any] = field(default_factory=dict)
    volumes: list[tuple[str, str]] = field(default_factory=list)
    node_selector: dict[str, str] = field(default_factory=dict)


def expanded(text: str, environment: dict[str, str]) -> str:
    """Return a container's argument as Kubernetes hands it over: $(NAME) is a variable's value, $$ is a dollar sign.

    What names no variable of the pod stays what it is (third_party/forked/golang/expansion in Kubernetes' sources).

    Args:
        text: The argument.
        environment: The pod's own variables; those of the image do not count.
    """
    found = {f"$({name})": value for name, value in environment.items()} | {"$$": "$"}
    return re.sub(r"\$\$|\$\([^)]*\)", lambda match: found.get(match[0], match[0]), text)


class PodLost(Exception):
    """The pod was deleted, or its node went away: phase Error, not Failed."""


class Executor(Protocol):
    """Runs pods."""

    def root(self, folder: Path) -> str:
        """Return what the pod's paths begin with: "" if it sees `folder` as its root."""

    def run(self, pod: Pod) -> tuple[int, str]:
        """Run the pod to its end; return the exit status and the output.

        Raises:
            PodLost: The pod was deleted before its end.
        """


class Processes:
    """Runs each pod as a process of this machine, by this Python; the image is ignored."""

    def root(self, folder: Path) -> str:
        """Return the pod's folder: a process has no root of its own."""
        return str(folder)

    def run(self, pod: Pod) -> tuple[int, str]:
        """Run the command; return its exit status and its output.

        Raises:
            NotImplementedError: The pod mounts a volume, which a process cannot.
        """
        if pod.volumes:
            raise NotImplementedError(f"{pod.name}: a process cannot mount {pod.volumes}; run it in a container")
        own = {MOUNTS_ENV: str(pod.folder), "PYTHONPATH": str(REPOSITORY), "HOME": str(pod.folder)}
        return self.program(pod, {**os.environ, **pod.environment, **own})

    def program(self, pod: Pod, environment: dict[str, str]) -> tuple[int, str]:
        """Run the pod's program; return its exit status and its output."""
        command = [sys.executable if pod.command[0] == "python" else pod.command[0], *pod.command[1:]]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        done = subprocess.run(command, check=False, cwd=pod.folder, env=environment, **streams)
        return done.returncode, done.stdout


class Forks(Processes):
    """Processes that find the libraries imported: see `tests.fork_server`."""

    def program(self, pod: Pod, environment: dict[str, str]) -> tuple[int, str]:
        """Run the pod's program; return its exit status and its output."""
        program, *arguments = pod.command
        if program != "python":
            return super().program(pod, environment)
        ended = fork_server().start(*arguments, environment=environment, cwd=pod.folder, one_stream=True).wait()
        return ended.status, ended.out
