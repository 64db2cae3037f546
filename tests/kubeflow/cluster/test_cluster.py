"""The compiled pipeline, each step in a container of the image that the Dockerfile makes; `make cluster-test` runs these."""

from __future__ import annotations

import json
import os
import subprocess
import time

import numpy as np
import pytest

from kubeflow.check_image import examine
from tests.kubeflow.cluster.containers import Containers
from tests.kubeflow.cluster.docker_api import docker_api, ended_containers
from tests.kubeflow.emulator.pods import Pod
from tests.kubeflow.runner import Runner
from tests.project import ROOT, darkroom

pytestmark = pytest.mark.cluster
SETTINGS = (
    *("preprocessing.height=8", "preprocessing.width=8", "preprocessing.channels=1"),
    *("training.batch_size=32", "training.epochs=12", "evaluation.max_drop=5", "training.warm_start=true"),
    *("cluster.retries=1", "cluster.name=digits"),
)


def compiled(folder, image: str, images: str, *settings: str) -> str:
    """Return the YAML that `darkroom compile` writes."""
    options = [option for setting in (*SETTINGS, f"cluster.image={image}", *settings) for option in ("--set", setting)]
    ended = darkroom("compile", "--images", images, "--out", folder / "digits.yaml", *options)
    assert ended.status == 0, ended.err
    return (folder / "digits.yaml").read_text()


@pytest.fixture(scope="module")
def runs(tmp_path_factory, engine, image, store, digits, took):
    """Two runs of one file: digits, and other digits whose labels are in disorder, from which no classifier learns."""
    folder = tmp_path_factory.mktemp("cluster")
    levels, labels = digits
    text = compiled(folder, image, "s3://store/pictures/span-{SPAN}", "cluster.push_to=s3://store/models")
    cluster = Runner(folder / "cluster", store.environment, Containers(engine, folder / "claims"))
    found = []
    for number, chosen in ((1, slice(0, 450)), (2, slice(450, 900))):
        shuffled = labels[chosen] if number == 1 else np.random.default_rng(0).permutation(labels[chosen])
        store.add_span(number, levels[chosen], shuffled)
        started = time.monotonic()
        found.append(cluster.run(text, f"run-{number}"))
        took[f"run {number}, {sum(task.tries for task in found[-1].values())} containers"] = time.monotonic() - started
    return found


def states(tasks) -> dict[str, str]:
    return {name: task.state for name, task in tasks.items()}


def versions(store, below: str = "models") -> set[str]:
    return {key.split("/")[-2] for key in store.keys(f"{below}/") if key.endswith("/saved_model.pb")}


def test_the_image_is_small_and_closed(engine, image):
    assert examine(image, [engine.name], {**os.environ, **engine.environment}) == []


def test_memory_is_limited(engine, image, tmp_path):
    """An allocation above the limit ends the container as the kernel ends it on a cluster."""
    command = ["python", "-c", "print(len(b'x' * 400_000_000))"]
    for limit, expected in ((0.1, 137), (2.0, 0)):
        pod = Pod(f"memory-{expected}", image, command, tmp_path / str(expected), resources={"memoryLimit": limit})
        assert Containers(engine, tmp_path / "claims").run(pod)[0] == expected


def test_a_step_may_do_nothing_but_its_work(engine, image, tmp_path):
    script = (
        "import os; print(os.getuid(), os.getgid(), os.access('/opt', os.W_OK), os.access('/minio', os.W_OK));"
        "print([line.split()[1] for line in open('/proc/self/status') if line.startswith(('CapEff', 'CapBnd', 'NoNewPrivs'))])"
    )
    status, said = Containers(engine, tmp_path / "claims").run(Pod("rights", image, ["python", "-c", script], tmp_path / "pod"))
    assert status == 0, said
    first, second = said.splitlines()
    assert first == "1000710000 0 False True" and second == "['0000000000000000', '0000000000000000', '1']"


def test_a_first_span_is_pushed(runs, store):
    first = runs[0]
    assert set(states(first).values()) == {"SUCCEEDED"}, [task.said[-2000:] for task in first.values() if task.state == "FAILED"]
    ended = store.verdicts()["run-1"]
    assert (ended["outcome"], ended["status"], ended["model"]["version"]) == ("pushed", 0, 1)


def test_a_refused_model_fails_a_step_within_the_graph(runs, store):
    second = runs[1]
    assert states(second)["Trainer"] == "SUCCEEDED", {task.name: task.said[-2000:] for task in second.values() if task.status}
    ended = store.verdicts()["run-2"]
    assert (ended["outcome"], ended["gate"], ended["status"]) == ("refused", "model", 3), ended
    assert second["Verdict"].state == "FAILED" and second["Verdict"].status == 3
    assert [task.name for task in second.values() if task.state == "FAILED"] == ["Verdict"]
    assert versions(store) == {"1"}


def test_no_step_says_a_secret(runs, store):
    said = "".join(task.said for tasks in runs for task in tasks.values())
    assert said and store.environment["AWS_SECRET_ACCESS_KEY"] not in said


def test_the_serving_image_draws_from_the_pushed_model(runs, engine, serving_image, store, tmp_path):
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
    assert ended.status == 0 and done.stdout == ours.read_bytes(), "the same picture as outside of it"
    assert engine.image_size(serving_image) < 1.2e9


def test_the_newest_sdk_runs_it_by_itself(engine, image, store, digits, tmp_path, took):
    """kfp.local takes a container that is gone before it was asked for its status for success: the engine's record is asked."""
    python = ROOT / ".kfp-env" / "bin" / "python"
    if engine.name != "podman" or not python.exists():
        pytest.skip("needs podman, and .kfp-env: `make .kfp-env/.ready`")
    levels, labels = digits
    store.add_span(3, levels[:450], labels[:450])
    settings = ("cluster.push_to=s3://store/local", "training.epochs=4", "evaluation.min_gain=null")
    compiled(tmp_path, image, "s3://store/pictures/span-3", *settings)
    root = tmp_path / "root"
    root.mkdir(mode=0o770)
    confined = {"user": "1000710000:0", "cap_drop": ["ALL"], "security_opt": ["no-new-privileges"], "network_mode": "host"}
    started = time.monotonic()
    with docker_api(engine, tmp_path) as address:
        done = subprocess.run(
            [str(python), str(ROOT / "tests/kubeflow/cluster/kfp_local.py"), str(tmp_path / "digits.yaml"), str(root)],
            input=json.dumps({**confined, "entrypoint": [], "environment": store.environment}),
            env={**os.environ, "DOCKER_HOST": address},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        ended = ended_containers(engine, image, started)
    took[f"kfp.local, {len(ended)} containers"] = time.monotonic() - started
    assert done.returncode == 0, done.stdout[-6000:]
    assert ended and set(ended) == {0}, done.stdout[-6000:]
    (verdict,) = store.verdicts("local").values()
    assert verdict["outcome"] == "pushed" and versions(store, "local") == {"1"}
