"""The images, and the compiled pipeline by the newest SDK's own `kfp.local`; beside test_cluster.py, which takes longer."""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kubeflow.check_image import CA_BUNDLE, closed_script, examine
from tests.kubeflow.cluster.containers import ANYBODY, Containers
from tests.kubeflow.cluster.docker_api import docker_api, exit_statuses
from tests.kubeflow.emulator.pods import Pod
from tests.project import ROOT, darkroom

pytestmark = pytest.mark.cluster
PYTHON = ROOT / ".kfp-env" / "bin" / "python"
LABEL = "darkroom-test"
CONFINED = {"user": f"{ANYBODY}:0", "cap_drop": ["ALL"], "security_opt": ["no-new-privileges"], "read_only": True}


@pytest.fixture(scope="module")
def by_the_sdk(tmp_path_factory, engine, image, store, digits, compiled):
    """What kfp.local said, and the exit statuses of its containers."""
    if engine.name != "podman" or not PYTHON.exists():
        pytest.skip("needs podman, and .kfp-env, which `make .kfp-env/.ready` makes")
    folder = tmp_path_factory.mktemp("kfp-local")
    levels, labels = digits
    store.add_span(1, levels[:450], labels[:450])
    file = compiled(folder, image, "s3://store/pictures/span-1", "cluster.push_to=s3://store/models")
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
    return done.stdout, exit_statuses(engine, LABEL, str(folder))


@pytest.mark.parametrize("name", ["image", "serving_image"])
def test_the_images_are_small_closed_and_whole(engine, request, name):
    """Built with the secret of certificates, if this machine has any, which must leave the system's in place."""
    assert examine(request.getfixturevalue(name), [engine.name], {**os.environ, **engine.environment}) == []


def test_a_lost_ca_bundle_and_a_writable_folder_are_found(engine, serving_image, tmp_path):
    (tmp_path / "empty").touch()
    options = (f"--volume={tmp_path / 'empty'}:{CA_BUNDLE}:ro", "--tmpfs=/opt/open:rw,mode=1777", "--entrypoint=/bin/sh")
    said = engine.call("run", "--rm", "--network=none", *options, serving_image, "-c", closed_script(("/tmp", "/nowhere"))).stdout
    assert said.splitlines() == [
        "/nowhere cannot be written",
        f"{CA_BUNDLE} is missing, empty or cannot be read: gs:// needs it",
        "/opt/open can be written",
        "examined",
    ]


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


def test_the_newest_sdk_runs_it_by_itself(by_the_sdk, store):
    """kfp.local takes a container that is gone before its status was asked for success: the engine's own record decides."""
    said, statuses = by_the_sdk
    assert len(statuses) == said.count("Executing task ") > 10 and set(statuses) == {0}, said[-6000:]
    (verdict,) = store.verdicts().values()
    assert verdict["outcome"] == "pushed" and store.versions() == {"1"}


def test_the_serving_image_draws_from_the_pushed_model(by_the_sdk, engine, serving_image, store, tmp_path):
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
