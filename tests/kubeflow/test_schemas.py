"""What is compiled, beside the published schemas: the locked ones, and the newest of Kubeflow Pipelines and Vertex AI."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest
import yaml

from kubeflow.compile.compiler import dump
from pipeline.config.cluster import Resources, SecretKeys, Volume
from tests.kubeflow.compile.test_compiler import compiled
from tests.kubeflow.newest_schema import faults
from tests.kubeflow.published import NEWEST, ROOT, usable
from tests.kubeflow.tiny_pipeline import SPEC

pytestmark = pytest.mark.slow  # TFX's import, and that of Vertex AI's client in another environment
RESOURCES = {"default": Resources(cpu=1, memory_gb=4), "Trainer": Resources(cpu=4, memory_gb=8, gpus=1, gpu_kind="NVIDIA_TESLA_T4")}
ALL = {
    "kfp": {
        "secrets": (SecretKeys("darkroom-s3", {"AWS_ACCESS_KEY_ID": "AWS_ACCESS_KEY_ID"}),),
        "volumes": (Volume("claim", "/mnt/pictures"),),
        "node_selector": {"pool": "gpu"},
        "retries": 2,
    },
    "vertex": {"retries": 2, "resources": RESOURCES},
}


@pytest.fixture(scope="module", params=["kfp", "vertex"])
def text(request):
    return dump(compiled(request.param, **ALL[request.param]), request.param)


def newest(script, *arguments):
    """What a script prints by the newest releases."""
    done = subprocess.run(
        [NEWEST, "-W", "ignore", ROOT / "tests/kubeflow" / script, *arguments],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(arguments[0].parent)},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


def test_the_locked_schema(text):
    assert faults(text.split("\n---\n")[0]) == []  # the platform's part has no package of this release


def test_the_newest_schema(text, tmp_path):
    usable("2.17")
    (tmp_path / "compiled.yaml").write_text(text)
    assert newest("newest_schema.py", tmp_path / "compiled.yaml") == ""


def test_what_is_of_no_schema_is_said(tmp_path):
    usable("2.17")
    wrong = [{**SPEC, "colour": "red"}, {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-one": {"pods": 1}}}}}}]
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump_all(wrong))
    said = newest("newest_schema.py", tmp_path / "wrong.yaml").splitlines()
    assert [each.partition(":")[0] for each in said] == ["the pipeline", "exec-one"] and "colour" in said[0] and "pods" in said[1]
    assert len(faults(yaml.safe_dump(wrong[0]))) == 1


def test_vertex_ais_newest_client(tmp_path):
    """It makes a job of the compiled file, and sends it by the API's own types to a stand-in."""
    usable("2.17")
    text = dump(compiled("vertex", **ALL["vertex"]), "vertex")
    (tmp_path / "cats.yaml").write_text(text)
    found = json.loads(newest("newest_vertex.py", tmp_path / "cats.yaml").splitlines()[-1])
    locked = re.search(r"^google-cloud-aiplatform==(\S+)", (ROOT / "requirements/kfp.txt").read_text(), re.MULTILINE)[1]
    assert found["version"] == locked and found["state"] == "SUCCEEDED"
    assert found["made"] == [True, False, True] and found["removed"] == [True, True] and found["listed"] == ["0 */6 * * *", False]
    assert found["job"]["pipelineSpec"] == yaml.safe_load(text)
    assert found["job"]["runtimeConfig"] == {"gcsOutputDirectory": "gs://bucket/root"}
