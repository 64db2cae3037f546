"""The compiled pipeline over two spans, each step in a container of the image that the Dockerfile makes.

The first span is for the newest SDK's own `kfp.local`, the second for `tests.kubeflow.runner`: what one run leaves to the next is
in the store alone. Where kfp.local cannot run, the runner has the first span too.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.kubeflow.cluster.conftest import Store
from tests.kubeflow.cluster.containers import CONFINED, Containers
from tests.kubeflow.cluster.docker_api import LABEL, docker_api, exit_statuses
from tests.kubeflow.cluster.engine import Engine
from tests.kubeflow.runner import Run, Runner
from tests.project import ROOT, darkroom

pytestmark = pytest.mark.cluster
PYTHON = ROOT / ".kfp-env" / "bin" / "python"


@dataclass
class First:
    """The run of the first span.

    Attributes:
        text: The compiled file.
        said: What the steps printed.
        statuses: The exit statuses of their containers.
        steps: How many there were, by what ran them.
        verdicts: Those in the registry after it.
        versions: The pushed models after it.
    """

    text: str
    said: str
    statuses: list[int]
    steps: int
    verdicts: list[dict]
    versions: set[str]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, engine, store) -> Runner:
    """The emulated cluster."""
    folder = tmp_path_factory.mktemp("cluster")
    return Runner(folder / "cluster", store.environment, Containers(engine, folder / "claims"))


@pytest.fixture(scope="module")
def first(tmp_path_factory, cluster, engine, image, store, digits, compiled) -> First:
    """Digits."""
    levels, labels = digits
    store.add_span(1, levels[:450], labels[:450])
    folder = tmp_path_factory.mktemp("first")
    file = compiled(folder, image, "s3://store/pictures/span-{SPAN}", "cluster.push_to=s3://store/models")
    if engine.name == "podman" and PYTHON.exists():
        said, statuses = run_by_the_sdk(file, folder, engine, store)
        steps = said.count("Executing task ")
    else:
        tasks = [task for task in cluster.run(file.read_text(), "run-1").values() if task.tries]
        said, statuses, steps = "".join(task.said for task in tasks), [task.status for task in tasks], len(tasks)
    return First(file.read_text(), said, statuses, steps, list(store.verdicts().values()), store.versions())


def run_by_the_sdk(file: Path, folder: Path, engine: Engine, store: Store) -> tuple[str, list[int]]:
    """Run a compiled file by kfp.local; return what it printed, and the engine's own record of the exit statuses.

    kfp.local takes a container that is gone before its status was asked for success.
    """
    root = folder / "root"
    root.mkdir()
    root.chmod(0o770)
    settings = {
        **CONFINED,
        "tmpfs": {"/tmp": "mode=1777", "/home/darkroom": "mode=1777"},
        "network_mode": "host",
        "environment": store.environment,
        "labels": {LABEL: str(folder)},
    }
    with docker_api(engine, folder) as address:
        done = subprocess.run(
            [str(PYTHON), str(Path(__file__).with_name("kfp_local.py")), str(file), str(root)],
            input=json.dumps(settings),
            env={**os.environ, "DOCKER_HOST": address},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout, exit_statuses(engine, folder)


@pytest.fixture(scope="module")
def second(first, cluster, store, digits) -> Run:
    """Other digits whose labels are in disorder, from which no classifier learns."""
    levels, labels = digits
    store.add_span(2, levels[450:900], np.random.default_rng(0).permutation(labels[450:900]))
    return cluster.run(first.text, "run-2")


def test_a_first_span_is_pushed(first):
    assert len(first.statuses) == first.steps > 10 and set(first.statuses) == {0}, first.said[-6000:]
    (ended,) = first.verdicts
    assert (ended["outcome"], ended["status"], ended["model"]["version"]) == ("pushed", 0, 1)
    assert first.versions == {"1"}


def test_the_serving_image_draws_from_the_pushed_model(first, engine, serving_image, store, tmp_path):
    for key in store.keys("models/1/"):
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(store.read(key))
    confined = ("--user=1000710000:0", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--read-only", "--network=none")
    words = ("generate", "--model", "/models", "--count", "16", "--out", "-")
    command = [engine.name, "run", "--rm", *confined, f"--volume={tmp_path / 'models'}:/models:ro", serving_image, *words]
    done = subprocess.run(command, capture_output=True, check=False, env={**os.environ, **engine.environment})
    assert done.returncode == 0, done.stderr
    ours = tmp_path / "ours.png"
    ended = darkroom("generate", "--model", tmp_path / "models", "--count", "16", "--out", ours)
    assert ended.status == 0, ended.err
    drawn, expected = (np.asarray(Image.open(file), dtype=int) for file in (io.BytesIO(done.stdout), ours))
    assert drawn.shape == expected.shape and np.abs(drawn - expected).max() <= 1 and np.ptp(drawn) > 100


def test_a_refused_model_fails_a_step_within_the_graph(second, store):
    """Every other step succeeds, within the memory that the file gives it."""
    states = {name: task.state for name, task in second.items()}
    assert states["Trainer"] == states["Pusher"] == "SUCCEEDED", {
        task.name: task.said[-2000:] for task in second.values() if task.status
    }
    ended = store.verdicts()["run-2"]
    assert (ended["outcome"], ended["gate"], ended["status"]) == ("refused", "model", 3), ended
    assert ended["baseline"]["elbo"] < 0, "judged against the model of the first span"
    assert (second["Verdict"].state, second["Verdict"].status, second["Verdict"].tries) == ("FAILED", 3, 1)
    assert {name for name, state in states.items() if state == "FAILED"} == {"Verdict", "tfx-dag"}, "and so the graph"
    assert store.versions() == {"1"}


def test_no_step_says_a_secret(first, second, store):
    said = "".join(task.said for task in second.values())
    assert said and store.environment["AWS_SECRET_ACCESS_KEY"] not in first.said + said
