"""Pods as containers, as strict as clusters are that trust nobody."""

from __future__ import annotations

from pathlib import Path

from kubeflow.container.entrypoint import FOLDERS
from tests.kubeflow.cluster.engine import Engine
from tests.kubeflow.emulator.pods import Pod

ANYBODY = 1_000_710_000  # such as OpenShift chooses: a number that no /etc/passwd has, in group 0
# The same by docker's API.
CONFINED = {"user": f"{ANYBODY}:0", "cap_drop": ["ALL"], "security_opt": ["no-new-privileges"], "read_only": True}
OF_THE_ENGINE = (125, 126, 127)  # the status where no container ran, or not the command in it


class Containers:
    """Runs each pod in a container: an arbitrary user id in group 0, no capabilities, nothing writable but what must be.

    Memory is limited as compiled; processors are not, of which a test machine has fewer than a cluster.

    Args:
        engine: What runs containers.
        claims: Where the persistent volume claims' folders are.
        user: A user id that runs each step.
    """

    def __init__(self, engine: Engine, claims: Path, user: int = ANYBODY):
        self.engine, self.claims, self.user = engine, claims, user

    def root(self, folder: Path) -> str:
        """Return what a pod's paths begin with: nothing, as it sees the folders at its root."""
        return ""

    def run(self, pod: Pod) -> tuple[int, str]:
        """Run a pod to its end; return the exit status and the output.

        Raises:
            RuntimeError: The engine did not run it.
        """
        command, *arguments = pod.command
        try:
            done = self.engine.call(
                "run",
                f"--name={pod.name}",
                "--rm",
                *self.confinement(pod),
                *self.mounts(pod),
                *(f"--env={name}" for name in pod.environment),  # their values on no command line
                f"--entrypoint={command}",
                pod.image,
                *arguments,
                check=False,
                environment=pod.environment,
                cwd=pod.folder,  # where podman leaves a file `oom` of a container that had too little memory
            )
        finally:
            self.engine.call("rm", "--force", pod.name, check=False)
        if done.returncode in OF_THE_ENGINE:
            raise RuntimeError(f"{pod.name}: no container ran: {done.stdout[-2000:]}")
        return done.returncode, done.stdout

    def confinement(self, pod: Pod) -> list[str]:
        """Return the options that take rights away."""
        options = [f"--user={self.user}:0", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--read-only", "--network=host"]
        memory = pod.resources.get("memoryLimit")
        if memory:
            size = int(float(memory) * 1e9)
            options += [f"--memory={size}b", f"--memory-swap={size}b"]
        return options

    def mounts(self, pod: Pod) -> list[str]:
        """Return the options for what can be written: the launcher's folders, /tmp, HOME, and the claims."""
        shared = {name: pod.folder / name.strip("/") for name in (*FOLDERS.values(), "/tmp/")}
        shared |= {path: self.claims / claim for claim, path in pod.volumes}
        for folder in shared.values():
            folder.mkdir(parents=True, exist_ok=True)
            for path in (folder, *folder.rglob("*")):
                path.chmod(0o770 if path.is_dir() else 0o660)  # group 0 is that of the step
        options = [f"--volume={folder}:{path.rstrip('/')}" for path, folder in shared.items()]
        return [*options, "--tmpfs=/home/darkroom:rw,mode=1777"]
