"""Looks at a built image as those who run it will.

    python3 kubeflow/check_image.py IMAGE [ENGINE]

ENGINE is podman or docker; without, the first that is installed. Needs nothing but Python.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time

LARGEST = 2.6  # gigabytes of 10^9 bytes, uncompressed
ANYBODY = "1234567890:0"  # as OpenShift would choose
FOLDERS = ("$HOME", "/tmp", "/gcs", "/minio", "/s3")
IMPORTS = "kubeflow.entrypoint, pipeline.graph, tfx.components, tfx.orchestration.kubeflow.v2.compiler_utils, tensorflow, keras"


def main(arguments: list[str]) -> None:
    """Examine an image; the exit status is 1 where something is wrong with it."""
    if not 1 <= len(arguments) <= 2:
        raise SystemExit(__doc__)
    engine = arguments[1] if len(arguments) == 2 else next((name for name in ("podman", "docker") if shutil.which(name)), "docker")
    wrong = examine(arguments[0], [engine])
    say("\n".join(wrong) or "No problems found.")
    sys.exit(bool(wrong))


def examine(image: str, engine: list[str], environment: dict[str, str] | None = None) -> list[str]:
    """Return what is wrong with an image.

    Args:
        image: Its name.
        engine: The engine's command.
        environment: The engine's environment; None takes this process's.
    """

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*engine, *words], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )

    def run(user: str, script: str) -> subprocess.CompletedProcess[str]:
        confined = ("--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none")
        return call("run", "--rm", f"--user={user}", *confined, "--entrypoint=/bin/sh", image, "-c", script)

    inspected = call("image", "inspect", image)
    if inspected.returncode:
        return [f"there is no image {image}"]
    found = json.loads(inspected.stdout)[0]
    size, config = found["Size"] / 1e9, found["Config"]
    say(f"{size:7.2f} GB  {image}")
    wrong = [] if size <= LARGEST else [f"{image} has {size:.2f} GB, more than {LARGEST}"]
    set_variables = {one.partition("=")[0] for one in config["Env"]}
    wrong += [f"{name} is set" for name in ("TF_USE_LEGACY_KERAS", "PIP_CERT", "PIP_INDEX_URL") if name in set_variables]
    for user in (config["User"], ANYBODY):
        wrong += [f"{user}: {one}" for one in as_user(user, run)]
    if config.get("Entrypoint"):
        wrong.append(f"it has an ENTRYPOINT, {config['Entrypoint']}, which docker puts before the commands of steps")
    for command in ("python -m kubeflow.entrypoint --help", "darkroom --help"):
        if run(config["User"], command).returncode:
            wrong.append(f"{command} does not start")
    return wrong


def as_user(user: str, run) -> list[str]:
    """Return what is wrong for one user id."""
    wrong = []
    started = time.monotonic()
    done = run(user, f"python -c 'import {IMPORTS}; print(tensorflow.__version__, keras.__version__)'")
    say(f"{time.monotonic() - started:7.1f} s   {user}: import {IMPORTS}: {' '.join(done.stdout.split()[-2:])}")
    if done.returncode:
        wrong.append(f"import {IMPORTS}: {done.stdout[-1000:]}")
    for folder in FOLDERS:
        if run(user, f"mktemp {folder}/XXXXXX").returncode:
            wrong.append(f"{folder} cannot be written")
    writable = run(user, "find /opt /usr /etc -writable ! -type l 2>/dev/null").stdout.split()
    if writable:
        wrong.append(f"can write {writable[:5]}")
    histories = run(user, "find / -xdev -name '.*_history' 2>/dev/null").stdout.split()
    if histories:
        wrong.append(f"there is a shell's history: {histories}")
    tools = run(user, "for tool in gcc g++ cc uv strip; do command -v $tool; done").stdout.split()
    if tools:
        wrong.append(f"these tools are in the image: {tools}")
    return wrong


def say(line: str) -> None:
    """Write a line to standard error, at once."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
