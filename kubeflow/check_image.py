"""Examine a built image as those who run it will.

    python3 kubeflow/check_image.py IMAGE [ENGINE]

IMAGE was made by `make image` or `make serving-image`; its label says which. ENGINE is the command docker or podman; without
it, the first of them that answers, as `make image` chooses. Needs nothing but Python.

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

ENGINES = ("docker", "podman")  # in the order of the Makefile
ANYBODY = "1234567890:0"  # a user id as OpenShift would choose it
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"  # TensorFlow's libcurl reads gs:// by this file alone
HINTS = ("--help", "errors pretty printing info")  # what docker says behind an error
TITLE = "org.opencontainers.image.title"
UNWANTED = ("TF_USE_LEGACY_KERAS", "PIP_CERT", "PIP_INDEX_URL")  # variables
SERVING_IMPORT = "import ctypes, serving.c_api; ctypes.CDLL(str(serving.c_api.find_library()))"
STEPS_IMPORT = (
    "import kubeflow.entrypoint, pipeline.graph.pipeline, tfx.components, "
    "tfx.orchestration.kubeflow.v2.compiler_utils, tensorflow, keras"
)


class NotExamined(Exception):
    """The image could not be examined; the message is one line that quotes the engine."""


@dataclass(frozen=True)
class Kind:
    """What an image is to be like.

    Attributes:
        largest: Its size in gigabytes of 10^9 bytes, uncompressed.
        entrypoint: Its ENTRYPOINT.
        folders: What any user may write.
        commands: What starts, each with status 0, without the network.
    """

    largest: float
    entrypoint: list[str]
    folders: tuple[str, ...]
    commands: tuple[str, ...]


KINDS = {  # by the label TITLE
    # Docker puts an ENTRYPOINT before the commands of steps.
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
    """Return the first command that answers to `info`.

    Raises:
        NotExamined: None does.
    """
    reasons = []
    for command in commands:
        done = _call([command, "info"])
        if not done.returncode:
            return command
        reasons.append(f"{command}: {_last_line(done)}")
    raise NotExamined("; ".join(reasons))


def examine(image: str, engine: list[str], environment: dict[str, str] | None = None) -> list[str]:
    """Return what is wrong with an image.

    Args:
        image: Its name.
        engine: The engine's command.
        environment: The engine's environment; None takes this process's.

    Returns:
        The problems, a line each.

    Raises:
        NotExamined: The engine has no such image, or no container of it starts.
    """

    def run(user: str, script: str) -> subprocess.CompletedProcess[str]:
        confined = ("--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none")
        return _call(
            [*engine, "run", "--rm", f"--user={user}", *confined, "--entrypoint=/bin/sh", image, "-c", script], environment
        )

    inspected = _call([*engine, "image", "inspect", image], environment)
    if inspected.returncode:
        raise NotExamined(f"{engine[0]} image inspect {image}: {_last_line(inspected)}")
    found: dict[str, Any] = json.loads(inspected.stdout)[0]
    config = found["Config"]
    title = (config.get("Labels") or {}).get(TITLE)
    if title not in KINDS:
        return [f"its label {TITLE} is {title}, not {' or '.join(KINDS)}: it was built by neither Dockerfile"]
    kind, size = KINDS[title], found["Size"] / 1e9
    say(f"{size:7.2f} GB  {image}")
    user = config.get("User") or "0:0"
    started = run(user, "/bin/true")
    if started.returncode:
        raise NotExamined(f"{engine[0]} runs no container of {image}: {_last_line(started)}")
    problems = [] if size <= kind.largest else [f"{image} has {size:.2f} GB, more than {kind.largest}"]
    if user.split(":")[0] in ("0", "root"):
        problems.append("it runs as root")
    variables = {one.partition("=")[0] for one in config.get("Env") or ()}
    problems += [f"the variable {name} is set" for name in UNWANTED if name in variables]
    entrypoint = config.get("Entrypoint") or []
    if entrypoint != kind.entrypoint:
        problems.append(f"its ENTRYPOINT is {entrypoint}, not {kind.entrypoint}")
    for each in (user, ANYBODY):
        problems += [f"{each}: {one}" for one in _closed(run(each, closed_script(kind.folders)))]
        for command in kind.commands:
            begun = time.monotonic()
            done = run(each, command)
            say(f"{time.monotonic() - begun:7.1f} s   {each}: {command}")
            if done.returncode:
                problems.append(f"{each}: {command} ends with status {done.returncode}: {_last_line(done)}")
    return problems


def closed_script(folders: Sequence[str]) -> str:
    """Return a shell script that prints the problems of the file system as its user sees it, a line each, and then `examined`."""
    return f"""
for folder in {" ".join(folders)}; do mktemp "$folder/XXXXXX" >/dev/null 2>&1 || echo "$folder cannot be written"; done
test -r {CA_BUNDLE} && test -s {CA_BUNDLE} || echo "{CA_BUNDLE} is missing, empty or cannot be read: gs:// needs it"
find /opt /usr /etc -writable ! -type l 2>/dev/null | head -n 5 | sed "s/$/ can be written/"
find / -xdev -name ".*_history" 2>/dev/null | sed "s/$/ is a shell's history/"
for tool in gcc g++ cc uv strip; do ! command -v $tool >/dev/null || echo "the tool $tool is in the image"; done
echo examined
"""


def _closed(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the problems that `closed_script` has printed; a script that was cut short is one."""
    *problems, end = done.stdout.splitlines() or [""]
    return problems if end == "examined" else [f"its files could not be examined: {_last_line(done)}"]


def _call(words: list[str], environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(words, check=False, capture_output=True, text=True, errors="replace", env=environment)
    except OSError as error:
        return subprocess.CompletedProcess(words, 127, "", error.strerror or str(error))


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a command that failed says last, but for hints; cut to 150 characters."""
    lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
    lines = [line for line in lines if not any(hint in line for hint in HINTS)]
    return lines[-1][:150] if lines else f"it ended with status {done.returncode}"


def say(line: str) -> None:
    """Write a line to standard error, at once."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
