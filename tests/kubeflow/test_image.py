"""The image, as far as its Dockerfile tells without an engine; kubeflow/check_image.py carries its instructions out."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex

import pytest

from kubeflow.check_image import DOCKERFILE, Stage, assignments, context, expand, ignore_patterns, ignored, sources, stages
from tests.project import ROOT

SETUP = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))


def in_setup(name: str) -> object:
    """A constant or a keyword argument of setup.py."""
    for node in ast.walk(SETUP):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == name:
            return ast.literal_eval(node.value)
        if isinstance(node, ast.keyword) and node.arg == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"setup.py has no {name}")


@pytest.fixture(scope="module", name="both")
def both_stages() -> list[Stage]:
    return stages(DOCKERFILE.read_text(encoding="utf-8"))


def copied(stage: Stage) -> list[str]:
    """What a stage copies of the checkout."""
    return [name for source, names, _ in map(sources, stage.values("COPY")) if source is None for name in names]


def commands(stage: Stage) -> list[list[str]]:
    """The words of each command that a stage runs."""
    return [shlex.split(command) for value in stage.values("RUN") for command in value.split("&&")]


def environment(stage: Stage) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in stage.values("ENV"):
        found.update(assignments(value, {"PATH": "/usr/bin"}))
    return found


def test_both_stages_are_a_plain_python(both):
    assert [stage.name for stage in both] == ["build", "image"]
    assert {stage.base for stage in both} == {"python:3.10-slim"}
    from_lines = re.findall(r"^FROM (\S+)", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {expand(line, {"DIGEST": "sha256:1a2b"}) for line in from_lines} == {"python:3.10-slim@sha256:1a2b"}


def test_every_source_is_there_and_in_the_context(both):
    build, image = both
    assert copied(build) and not copied(image)
    for name in copied(build):
        assert (ROOT / name).exists(), name
        assert list(context(name)), f"the .dockerignore keeps {name} out"


def test_packages_come_whole(both):
    packages = in_setup("PACKAGES")
    assert set(packages) <= set(copied(both[0]))
    assert {"setup.py", "pyproject.toml", "README.md", "LICENSE", *(f"{name}.py" for name in in_setup("py_modules"))} <= set(
        copied(both[0])
    )
    ours = {"kubeflow/check_image.py"}
    for package in packages:
        wanted = {path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*.py")} - ours
        for globs in in_setup("package_data").get(package, []):
            wanted |= {path.relative_to(ROOT).as_posix() for path in (ROOT / package).glob(globs)}
        assert wanted and wanted <= set(context(package))


@pytest.mark.parametrize(
    "path",
    [
        "tests/project.py",
        "benchmarks/README.md",
        "docs/model.md",
        "work/digits/serving/1/saved_model.pb",
        ".git/config",
        ".venv/bin/python",
        ".uv/bin/uv",
        "credentials.env",
        "requirements/install.sh",
        "trainer/__pycache__/vae.cpython-310.pyc",
        "components/report/__pycache__",
        "kubeflow/manifests/storage-secret.yaml",
        "kubeflow/Dockerfile",
        "kubeflow/check_image.py",
    ],
)
def test_nothing_else_goes_into_the_context(path):
    assert ignored(path, ignore_patterns())


@pytest.mark.parametrize(
    ("path", "patterns", "expected"),
    [
        ("a/b.txt", ["*"], True),
        ("a/b.txt", ["*.txt"], False),
        ("a/b.txt", ["**/*.txt"], True),
        ("b.txt", ["**/*.txt"], True),
        ("a/b/c", ["*", "!a"], False),
        ("a/b/c", ["*", "!a", "a/b"], True),
        ("a/b/c", ["*", "!a", "/a/b/"], True),
        ("ab", ["a?"], True),
        ("abc", ["a?"], False),
    ],
)
def test_patterns_mean_what_they_mean_to_an_engine(path, patterns, expected):
    assert ignored(path, patterns) is expected


def test_only_what_is_locked_is_installed(both):
    """The same files with the same options as requirements/install.sh, and the project itself without dependencies."""
    script = (ROOT / "requirements" / "install.sh").read_text(encoding="utf-8").replace("\\\n", " ")
    installs = [words for words in commands(both[0]) if "pip" in words]
    for file in ("requirements/uv.txt", "requirements/build.txt", "requirements/lock.txt"):
        (words,) = [words for words in installs if file in words]
        (line,) = [line for line in script.splitlines() if file in line and "pip" in line]
        assert "--require-hashes" in words
        for option in ("--require-hashes", "--no-deps", "--no-build-isolation", "sync"):
            assert (option in words) == (option in line), (file, option)
    assert len(installs) == 4
    assert installs[-1][-1] == "." and {"--no-deps", "--no-build-isolation"} <= set(installs[-1])
    assert not any("pip" in words for words in commands(both[1]))


def test_no_compiler_is_in_the_image(both):
    build, image = both
    assert any({"apt-get", "gcc", "g++"} <= set(words) for words in commands(build))
    assert {words[0] for words in commands(image)} == {"useradd", "install"}
    assert [sources(value) for value in image.values("COPY")] == [("build", ["/opt/venv"], "/opt/venv")]


def test_it_runs_as_a_numbered_user_who_is_not_root(both):
    *_, user = both[1].values("USER")
    uid, gid = user.split(":")
    assert uid.isdigit() and int(uid) >= 1000
    assert gid == "0", "arbitrary user ids, as on OpenShift, are in group 0, which may write HOME"
    assert both[1].instructions[-1].name == "ENTRYPOINT"
    home = environment(both[1])["HOME"]
    (made,) = [words for words in commands(both[1]) if words[0] == "install"]
    assert home in made and made[made.index("-m") + 1] == "0770" and made[made.index("-o") + 1] == uid


def test_its_environment(both):
    found = environment(both[1])
    assert found["PATH"].startswith("/opt/venv/bin:")
    assert {name: found[name] for name in ("MPLBACKEND", "PYTHONUNBUFFERED")} == {"MPLBACKEND": "Agg", "PYTHONUNBUFFERED": "1"}
    assert "TF_CPP_MIN_LOG_LEVEL" in found
    assert "TF_USE_LEGACY_KERAS" not in {**environment(both[0]), **found}


def test_its_version_is_that_of_the_package(both):
    (argument,) = both[1].values("ARG")
    assert argument == f"VERSION={in_setup('version')}"
    (labels,) = both[1].values("LABEL")
    assert assignments(labels, {"VERSION": "7"})["org.opencontainers.image.version"] == "7"


def test_its_entrypoint(both):
    (value,) = both[1].values("ENTRYPOINT")
    assert json.loads(value) == ["python", "-m", "kubeflow.entrypoint"]
    if not (ROOT / "kubeflow" / "entrypoint.py").exists():
        pytest.skip("there is no kubeflow/entrypoint.py yet")
    assert importlib.util.find_spec("kubeflow.entrypoint").origin == str(ROOT / "kubeflow" / "entrypoint.py")
