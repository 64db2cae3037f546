"""Train on the pods of a Kubeflow Trainer job (TrainJob, trainer.kubeflow.org/v1alpha1), and wait for its end.

The step creates the job and a TrainingRuntime of the same name, which says what a pod is. It needs no runtime of the cluster's
administrator. The pods and the step share a folder of a volume; pods need no credentials.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from common.errors import InputError, MachineFault
from trainer.workers.cluster import GROUP, VERSION, Document, TrainJobSpec, documents
from trainer.workers.job import Job

LOGGER = logging.getLogger("darkroom.trainer")
NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
POD_NAME, POD_UID = "KFP_POD_NAME", "KFP_POD_UID"  # variables that Kubeflow Pipelines sets in a step
POLL_SECONDS = 10.0
PATIENCE_SECONDS = 600.0  # in which the cluster's server may not answer


class Cluster(Protocol):
    """The calls of a cluster's API that a job needs."""

    def create(self, plural: str, document: Document) -> None:
        """Create an object; do nothing if there is one of that name."""

    def read(self, plural: str, name: str) -> Document | None:
        """Return an object; None if there is none."""

    def delete(self, plural: str, name: str) -> None:
        """Delete an object, if there is one, and all that it owns."""


def train_on_cluster(
    job: Job,
    name: str,
    workers: int,
    spec: TrainJobSpec,
    cluster: Cluster | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Train a job on the pods of a TrainJob, and wait for its end. The TrainJob is deleted in the end, whatever that is.

    A TrainJob of this name that an earlier attempt of the step left is awaited, not created again.

    Args:
        job: The job, completely written, in a folder that the pods see under the same path.
        name: The name of the TrainJob.
        workers: Number of pods.
        spec: What the pods are.
        cluster: The cluster's API. Defaults to that of the cluster in which this process runs.
        sleep: Waits for seconds.

    Raises:
        InputError: The training has diverged.
        MachineFault: The TrainJob failed, was deleted by somebody else, or cannot be created. One line.
    """
    if job.is_done():  # in an earlier attempt of the step
        return
    cluster = cluster or KubernetesCluster()
    with _ended_by_signal():
        try:
            for plural, document in documents(name, job.folder, workers, spec, _owner()).items():
                cluster.create(plural, document)
            LOGGER.info("TrainJob %s trains on %d workers", name, workers)
            reason = _wait(cluster, name, sleep)
        finally:
            for plural in ("trainjobs", "trainingruntimes"):
                cluster.delete(plural, name)
    if job.read_mistake():
        raise InputError(job.read_mistake())
    if reason or not job.is_done():
        raise MachineFault(f"TrainJob {name} {reason or 'ended without a result'}; its pods' logs say more")


def _wait(cluster: Cluster, name: str, sleep: Callable[[float], None]) -> str:
    """Wait for the end of a TrainJob. Return why it failed, '' if it did not."""
    silent = 0.0
    while True:
        try:
            found = cluster.read("trainjobs", name)
            silent = 0.0
        except MachineFault as error:
            if silent >= PATIENCE_SECONDS:
                raise
            LOGGER.warning("%s; asking again", error)
            silent += POLL_SECONDS
            sleep(POLL_SECONDS)
            continue
        if found is None:
            return "was deleted before its end"
        for condition in found.get("status", {}).get("conditions", ()):
            if condition["status"] == "True" and condition["type"] == "Complete":
                return ""
            if condition["status"] == "True" and condition["type"] == "Failed":
                said = " ".join(f"{condition.get('reason', '')}: {condition.get('message', '')}".split())
                return f"failed ({said[:100]})"
        sleep(POLL_SECONDS)


@contextmanager
def _ended_by_signal() -> Iterator[None]:
    """Within the context, SIGTERM ends the process in order, so that the TrainJob is deleted."""

    def end(*_: Any) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    try:
        earlier = signal.signal(signal.SIGTERM, end)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)


def _owner() -> Document | None:
    name, uid = os.environ.get(POD_NAME), os.environ.get(POD_UID)
    return {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid} if name and uid else None


class KubernetesCluster:
    """The API of the cluster in which this process runs, in the namespace of its pod.

    Raises:
        MachineFault: This process does not run in a cluster.
    """

    def __init__(self) -> None:
        from kubernetes import client, config

        try:
            config.load_incluster_config()
            self._namespace = NAMESPACE_FILE.read_text(encoding="utf-8").strip()
        except (config.ConfigException, OSError) as error:
            raise MachineFault(f"a TrainJob cannot be created outside of a cluster: {error}") from None
        self._api, self._error = client.CustomObjectsApi(), client.ApiException

    def create(self, plural: str, document: Document) -> None:
        """Create an object; do nothing if there is one of that name."""
        self._call(self._api.create_namespaced_custom_object, 409, f"create {plural}", plural, document)

    def read(self, plural: str, name: str) -> Document | None:
        """Return an object; None if there is none."""
        return self._call(self._api.get_namespaced_custom_object, 404, f"read {plural}", plural, name)

    def delete(self, plural: str, name: str) -> None:
        """Delete an object, if there is one, and all that it owns."""
        self._call(self._api.delete_namespaced_custom_object, 404, f"delete {plural}", plural, name)

    def _call(self, function: Callable[..., Any], allowed: int, what: str, *arguments: Any) -> Any:
        """Call the API. Return None for the allowed HTTP status; raise MachineFault for any other failure."""
        import urllib3

        try:
            return function(GROUP, VERSION, self._namespace, *arguments)
        except self._error as error:
            if error.status == allowed:
                return None
            hint = {403: "; apply kubeflow/manifests/trainer-role.yaml", 404: "; install Kubeflow Trainer 2"}.get(error.status, "")
            raise MachineFault(f"cannot {what} in {self._namespace}: {error.status} {error.reason}{hint}") from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise MachineFault(f"cannot {what} in {self._namespace}: {type(error).__name__}, no answer of the cluster") from None
