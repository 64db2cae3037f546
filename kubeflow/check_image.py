"""Tries kubeflow/Dockerfile where there is no container engine: its instructions, one by one, in plain folders.

    sudo python3 kubeflow/check_image.py BASE WORK

BASE is a folder with the files of the image that FROM names; it is not changed. Where that image cannot be had, a Debian
root with a Python 3.10 below /usr/local stands in for it, with what its network needs, such as a proxy's certificate:

    debootstrap --variant=minbase --include=ca-certificates,libssl3t64,libsqlite3-0,libffi8,libreadline8t64 trixie BASE
    cp -a PREFIX_OF_A_PYTHON_3.10/. BASE/usr/local/ && chroot BASE ldconfig

WORK, which must not exist, gets a folder for each stage (about 8 GB in all). Needs Linux, root, and nothing but Python.
What an engine does and this does not: layers, limits, an own network, and the base image itself.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = ROOT / "kubeflow" / "Dockerfile"
PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
PASSED_ON = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")  # as engines do
IMPORTS = "kubeflow, pipeline.graph, tfx, tensorflow, keras"


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile.

    Attributes:
        name: Such as RUN.
        value: What follows, its lines joined.
    """

    name: str
    value: str


@dataclass
class Stage:
    """What a FROM begins.

    Attributes:
        base: What it starts from.
        name: After AS; else its number.
        instructions: Those after FROM.
        environment: What RUN sees, as instructions set it.
        user: By whom RUN is carried out: "0", or "uid:gid".
        folder: The working directory.
    """

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": PATH, "HOME": "/root"})
    user: str = "0"
    folder: str = "/"

    def values(self, name: str) -> list[str]:
        """What follows each instruction of that name."""
        return [one.value for one in self.instructions if one.name == name]


def instructions(text: str) -> list[Instruction]:
    """The instructions of a Dockerfile, without comments."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [Instruction(name.upper(), value.strip()) for name, value in (line.split(maxsplit=1) for line in joined.splitlines())]


def stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile, their FROM lines expanded by the defaults of the arguments before them."""
    found: list[Stage] = []
    defaults: dict[str, str] = {}
    for one in instructions(text):
        if one.name == "FROM":
            base, *name = expand(one.value, defaults).split()
            found.append(Stage(base, name[1] if name else str(len(found))))
        elif found:
            found[-1].instructions.append(one)
        else:
            key, _, value = one.value.partition("=")
            defaults[key] = value
    return found


def expand(text: str, variables: dict[str, str]) -> str:
    """Replaces $NAME, ${NAME} and ${NAME:+WORD}, which are all that the Dockerfile uses."""
    text = re.sub(r"\$\{(\w+):\+((?:[^{}]|\{\w+\})*)\}", lambda m: m[2] if variables.get(m[1]) else "", text)
    return re.sub(r"\$\{?(\w+)\}?", lambda m: variables.get(m[1], ""), text)


def assignments(value: str, variables: dict[str, str]) -> dict[str, str]:
    """The pairs of an ENV, LABEL or ARG."""
    pairs = (word.partition("=") for word in shlex.split(value))
    return {key: expand(text, variables) for key, _, text in pairs}


def ignored(path: str, patterns: list[str]) -> bool:
    """Whether a .dockerignore keeps a path, relative to the context, out of the build: the last line that matches decides."""
    result = False
    parents = [path, *(str(parent) for parent in Path(path).parents)]
    for pattern in patterns:
        expression = re.escape(pattern.lstrip("!").strip("/"))
        for glob, meaning in ((r"\*\*/", "(?:.*/)?"), (r"\*\*", ".*"), (r"\*", "[^/]*"), (r"\?", "[^/]")):
            expression = expression.replace(glob, meaning)
        if any(re.fullmatch(expression, one) for one in parents if one != "."):
            result = not pattern.startswith("!")
    return result


def ignore_patterns() -> list[str]:
    """The lines of the Dockerfile's .dockerignore."""
    lines = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def context(source: str) -> Iterator[str]:
    """The files that COPY finds of a file or folder of the checkout, relative to the checkout."""
    patterns = ignore_patterns()
    start = ROOT / source
    for path in sorted(start.rglob("*")) if start.is_dir() else [start]:
        name = path.relative_to(ROOT).as_posix()
        if path.is_file() and not ignored(name, patterns):
            yield name


def sources(value: str) -> tuple[str | None, list[str], str]:
    """Of a COPY: the stage it copies from if any, the sources, and the destination."""
    words = value.split()
    flags = [word for word in words if word.startswith("--")]
    *names, destination = [word for word in words if word not in flags]
    stage = next((flag.partition("=")[2] for flag in flags if flag.startswith("--from=")), None)
    return stage, names, destination


def copy(value: str, root: Path, folder: str, work: Path) -> None:
    """Carries out a COPY into the stage at `root`."""
    stage, names, destination = sources(value)
    target = root / os.path.join(folder, destination).lstrip("/")
    for name in names:
        if stage is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-a", str(work / stage / name.lstrip("/")), str(target)], check=True)
            continue
        files = list(context(name))
        if not files:
            raise SystemExit(f"COPY {name}: there is no such file, or the .dockerignore keeps it out")
        for file in files:
            # A folder's contents go below the destination, a file into it or, where it ends without a slash, to its place.
            inside = os.path.relpath(file, name) if (ROOT / name).is_dir() else os.path.basename(name)
            into_folder = (ROOT / name).is_dir() or destination.endswith("/") or len(names) > 1
            place = target / inside if into_folder else target
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, place)


def run(stage: Stage, root: Path, command: str, user: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs a shell command in a stage's root, with its environment and nothing of this process's but proxies."""
    environment = {**{name: os.environ[name] for name in PASSED_ON if name in os.environ}, **stage.environment}
    mounts = (
        'set -e; mount --bind /proc "$0/proc"; mount --rbind /dev "$0/dev"; mount --bind /sys "$0/sys"; '
        'touch "$0/etc/resolv.conf"; mount --bind /etc/resolv.conf "$0/etc/resolv.conf"; exec chroot "$@"'
    )
    enter = ["--userspec=" + (user or stage.user), "--groups=", str(root), "/usr/bin/env", "-i"]
    pairs = [f"{name}={value}" for name, value in environment.items()]
    shell = ["/bin/sh", "-c", f"cd {shlex.quote(stage.folder)} && {command}"]
    call = ["unshare", "--mount", "--propagation", "private", "sh", "-c", mounts, str(root), *enter, *pairs, *shell]
    done = subprocess.run(call, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if check and done.returncode:
        raise SystemExit(f"{done.stdout}\nstatus {done.returncode}: {command}")
    return done


def build(stage: Stage, base: Path, work: Path) -> Path:
    """Carries out a stage's instructions; returns its root."""
    root = work / stage.name
    subprocess.run(["cp", "-a", "--reflink=auto", str(base), str(root)], check=True)
    arguments: dict[str, str] = {}
    for one in stage.instructions:
        started = time.monotonic()
        variables = {**arguments, **stage.environment}
        if one.name == "RUN":
            run(stage, root, one.value)
        elif one.name == "COPY":
            copy(expand(one.value, variables), root, stage.folder, work)
        elif one.name == "ENV":
            stage.environment.update(assignments(one.value, variables))
        elif one.name == "ARG":
            arguments.update(assignments(one.value, variables))
        elif one.name == "WORKDIR":
            stage.folder = expand(one.value, variables)
            (root / stage.folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif one.name == "USER":
            stage.user = one.value
        elif one.name not in ("LABEL", "ENTRYPOINT"):
            raise SystemExit(f"{one.name}: not known here")
        say(f"{time.monotonic() - started:7.1f} s  {stage.name}: {one.name} {one.value[:100]}")
    return root


def examine(stage: Stage, root: Path, base: Path) -> list[str]:
    """Looks at the image as those who run it will; returns what is wrong with it."""
    wrong = []
    for name, folder in {"the base": base, "the environment": root / "opt/venv", "the image": root}.items():
        size = subprocess.run(["du", "-sxm", str(folder)], check=True, capture_output=True, text=True).stdout.split()[0]
        say(f"{int(size):7d} MB  {name}")

    def expect(holds: bool, otherwise: str) -> None:
        if not holds:
            wrong.append(otherwise)

    anybody = "1234567890:0"  # as OpenShift would choose
    for user in (stage.user, anybody):
        run(stage, root, "find $HOME /tmp -mindepth 1 -delete", "0")
        started = time.monotonic()
        found = run(
            stage, root, f"python -c 'import {IMPORTS}; print(tensorflow.__version__, keras.__version__)'", user, check=False
        )
        say(f"{time.monotonic() - started:7.1f} s  {user}: import {IMPORTS}: {' '.join(found.stdout.split()[-2:])}")
        expect(found.returncode == 0, f"{user}: {found.stdout}")
        for folder in ("$HOME", "/tmp", "/gcs", "/minio", "/s3"):
            expect(run(stage, root, f"mktemp {folder}/XXXXXX", user, check=False).returncode == 0, f"{user} cannot write {folder}")
        writable = run(stage, root, "find /opt /usr /etc -writable ! -type l 2>/dev/null", user, check=False).stdout.splitlines()
        expect(not writable, f"{user} can write {writable[:5]}")
    python = "import getpass, tensorflow; print(tensorflow.keras.__version__, getpass.getuser())"
    say(f"Keras of TensorFlow, name of {anybody}: " + run(stage, root, f"python -c '{python}' 2>/dev/null", anybody).stdout.strip())
    for tool in ("gcc", "g++", "cc", "uv"):
        expect(bool(run(stage, root, f"command -v {tool}", check=False).returncode), f"{tool} is in the image")
    expect("TF_USE_LEGACY_KERAS" not in stage.environment, "legacy Keras is switched on")
    histories = run(stage, root, "find / -xdev -name '.*_history'", "0").stdout.split()
    expect(not histories, f"there is a shell's history: {histories}")
    started = time.monotonic()
    ran = run(stage, root, "darkroom run --work work --set training.epochs=2", anybody, check=False)
    say(f"{time.monotonic() - started:7.1f} s  {anybody}: darkroom run, two epochs: status {ran.returncode}")
    expect(ran.returncode == 0, ran.stdout)
    command, *arguments = json.loads(stage.values("ENTRYPOINT")[-1])
    found = run(stage, root, f"{command} -c 'import importlib.util as u; print(u.find_spec(\"{arguments[-1]}\"))' 2>/dev/null")
    say(f"entrypoint {arguments[-1]}: {found.stdout.strip()}")
    return wrong


def say(line: str) -> None:
    """Writes a line to standard error, at once."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def main(arguments: list[str]) -> None:
    """Builds every stage and examines the last."""
    if len(arguments) != 2:
        raise SystemExit(__doc__)
    base, work = (Path(one).resolve() for one in arguments)
    work.mkdir()
    *_, (last, root) = [(stage, build(stage, base, work)) for stage in stages(DOCKERFILE.read_text(encoding="utf-8"))]
    wrong = examine(last, root, base)
    say("\n".join(wrong) or "all is well")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main(sys.argv[1:])
