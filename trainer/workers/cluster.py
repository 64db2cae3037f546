"""The objects of a Kubeflow Trainer job (TrainJob, trainer.kubeflow.org/v1alpha1), and how its pods find each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainer.workers import MISTAKE

GROUP, VERSION = "trainer.kubeflow.org", "v1alpha1"
NODE = "node"  # the name that Kubeflow Trainer expects of the job and of the container that train
PORT = 2222  # of each worker, in its own pod
RESTARTS = 3  # of all pods together, after one of them failed
Document = dict[str, Any]


@dataclass(frozen=True)
class TrainJobSpec:
    """What the pods of a job are.

    Attributes:
        image: The container image, of the same version of this project as the step's.
        folder: A folder of a volume that the step and all pods mount under this path.
        resources: Requests and limits of a pod, such as {"cpu": "4", "memory": "8Gi"}.
        volumes: Mount paths of persistent volume claims, by claim.
        node_selector: Labels that a node must have.
    """

    image: str
    folder: str
    resources: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)


def documents(name: str, folder: Path, workers: int, spec: TrainJobSpec, owner: Document | None = None) -> dict[str, Document]:
    """Return the TrainingRuntime and the TrainJob, by the plural of their kind.

    Args:
        name: The name of both, at most 50 small letters, digits and hyphens.
        folder: The folder of the written `Job`.
        workers: Number of pods.
        spec: What the pods are.
        owner: A reference to the step's pod, with whose deletion the job ends.
    """
    metadata: Document = {"name": name, "labels": {"app.kubernetes.io/part-of": "darkroom"}}
    if owner:
        metadata["ownerReferences"] = [owner]
    container: Document = {
        "name": NODE,
        "image": spec.image,
        "command": ["python", "-m", "trainer.workers.worker"],
        "args": [str(folder)],
        "ports": [{"containerPort": PORT}],
        "env": [{"name": "DARKROOM_TRAIN_JOB", "value": name}, {"name": "DARKROOM_WORKERS", "value": str(workers)}],
    }
    pod: Document = {"restartPolicy": "Never", "containers": [container]}
    if spec.resources:
        container["resources"] = {"requests": dict(spec.resources), "limits": dict(spec.resources)}
    if spec.volumes:
        container["volumeMounts"] = [{"name": claim, "mountPath": path} for claim, path in spec.volumes.items()]
        pod["volumes"] = [{"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim in spec.volumes]
    if spec.node_selector:
        pod["nodeSelector"] = dict(spec.node_selector)
    # One failed pod fails its job, and then all pods are started again: the others wait for it in vain. A mistake of the user
    # would only repeat.
    mistake = {"action": "FailJob", "onExitCodes": {"containerName": NODE, "operator": "In", "values": [MISTAKE]}}
    job_spec = {"backoffLimit": 0, "podFailurePolicy": {"rules": [mistake]}, "template": {"spec": pod}}
    replicated = {
        "name": NODE,
        "replicas": 1,
        "template": {"metadata": {"labels": {f"{GROUP}/trainjob-ancestor-step": "trainer"}}, "spec": job_spec},
    }
    rule = {"name": "mistake", "action": "FailJobSet", "onJobFailureReasons": ["PodFailurePolicy"]}
    job_set = {"failurePolicy": {"maxRestarts": RESTARTS, "rules": [rule]}, "replicatedJobs": [replicated]}
    runtime = {"mlPolicy": {"numNodes": workers}, "template": {"spec": job_set}}
    reference = {"apiGroup": GROUP, "kind": "TrainingRuntime", "name": name}
    version = f"{GROUP}/{VERSION}"
    return {
        "trainingruntimes": {"apiVersion": version, "kind": "TrainingRuntime", "metadata": metadata, "spec": runtime},
        "trainjobs": {
            "apiVersion": version,
            "kind": "TrainJob",
            "metadata": metadata,
            "spec": {"runtimeRef": reference, "trainer": {"numNodes": workers}},
        },
    }


def describe_pods(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return TF_CONFIG for the pods of a Kubeflow Trainer job (TrainJob v2), from variables of the pod.

    JobSet names the pods of a job in a headless service: <job>-node-0-<index>.<job>. `DARKROOM_TRAIN_JOB` is the name of the job
    and `DARKROOM_WORKERS` the number of its pods; Kubernetes sets `JOB_COMPLETION_INDEX`.

    Example:
        >>> describe_pods({"DARKROOM_TRAIN_JOB": "cats", "DARKROOM_WORKERS": "2", "JOB_COMPLETION_INDEX": "1"})["cluster"]["worker"]
        ['cats-node-0-0.cats:2222', 'cats-node-0-1.cats:2222']
    """
    job, count = environment["DARKROOM_TRAIN_JOB"], int(environment["DARKROOM_WORKERS"])
    hosts = [f"{job}-{NODE}-0-{index}.{job}:{PORT}" for index in range(count)]
    return {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": int(environment["JOB_COMPLETION_INDEX"])}}
