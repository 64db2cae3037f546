"""The images, as far as their Dockerfiles tell without an engine; tests/kubeflow/cluster builds and runs them."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex
import subprocess

import pytest

from kubeflow.check_image import CA_BUNDLE
from kubeflow.compile.compiler import ENTRYPOINT
from tests.kubeflow.dockerfile import (
    DOCKERFILE,
    SERVING,
    Stage,
    assignments,
    context,
    expand,
    ignore_patterns,
    ignored,
    sources,
    stages,
)
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


@pytest.fixture(scope="module", name="all_of_it")
def all_stages() -> dict[str, Stage]:
    return {stage.name: stage for stage in stages(DOCKERFILE.read_text(encoding="utf-8"))}


@pytest.fixture(scope="module", name="serving")
def serving_stages() -> dict[str, Stage]:
    return {stage.name: stage for stage in stages(SERVING.read_text(encoding="utf-8"))}


def copied(stage: Stage) -> list[str]:
    """What a stage copies of the checkout."""
    arguments = {name: value for text in stage.values("ARG") for name, value in assignments(text, {}).items()}
    texts = [expand(text, arguments) for text in stage.values("COPY")]
    return [name for source, names, _ in map(sources, texts) if source is None for name in names]


def commands(stage: Stage) -> list[list[str]]:
    """The words of each command that a stage runs."""
    return [shlex.split(command) for value in stage.values("RUN") for command in value.split("&&")]


def environment(stage: Stage) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in stage.values("ENV"):
        found.update(assignments(value, {"PATH": "/usr/bin"}))
    return found


def test_it_starts_from_a_plain_python(all_of_it, serving):
    assert {name: stage.base for name, stage in all_of_it.items()} == {
        "environment": "python:3.12-slim-trixie",
        "project": "environment",
        "image": "environment",
    }
    assert {stage.base for stage in serving.values()} == {"python:3.12-slim-trixie"}


def test_it_starts_from_a_mirrors_python_where_that_is_said():
    other = "mirror.example.com/python@sha256:1a2b"
    for file in (DOCKERFILE, SERVING):
        text = file.read_text(encoding="utf-8")
        found = stages(re.sub("^ARG BASE=.*", f"ARG BASE={other}", text, flags=re.MULTILINE))
        assert {stage.base for stage in found} - {stage.name for stage in found} == {other}


def test_every_source_is_there_and_in_the_context(all_of_it, serving):
    for file, found in ((DOCKERFILE, all_of_it), (SERVING, serving)):
        names = [name for stage in found.values() for name in copied(stage)]
        assert names
        for name in names:
            assert (ROOT / name).exists(), name
            assert list(context(file, name)), f"the .dockerignore keeps {name} out"


def test_an_edit_of_the_project_makes_a_small_layer(all_of_it):
    """What is locked lies in a stage that copies nothing else, and the image gets the project beside it."""
    locked = copied(all_of_it["environment"])
    assert locked and all(name.startswith("requirements/") for name in locked)
    assert all_of_it["image"].values("COPY") == ["--from=project /opt/darkroom /opt/darkroom"]
    assert any(words[-2:] == [">", "darkroom.pth"] and "/opt/darkroom" in words for words in commands(all_of_it["environment"]))
    (install,) = commands(all_of_it["project"])
    assert install[-3:] == ["--target", "/opt/darkroom", "."]
    assert environment(all_of_it["environment"])["PATH"].startswith("/opt/venv/bin:/opt/darkroom/bin:")


def test_the_lock_files_are_those_of_the_project():
    """Each version is that which is tested here; the image has no tests."""

    def versions(name: str) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / "requirements" / name).read_text(encoding="utf-8"), re.MULTILINE))

    for line in ("1.16", "1.21"):
        lock = versions(f"{line}/lock.txt")
        for name in (f"{line}/image.txt", f"{line}/serving.txt"):
            found = versions(name)
            found.pop("tensorflow-cpu", None)
            assert found and found.items() <= lock.items(), name
            assert not {"pytest", "moto", "mlflow-skinny", "notebook"} & set(found)
        assert versions(f"{line}/serving.txt")["tensorflow-cpu"] == lock["tensorflow"]


def test_packages_come_whole(all_of_it, serving):
    packages = in_setup("PACKAGES")
    found = set(copied(all_of_it["project"]))
    assert set(packages) <= found
    assert {"setup.py", "pyproject.toml", "README.md", "LICENSE", *(f"{name}.py" for name in in_setup("py_modules"))} <= found
    ours = {"kubeflow/check_image.py"}
    for package in packages:
        wanted = {path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*.py")} - ours
        for globs in in_setup("package_data").get(package, []):
            wanted |= {path.relative_to(ROOT).as_posix() for path in (ROOT / package).glob(globs) if path.is_file()}
        assert wanted and wanted <= set(context(DOCKERFILE, package))
    for package in ("common", "serving"):
        assert set(context(DOCKERFILE, package)) == set(context(SERVING, package))


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
        "kubeflow/Dockerfile.serving.dockerignore",
        "requirements/1.21/lock.txt",
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


def test_only_what_is_locked_is_installed(all_of_it):
    """With the same options as requirements/install.sh, and the project itself without dependencies."""
    script = (ROOT / "requirements" / "install.sh").read_text(encoding="utf-8").replace("\\\n", " ")
    installs = [words for words in commands(all_of_it["environment"]) if "pip" in words and "config" not in words]
    for file, in_script in (("uv.txt", "uv.txt"), ("build.txt", "build.txt"), ("image.txt", "$chosen/lock.txt")):
        (words,) = [words for words in installs if f"requirements/{file}" in words]
        (line,) = [line for line in script.splitlines() if f"requirements/{in_script}" in line and "pip" in line]
        assert "--require-hashes" in words
        for option in ("--require-hashes", "--no-deps", "--no-build-isolation", "sync"):
            assert (option in words) == (option in line), (file, option)
    assert len(installs) == 3
    (install,) = commands(all_of_it["project"])
    assert {"--no-deps", "--no-build-isolation", "."} <= set(install)


def test_the_serving_image_has_what_is_locked(serving):
    (words,) = [words for words in commands(serving["build"]) if "pip" in words]
    assert {"--require-hashes", "--no-deps", "/src/requirements/serving.txt"} <= set(words)
    assert not serving["serving"].values("RUN")
    assert serving["project"].values("RUN") == ["chmod -R a+rX,go-w /src/common /src/serving"], (
        "whatever the modes of the checkout are"
    )
    (value,) = serving["serving"].values("ENTRYPOINT")
    *python, module = json.loads(value)
    assert python == ["python", "-m"] and importlib.util.find_spec(f"{module}.__main__").origin.startswith(str(ROOT))
    (user,) = serving["serving"].values("USER")
    assert int(user.split(":")[0]) >= 1000


def test_every_download_trusts_what_the_system_trusts(all_of_it, serving):
    """pip in the official images has certificates of its own; behind a proxy that inspects TLS they do not do."""
    for stage in (all_of_it["environment"], serving["build"]):
        for value in stage.values("RUN"):
            if "pip" in value.split():
                assert value.startswith("--mount=type=secret,id=ca,mode=0444 --mount=type=secret,id=pip ")
                assert {"PIP_CERT=$ca", "PIP_CONFIG_FILE=/run/secrets/pip"} <= set(value.split())
                assert value.count("apt-get update") == 1 and value.count("-o Acquire::https::CaInfo=$ca") == 2
            # buildah deletes the target of a mount, and with it a file of the image that was there
            assert "target=" not in value
    (words,) = (words for words in commands(all_of_it["environment"]) if "UV_SYSTEM_CERTS=1" in words)
    assert "SSL_CERT_FILE=$ca" in words
    everything = {**environment(all_of_it["environment"]), **environment(all_of_it["image"]), **environment(serving["serving"])}
    assert not {"PIP_CERT", "SSL_CERT_FILE", "PIP_INDEX_URL"} & set(everything), "what the build needs does not stay"


@pytest.mark.parametrize("given", [True, False])
def test_the_certificates_are_the_secrets_or_else_the_systems(all_of_it, serving, tmp_path, given):
    secret = tmp_path / "ca"
    if given:
        secret.write_text("x")
    for stage in (all_of_it["environment"], serving["build"]):
        (value,) = (value for value in stage.values("RUN") if "id=ca" in value)
        choice = value[value.index("ca=/run") :].split("&& apt-get")[0].replace("/run/secrets/ca", str(secret))
        said = subprocess.run(["sh", "-euc", f'{choice} && echo "$ca"'], check=True, capture_output=True, text=True).stdout
        assert said.strip() == (str(secret) if given else CA_BUNDLE)


def test_no_compiler_stays(all_of_it):
    first = commands(all_of_it["environment"])
    got, gone = ({"gcc", "g++"} <= set(words) and words[:2] for words in first if {"gcc", "g++"} <= set(words))
    assert got == ["apt-get", "install"] and gone == ["apt-get", "purge"]
    assert any(words[0] == "rm" and {"/opt/uv", "/var/lib/apt/lists/*"} <= set(words) for words in first)
    assert not all_of_it["image"].values("RUN")


def test_it_runs_as_a_numbered_user_who_is_not_root(all_of_it):
    *_, user = all_of_it["image"].values("USER")
    uid, gid = user.split(":")
    assert uid.isdigit() and int(uid) >= 1000
    assert gid == "0", "arbitrary user ids, as on OpenShift, are in group 0, which may write HOME"
    home = environment(all_of_it["environment"])["HOME"]
    (made,) = [words for words in commands(all_of_it["environment"]) if words[0] == "install"]
    assert home in made and made[made.index("-m") + 1] == "0770" and made[made.index("-o") + 1] == uid


def test_its_environment(all_of_it):
    found = {**environment(all_of_it["environment"]), **environment(all_of_it["image"])}
    assert {name: found[name] for name in ("MPLBACKEND", "PYTHONUNBUFFERED")} == {"MPLBACKEND": "Agg", "PYTHONUNBUFFERED": "1"}
    assert "TF_CPP_MIN_LOG_LEVEL" in found
    assert "TF_USE_LEGACY_KERAS" not in found


def test_their_version_is_that_of_the_package(all_of_it, serving):
    for stage in (all_of_it["image"], serving["serving"]):
        (argument,) = stage.values("ARG")
        assert argument == f"VERSION={in_setup('version')}"
        (labels,) = stage.values("LABEL")
        assert assignments(labels, {"VERSION": "7"})["org.opencontainers.image.version"] == "7"


def test_each_step_names_its_whole_command(all_of_it):
    """An ENTRYPOINT would be put before it by docker, and so by kfp.local."""
    assert not any(stage.values("ENTRYPOINT") for stage in all_of_it.values())
    (value,) = all_of_it["image"].values("CMD")
    assert json.loads(value) == ["darkroom", "--help"]
    assert importlib.util.find_spec(ENTRYPOINT[-1]).origin == str(ROOT / "kubeflow" / "entrypoint.py")
