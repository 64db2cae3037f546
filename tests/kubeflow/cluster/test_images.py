"""The images by themselves: what is in them, and what a container of one may do. What they do is in test_cluster.py."""

from __future__ import annotations

import os

import pytest

from kubeflow.check_image import CA_BUNDLE, closed_script, examine
from tests.kubeflow.cluster.containers import Containers
from tests.kubeflow.emulator.pods import Pod

pytestmark = pytest.mark.cluster


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
