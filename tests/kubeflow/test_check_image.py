"""Choosing the engine, and what is said of images, with engines that answer from files; tests/kubeflow/cluster has real ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kubeflow.check_image import CA_BUNDLE, KINDS, TITLE, NotExamined, examine, find_engine
from tests.kubeflow.dockerfile import ROOT

# Answers to `info` with its file's status, to `image inspect` with the file `image`, and keeps the words of `build`.
ENGINE = """#!/bin/sh
here=$(dirname "$0")
case "$1" in
    --version) echo "$(cat "$0.version") 4.3.1" ;;
    info) cat "$0.info"; test ! -s "$0.info" ;;
    image) cat "$here/image" || { echo "Error: no such image: $3" >&2; exit 1; } ;;
    build) echo "$(basename "$0") $*" > "$here/built" ;;
    run)
        for script; do :; done
        case "$script" in
            /bin/true) test ! -e "$here/refusal" || { cat "$here/refusal" >&2; exit 126; } ;;
            *examined*) cat "$here/files" ;;
            *) test ! -e "$here/broken" || { echo "ImportError: x" >&2; exit 1; } ;;
        esac ;;
esac
"""
DOWN = "Client:\nERROR: Cannot connect to the daemon\nerrors pretty printing info\n"
REFUSAL = "Error: OCI runtime error: runc: error setting rlimit type 7: operation not permitted\nRun 'docker run --help' for more\n"


@pytest.fixture
def engines(tmp_path, monkeypatch) -> Path:
    """The folder of docker and podman, both of which answer."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("docker", "podman"):
        (folder / name).write_text(ENGINE)
        (folder / name).chmod(0o755)
        (folder / f"{name}.info").write_text("")
        (folder / f"{name}.version").write_text(name)
    (folder / "files").write_text("examined\n")
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return folder


def put_image(folder: Path, title: str, **config) -> None:
    config = {"User": "1000:0", "Env": ["PATH=/usr/bin"], "Labels": {TITLE: title}, "Entrypoint": KINDS[title].entrypoint, **config}
    (folder / "image").write_text(json.dumps([{"Size": 5e8, "Config": config}]))


def make(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *words], cwd=ROOT, capture_output=True, text=True, check=False)


def check_image(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "kubeflow/check_image.py", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("down", "expected"), [([], "docker"), (["podman"], "docker"), (["docker"], "podman")])
def test_building_and_examining_choose_the_same_engine(engines, down, expected):
    for name in down:
        (engines / f"{name}.info").write_text(DOWN)
    assert find_engine() == expected
    assert make("image").returncode == 0
    assert (engines / "built").read_text().startswith(f"{expected} build ")


def test_without_an_engine_each_ones_own_error_is_said(engines):
    for name in ("docker", "podman"):
        (engines / f"{name}.info").write_text(DOWN)
    why = "docker: ERROR: Cannot connect to the daemon; podman: ERROR: Cannot connect to the daemon"
    with pytest.raises(NotExamined, match=f"^{why}$"):
        find_engine()
    done = make("serving-image")
    assert done.returncode and f"darkroom: an image needs a running docker, or podman; {why}\n" in done.stderr
    assert not (engines / "built").exists()


def test_the_engine_can_be_named(engines):
    assert make("image", "ENGINE=podman").returncode == 0
    assert (engines / "built").read_text().startswith("podman build --layers --ignorefile kubeflow/Dockerfile.dockerignore ")


@pytest.mark.parametrize(("line", "older"), [("1.16", True), ("1.21", False)])
def test_an_image_is_of_the_line_that_is_named(engines, line, older):
    assert make("image", f"LINE={line}").returncode == 0
    options = "--build-arg=LINE=1.16 --build-arg=BASE=python:3.10-slim"
    assert (options in (engines / "built").read_text()) is older


def test_podman_that_is_called_docker_finds_its_ignore_file(engines):
    (engines / "docker.version").write_text("podman version")
    words = ("IMAGE=x:1", "BUILD_ARGS=--secret=id=ca,src=a --secret=id=pip,src=b")
    assert make("serving-image", *words).returncode == 0
    built = (engines / "built").read_text()
    assert "--ignorefile kubeflow/Dockerfile.serving.dockerignore" in built
    assert "--secret=id=ca,src=a --secret=id=pip,src=b --tag x:1 ." in built


@pytest.mark.parametrize("title", list(KINDS))
def test_nothing_is_wrong_with_either_image(engines, title):
    put_image(engines, title)
    assert examine("x:1", ["docker"]) == []


def test_an_image_that_is_not_there_is_said_as_the_engine_says_it(engines):
    with pytest.raises(NotExamined, match=r"^docker image inspect x:1: Error: no such image: x:1$"):
        examine("x:1", ["docker"])
    done = check_image("x:1", "podman")
    assert (done.returncode, done.stderr) == (2, "not examined: podman image inspect x:1: Error: no such image: x:1\n")


def test_where_no_container_starts_one_line_says_why(engines):
    put_image(engines, "darkroom")
    (engines / "refusal").write_text(REFUSAL)
    done = check_image("x:1")
    assert done.returncode == 2
    words = "runc: error setting rlimit type 7: operation not permitted"
    assert done.stderr.splitlines()[1:] == [f"not examined: docker runs no container of x:1: Error: OCI runtime error: {words}"]


def test_what_is_wrong_is_said_for_each_user(engines):
    put_image(engines, "darkroom", User="0:0", Entrypoint=["tini"], Env=["PIP_CERT=x"])
    problem = f"{CA_BUNDLE} is missing, empty or cannot be read: gs:// needs it"
    (engines / "files").write_text(f"{problem}\nexamined\n")
    (engines / "broken").touch()
    problems = examine("x:1", ["docker"])
    assert problems[:3] == ["it runs as root", "the variable PIP_CERT is set", "its ENTRYPOINT is ['tini'], not []"]
    for user in ("0:0", "1234567890:0"):
        assert f"{user}: {problem}" in problems
        assert f"{user}: darkroom --help ends with status 1: ImportError: x" in problems


def test_an_examination_that_was_cut_short_is_a_problem(engines):
    put_image(engines, "darkroom-serving")
    (engines / "files").write_text("")
    assert len(examine("x:1", ["docker"])) == 2


def test_an_image_of_neither_kind_is_said(engines):
    (engines / "image").write_text(json.dumps([{"Size": 1, "Config": {}}]))
    (problem,) = examine("x:1", ["docker"])
    assert problem.startswith(f"its label {TITLE} is None, not darkroom or darkroom-serving")
