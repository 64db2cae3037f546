"""The container engine of this machine, and what it needs to run here."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


class NoEngine(Exception):
    """No container can run here; the message says why."""


@dataclass
class Engine:
    """A command line that builds and runs: podman's, or docker's.

    Attributes:
        name: The command.
        environment: What its processes get beside this process's environment.
    """

    name: str
    environment: dict[str, str] = field(default_factory=dict)

    def call(self, *arguments: str, check: bool = True, **options) -> subprocess.CompletedProcess[str]:
        """Run the command to its end; its output and errors come as one text.

        Raises:
            RuntimeError: It failed, and `check` is true.
        """
        environment = {**os.environ, **self.environment, **options.pop("environment", {})}
        settings = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "env": environment, **options}
        done = subprocess.run([self.name, *arguments], check=False, **settings)
        if check and done.returncode:
            raise RuntimeError(f"{self.name} {' '.join(arguments[:2])} ended with {done.returncode}: {(done.stdout or '')[-3000:]}")
        return done

    def has_image(self, name: str) -> bool:
        """Return whether the storage has an image of that name."""
        return not self.call("image", "inspect", name, check=False).returncode

    def image_id(self, name: str) -> str:
        """Return an image's id."""
        return self.call("image", "inspect", "--format", "{{.Id}}", name).stdout.strip()


def find_engine(commands: Sequence[str] = ("podman", "docker")) -> Engine:
    """Return the first engine that answers.

    Raises:
        NoEngine: There is none.
    """
    reasons = []
    for name in commands:
        if shutil.which(name) is None:
            reasons.append(f"{name} is not installed")
            continue
        engine = Engine(name)
        done = engine.call("info", check=False)
        if not done.returncode:
            if os.geteuid() and name == "podman":
                reasons.append("podman is here, and this user is not root: the folders of steps could not be shared")
                continue
            return engine
        reasons.append(f"{name} info: {done.stdout.strip().splitlines()[-1][:150] if done.stdout.strip() else done.returncode}")
    raise NoEngine("; ".join(reasons))


def make_usable(engine: Engine, image: str, folder: Path) -> None:
    """Run a container; where the engine's own settings do not allow it, try settings for a machine with few rights.

    Such a machine may not raise its limits, and has no systemd and no network of containers' own.

    Args:
        engine: Its environment is extended where that helps.
        image: What to run; it has /bin/true.
        folder: Where a configuration may be written, which must stay as long as the engine is used.

    Raises:
        NoEngine: No container runs.
    """
    trial = ("run", "--rm", "--network=host", "--entrypoint=/bin/true", image)
    first = engine.call(*trial, check=False)
    if not first.returncode:
        return
    if engine.name == "podman":
        path = folder / "containers.conf"
        path.write_text(modest_configuration())
        engine.environment["CONTAINERS_CONF"] = str(path)
        first = engine.call(*trial, check=False)
        if not first.returncode:
            return
    raise NoEngine(f"{engine.name} runs no container: {' '.join(first.stdout.split())[-200:]}")


def modest_configuration() -> str:
    """Return a containers.conf that asks for no more than this process has."""
    # Less than podman's own, which would be an attempt to raise them.
    limits = []
    for name, kind, enough in (("nofile", resource.RLIMIT_NOFILE, 65_536), ("nproc", resource.RLIMIT_NPROC, 4_096)):
        hard = resource.getrlimit(kind)[1]
        value = enough if hard < 0 else min(hard, enough)
        limits.append(f'"{name}={value}:{value}"')
    lines = [
        "[containers]",
        f"default_ulimits = [{', '.join(limits)}]",
        'netns = "host"',
        "[engine]",
        'cgroup_manager = "cgroupfs"',
        'events_logger = "file"',
    ]
    runc = shutil.which("runc")
    if runc:
        lines += ['runtime = "runc"', "[engine.runtimes]", f'runc = ["{runc}"]']
    return "\n".join(lines) + "\n"
