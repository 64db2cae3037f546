"""Reading a Dockerfile and its .dockerignore, as far as the project's own go."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "kubeflow" / "Dockerfile"
SERVING = ROOT / "kubeflow" / "Dockerfile.serving"


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
        base: What it starts from: an image, or an earlier stage.
        name: After AS; else its number.
        instructions: Those after FROM.
    """

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

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


def line_arguments() -> list[str]:
    """Return the options by which `make image` builds for this Python's line of TFX."""
    (older,) = re.findall(r"^OLDER = .*?(--build-arg=.*)\)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    return older.split() if sys.version_info < (3, 11) else []


def expand(text: str, variables: dict[str, str]) -> str:
    """Replaces $NAME and ${NAME}, which are all that the Dockerfiles use."""
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


def ignore_patterns(dockerfile: Path = DOCKERFILE) -> list[str]:
    """The lines of a Dockerfile's .dockerignore."""
    lines = dockerfile.with_name(f"{dockerfile.name}.dockerignore").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def context(dockerfile: Path = DOCKERFILE, below: str = "") -> Iterator[str]:
    """Yield the files that go into a build, relative to the checkout; of one file or folder where `below` names it."""
    patterns = ignore_patterns(dockerfile)
    tops = [below] if below else sorted({pattern.lstrip("!/") for pattern in patterns if pattern.startswith("!")})
    for top in tops:
        for path in sorted((ROOT / top).rglob("*")) if (ROOT / top).is_dir() else [ROOT / top]:
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
