"""Examine a built image under the conditions in which it will run.

    python3 kubeflow/check_image.py IMAGE [ENGINE]

IMAGE was built by `make image` or `make serving-image`; its label tells them apart. ENGINE is the command docker or podman. Without
it, the first one that works is used, as in `make image`. The script needs only Python.

Exit status: 0 no problems found, 1 problems found, 2 the image could not be examined.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

ENGINES = ("docker", "podman")  # tried in this order, as in the Makefile
ANYBODY = "1234567890:0"  # a user id of the kind that OpenShift assigns
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"  # the only file that TensorFlow's libcurl uses for gs://
HINTS = ("--help", "errors pretty printing info")  # lines that docker prints after an error
TITLE = "org.opencontainers.image.title"
UNWANTED = ("TF_USE_LEGACY_KERAS", "PIP_CERT", "PIP_INDEX_URL")  # environment variables
SERVING_IMPORT = "import ctypes, serving.c_api; ctypes.CDLL(str(serving.c_api.find_library()))"
STEPS_IMPORT = (
    "import kubeflow.entrypoint, pipeline.graph.pipeline, tfx.components, "
    "tfx.orchestration.kubeflow.v2.compiler_utils, tensorflow, keras"
)


class NotExamined(Exception):
    """The image could not be examined. The message is one line that quotes the engine."""


@dataclass(frozen=True)
class Kind:
    """The requirements on an image."""

    largest: float  # maximum size in gigabytes of 10^9 bytes, uncompressed
    entrypoint: list[str]  # its ENTRYPOINT
    folders: tuple[str, ...]  # folders that any user can write to
    commands: tuple[str, ...]  # commands that end with status 0 without the network


KINDS = {  # by the label TITLE
    # Docker would put an ENTRYPOINT before the commands of steps.
    "darkroom": Kind(
        largest=2.6,
        entrypoint=[],
        folders=("$HOME", "/tmp", "/gcs", "/minio", "/s3"),
        commands=(f"python -c '{STEPS_IMPORT}'", "python -m kubeflow.entrypoint --help", "darkroom --help"),
    ),
    "darkroom-serving": Kind(
        largest=0.9,
        entrypoint=["python", "-m", "serving"],
        folders=("/tmp",),
        commands=("python -m serving --help", f"python -c '{SERVING_IMPORT}'"),
    ),
}


def main(arguments: list[str]) -> None:
    """Examine an image and exit; see the module's docstring."""
    if not 1 <= len(arguments) <= 2:
        raise SystemExit(__doc__)
    try:
        problems = examine(arguments[0], [arguments[1] if len(arguments) == 2 else find_engine()])
    except NotExamined as reason:
        say(f"not examined: {reason}")
        sys.exit(2)
    say("\n".join(problems) or "No problems found.")
    sys.exit(bool(problems))


def find_engine(commands: Sequence[str] = ENGINES) -> str:
    """Return the first command whose `info` succeeds, or raise NotExamined."""
    reasons = []
    for command in commands:
        done = _call([command, "info"])
        if not done.returncode:
            return command
        reasons.append(f"{command}: {_last_line(done)}")
    raise NotExamined("; ".join(reasons))


def examine(image: str, engine: list[str], environment: dict[str, str] | None = None) -> list[str]:
    """Return the problems of an image, one line each.

    Args:
        image: The name of the image.
        engine: The command of the engine.
        environment: The environment of the engine; None takes this process's.

    Raises:
        NotExamined: The engine has no such image, or cannot start a container of it.
    """

    def run(user: str, script: str) -> subprocess.CompletedProcess[str]:
        confined = ("--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none")
        return _call(
            [*engine, "run", "--rm", f"--user={user}", *confined, "--entrypoint=/bin/sh", image, "-c", script], environment
        )

    inspected = _call([*engine, "image", "inspect", image], environment)
    if inspected.returncode:
        raise NotExamined(f"{engine[0]} image inspect {image}: {_last_line(inspected)}")
    result: dict[str, Any] = json.loads(inspected.stdout)[0]
    config = result["Config"]
    title = (config.get("Labels") or {}).get(TITLE)
    if title not in KINDS:
        return [f"its label {TITLE} is {title}, not {' or '.join(KINDS)}: it was built by neither Dockerfile"]
    kind, size = KINDS[title], result["Size"] / 1e9
    say(f"{size:7.2f} GB  {image}")
    user = config.get("User") or "0:0"
    started = run(user, "/bin/true")
    if started.returncode:
        raise NotExamined(f"{engine[0]} runs no container of {image}: {_last_line(started)}")
    problems = [] if size <= kind.largest else [f"{image} has {size:.2f} GB, more than {kind.largest}"]
    if user.split(":")[0] in ("0", "root"):
        problems.append("it runs as root")
    variables = {item.partition("=")[0] for item in config.get("Env") or ()}
    problems += [f"the variable {name} is set" for name in UNWANTED if name in variables]
    entrypoint = config.get("Entrypoint") or []
    if entrypoint != kind.entrypoint:
        problems.append(f"its ENTRYPOINT is {entrypoint}, not {kind.entrypoint}")
    for each in (user, ANYBODY):
        problems += [f"{each}: {item}" for item in _closed(run(each, closed_script(kind.folders)))]
        for command in kind.commands:
            begun = time.monotonic()
            done = run(each, command)
            say(f"{time.monotonic() - begun:7.1f} s   {each}: {command}")
            if done.returncode:
                problems.append(f"{each}: {command} ends with status {done.returncode}: {_last_line(done)}")
    return problems


def closed_script(folders: Sequence[str]) -> str:
    """Return a shell script that prints the problems of the file system for its user, one line each, and then `examined`."""
    return f"""
for folder in {" ".join(folders)}; do mktemp "$folder/XXXXXX" >/dev/null 2>&1 || echo "$folder cannot be written"; done
test -r {CA_BUNDLE} && test -s {CA_BUNDLE} || echo "{CA_BUNDLE} is missing, empty or cannot be read: gs:// needs it"
find /opt /usr /etc -writable ! -type l 2>/dev/null | head -n 5 | sed "s/$/ can be written/"
find / -xdev -name ".*_history" 2>/dev/null | sed "s/$/ is a shell's history/"
for tool in gcc g++ cc uv strip; do ! command -v $tool >/dev/null || echo "the tool $tool is in the image"; done
echo examined
"""


def _closed(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the problems that `closed_script` printed. An incomplete output is a problem too."""
    *problems, end = done.stdout.splitlines() or [""]
    return problems if end == "examined" else [f"its files could not be examined: {_last_line(done)}"]


def _call(command: list[str], environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, check=False, capture_output=True, text=True, errors="replace", env=environment)
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, "", error.strerror or str(error))


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return the last line of a failed command's output, without hints, cut to 150 characters."""
    lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
    lines = [line for line in lines if not any(hint in line for hint in HINTS)]
    return lines[-1][:150] if lines else f"it ended with status {done.returncode}"


def say(line: str) -> None:
    """Write a line to standard error, and flush it."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
