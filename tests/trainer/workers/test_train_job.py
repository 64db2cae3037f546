"""A step that trains on the pods of a TrainJob, beside a stand-in of the cluster whose pods are real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import InputError, MachineFault
from tests.project import ROOT
from tests.trainer import tiny
from tests.trainer.workers.test_workers import figures, written
from trainer.workers import MISTAKE
from trainer.workers.cluster import TrainJobSpec
from trainer.workers.job import Job
from trainer.workers.launch import free_ports
from trainer.workers.train_job import train_on_cluster

SPEC = TrainJobSpec("darkroom:1", "/shared")


class StandIn:
    """What Kubeflow Trainer and JobSet do with a job, as far as a step sees it.

    Pods are processes of this machine. They get TF_CONFIG, because the names of pods lead nowhere here.
    """

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.pods: list[subprocess.Popen] = []
        self.restarts = 0
        self.silent = 0  # calls that get no answer

    def create(self, plural: str, document: dict[str, Any]) -> None:
        self.objects.setdefault((plural, document["metadata"]["name"]), json.loads(json.dumps(document)))
        if plural == "trainjobs" and not self.pods:
            self._start(document)

    def read(self, plural: str, name: str) -> dict[str, Any] | None:
        if self.silent:
            self.silent -= 1
            raise MachineFault("cannot read trainjobs in kubeflow: no answer of the cluster")
        found = self.objects.get((plural, name))
        if found is not None:
            self._reconcile(found)
        return found

    def delete(self, plural: str, name: str) -> None:
        self.objects.pop((plural, name), None)
        if plural == "trainjobs":
            self._kill()

    def _container(self, job: dict[str, Any]) -> dict[str, Any]:
        runtime = self.objects["trainingruntimes", job["spec"]["runtimeRef"]["name"]]
        self.failure = runtime["spec"]["template"]["spec"]["failurePolicy"]
        (replicated,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
        return replicated["template"]["spec"]["template"]["spec"]["containers"][0]

    def _start(self, job: dict[str, Any]) -> None:
        container, count = self._container(job), job["spec"]["trainer"]["numNodes"]
        addresses = [f"localhost:{port}" for port in free_ports(count)]
        given = {each["name"]: each["value"] for each in container["env"]}
        self.pods = []
        for index in range(count):
            task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            environment = {**os.environ, **given, "JOB_COMPLETION_INDEX": str(index), "TF_CONFIG": json.dumps(task)}
            command = [sys.executable, *container["command"][1:], *container["args"]]
            self.pods.append(
                subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )

    def _kill(self) -> None:
        for pod in self.pods:
            pod.kill()
            pod.wait()
        self.pods = []

    def _reconcile(self, job: dict[str, Any]) -> None:
        ended = [pod.poll() for pod in self.pods]
        if all(status == 0 for status in ended):
            self._say(job, "Complete", "AllJobsCompleted")
        elif any(ended):
            if MISTAKE in ended or self.restarts == self.failure["maxRestarts"]:
                self._say(job, "Failed", "FailedJobs", "jobset failed due to one or more job failures")
                return
            self.restarts += 1
            self._kill()
            self._start(job)

    def _say(self, job: dict[str, Any], kind: str, reason: str, message: str = "") -> None:
        job["status"] = {"conditions": [{"type": kind, "status": "True", "reason": reason, "message": message}]}


def short(seconds: float) -> None:
    """Waits, for the tests, a hundredth of the time."""
    time.sleep(seconds / 100)


@pytest.mark.slow  # workers are started twice
def test_a_pod_that_is_killed_starts_all_again_and_the_step_gets_the_result(tmp_path: Path) -> None:
    job, vae = written(tmp_path / "job", 2, {}, checkpoint=tmp_path / "progress", epochs=40, patience=40)
    cluster = StandIn()

    def wait(seconds: float) -> None:
        """Kills a pod once there is a checkpoint."""
        if not cluster.restarts and list(tmp_path.glob("progress/*.npz")) and len(cluster.pods) == 2:
            cluster.pods[1].send_signal(signal.SIGKILL)
            cluster.pods[1].wait()
        short(seconds)

    train_on_cluster(job, "cats", 2, SPEC, cluster, wait)
    outcome, course = job.read_outcome(vae)
    assert cluster.restarts == 1 and 1 <= outcome.resumed_from < 40
    alone = tiny.fit(tmp_path / "alone", epochs=40, patience=40)
    np.testing.assert_allclose(figures(course.lines), figures(alone.history), rtol=1e-3, atol=1e-4)
    assert not cluster.objects and not cluster.pods
    train_on_cluster(job, "cats", 2, SPEC, cluster, wait)
    assert not cluster.objects, "a step that is tried again finds the result"


class Told(StandIn):
    """The same, but its pods are what a test says: their job is in a given condition."""

    def __init__(self, kind: str, reason: str, message: str = "") -> None:
        super().__init__()
        self.condition = kind, reason, message

    def _start(self, job: dict[str, Any]) -> None: ...

    def _reconcile(self, job: dict[str, Any]) -> None:
        self._say(job, *self.condition)


def test_a_failure_is_told_in_one_line_and_nothing_is_left(tmp_path: Path) -> None:
    job, _ = written(tmp_path / "job", 2, {})
    cluster = Told("Failed", "FailedJobs", "jobset failed due to\none or more job failures (first failed job: cats-node-0)" * 5)
    with pytest.raises(
        MachineFault, match=r"^TrainJob cats failed \(FailedJobs: jobset failed due to one.*logs say more$"
    ) as raised:
        train_on_cluster(job, "cats", 2, SPEC, cluster, short)
    assert len(str(raised.value)) < 200 and "\n" not in str(raised.value)
    assert not cluster.objects


def test_a_mistake_of_the_user_is_told_as_such(tmp_path: Path) -> None:
    job, _ = written(tmp_path / "job", 2, {})
    job.write_mistake("training diverged in epoch 1: the loss is not a number; lower training.learning_rate")
    with pytest.raises(InputError, match="^training diverged in epoch 1"):
        train_on_cluster(job, "cats", 2, SPEC, Told("Failed", "PodFailurePolicy"), short)
    job, _ = written(tmp_path / "job", 2, {})
    assert job.read_mistake() == "", "the next attempt begins without it"


def test_complete_without_a_result_is_a_failure(tmp_path: Path) -> None:
    job, _ = written(tmp_path / "job", 2, {})
    with pytest.raises(MachineFault, match="ended without a result"):
        train_on_cluster(job, "cats", 2, SPEC, Told("Complete", "AllJobsCompleted"), short)


def test_somebody_deletes_the_job(tmp_path: Path) -> None:
    job, _ = written(tmp_path / "job", 2, {})
    cluster = Told("Suspended", "Suspended")
    with pytest.raises(MachineFault, match="^TrainJob cats was deleted before its end"):
        train_on_cluster(job, "cats", 2, SPEC, cluster, lambda _: cluster.delete("trainjobs", "cats"))


def test_a_server_that_does_not_answer_for_a_while_is_asked_again(tmp_path: Path) -> None:
    job, _ = written(tmp_path / "job", 2, {})
    for silent, message in ((5, "ended without a result"), (500, "no answer of the cluster")):
        cluster = Told("Complete", "AllJobsCompleted")
        cluster.silent = silent
        with pytest.raises(MachineFault, match=message):
            train_on_cluster(job, "cats", 2, SPEC, cluster, lambda _: None)


def test_outside_of_a_cluster_it_says_so(tmp_path: Path) -> None:
    job, _ = written(tmp_path / "job", 2, {})
    with pytest.raises(MachineFault, match="outside of a cluster"):
        train_on_cluster(Job(job.folder), "cats", 2, SPEC)
