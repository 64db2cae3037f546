"""The objects of a Kubeflow Trainer job, beside the project's published models."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.kubeflow.published import NEWEST, usable
from tests.project import ROOT
from trainer.workers.cluster import GROUP, TrainJobSpec, describe_pods, documents

FOLDER = Path("/shared/workers/darkroom-0123")
FULL = TrainJobSpec(
    "registry/darkroom:1", "/shared/workers", {"cpu": "4", "memory": "8000M"}, {"claim": "/shared"}, {"pool": "big"}
)
OWNER = {"apiVersion": "v1", "kind": "Pod", "name": "step", "uid": "1234"}


def faults(given: dict, folder: Path) -> list[str]:
    """What Kubeflow Trainer's newest models refuse."""
    usable("2.17")
    if not list(NEWEST.parents[1].glob("lib/*/site-packages/kubeflow_trainer_api")):
        pytest.skip("NOT HELD BESIDE KUBEFLOW TRAINER: `make .kfp-env/.ready` installs its models")
    file = folder / "documents.json"
    file.write_text(json.dumps(given), encoding="utf-8")
    script = ROOT / "tests/trainer/workers/trainer_models.py"
    done = subprocess.run([NEWEST, script, file], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split("\n")[:-1] if done.stdout.strip() else []


def test_the_published_models_know_every_field_and_miss_what_they_do_not_know(tmp_path: Path) -> None:
    least = documents("cats", FOLDER, 2, TrainJobSpec("darkroom:1", "/shared/workers"))
    assert faults(least, tmp_path) == []
    full = documents("cats", FOLDER, 2, FULL, OWNER)
    assert faults(full, tmp_path) == []
    wrong = copy.deepcopy(full)
    wrong["trainjobs"]["spec"]["trainer"]["nodes"] = 2
    wrong["trainingruntimes"]["spec"]["mlPolicy"]["numNodes"] = "two"
    assert len(faults(wrong, tmp_path)) == 2


def test_a_pod_runs_a_worker_on_the_shared_folder() -> None:
    full = documents("cats", FOLDER, 3, FULL, OWNER)
    runtime, job = full["trainingruntimes"], full["trainjobs"]
    assert job["spec"]["runtimeRef"] == {"apiGroup": GROUP, "kind": "TrainingRuntime", "name": runtime["metadata"]["name"]}
    assert job["spec"]["trainer"]["numNodes"] == runtime["spec"]["mlPolicy"]["numNodes"] == 3
    (replicated,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    pod = replicated["template"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert replicated["name"] == container["name"] == "node", "by these names Kubeflow Trainer finds what trains"
    assert container["command"] + container["args"] == ["python", "-m", "trainer.workers.worker", str(FOLDER)]
    assert container["resources"]["limits"] == {"cpu": "4", "memory": "8000M"}
    assert container["volumeMounts"] == [{"name": "claim", "mountPath": "/shared"}]
    assert pod["volumes"] == [{"name": "claim", "persistentVolumeClaim": {"claimName": "claim"}}]
    assert pod["nodeSelector"] == {"pool": "big"} and job["metadata"]["ownerReferences"] == [OWNER]
    environment = {each["name"]: each["value"] for each in container["env"]}
    configs = [describe_pods({**environment, "JOB_COMPLETION_INDEX": str(index)}) for index in range(3)]
    assert {json.dumps(each["cluster"]) for each in configs} == {
        json.dumps({"worker": [f"cats-node-0-{index}.cats:2222" for index in range(3)]})
    }
    assert [each["task"] for each in configs] == [{"type": "worker", "index": index} for index in range(3)]


def test_the_role_allows_what_the_step_does() -> None:
    role, binding = yaml.safe_load_all((ROOT / "kubeflow/manifests/trainer-role.yaml").read_text(encoding="utf-8"))
    (rule,) = role["rules"]
    assert rule["apiGroups"] == [GROUP] and set(rule["resources"]) == set(documents("cats", FOLDER, 2, FULL))
    assert set(rule["verbs"]) == {"create", "get", "delete"}
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
