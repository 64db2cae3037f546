"""Retries on the emulated cluster: as 2.17 is installed, and by Argo's own default."""

from __future__ import annotations

import pytest

from tests.kubeflow.emulator.pipelines import Built, fail, states
from tests.kubeflow.emulator.retries import ARGOS_OWN, INSTALLED, Defaults
from tests.kubeflow.runner import PodLost

MINUTE = 60.0
DAYS = "864000s"
LONG = {"maxRetryCount": 2, "backoffMaxDuration": DAYS}
EXIT = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}


@pytest.fixture
def cluster(tmp_path):
    return Built(tmp_path)


@pytest.fixture
def argo(tmp_path):
    return Built(tmp_path, {"defaults": ARGOS_OWN})


def takes(built, minutes, *, failures=99, lost=False):
    """A pod's function that takes a while, and fails or is lost a number of times."""

    def function(step):
        built.runner.clock.advance(minutes * MINUTE)
        if len(built.executor.pods) > failures:
            return 0
        if lost:
            raise PodLost("node drained")
        return 1

    return function


@pytest.mark.parametrize(
    ("policy", "minutes", "failures", "tries", "ended", "least"),
    [
        (None, 1, 9, 1, "No more retries left", 1),
        (LONG, 1, 1, 2, "", 2),
        (LONG, 1, 9, 3, "No more retries left", 3),
        ({"maxRetryCount": 2}, 0, 9, 1, "Max duration limit exceeded", 0),
        ({"backoffMaxDuration": DAYS}, 1, 9, 1, "No more retries left", 1),
        (LONG | {"backoffMaxDuration": "3600s"}, 61, 1, 1, "Max duration limit exceeded", 61),
        (LONG, 61, 1, 2, "", 122),
        (LONG | {"backoffMaxDuration": "3600s"}, 40, 1, 2, "Max duration limit exceeded", 80),
        (
            LONG | {"backoffMaxDuration": "3600s", "backoffDuration": "1800s"},
            40,
            9,
            1,
            "Backoff would exceed max duration limit",
            40,
        ),
        (LONG | {"maxRetryCount": 3, "backoffDuration": "60s", "backoffFactor": 2.0}, 0, 3, 4, "", 1 + 2 + 4),
        (LONG | {"maxRetryCount": 3, "backoffDuration": "60.9s"}, 0, 3, 4, "", 3),
        (LONG | {"backoffFactor": 1.5}, 0, 3, 1, "value '1.5' cannot be resolved to an int", 0),
    ],
)
def test_how_often_a_pod_is_tried_where_the_policy_is_argos_own(policy, minutes, failures, tries, ended, least, argo):
    argo.add("A", takes(argo, minutes, failures=failures), **({"retryPolicy": policy} if policy else {}))
    run = argo.run()
    assert (run["A"].tries, run["A"].ended) == (tries, ended)
    assert run["A"].state == run.state == ("FAILED" if ended else "SUCCEEDED")
    assert least * MINUTE <= argo.runner.clock.now < least * MINUTE + 30


def test_the_deadline_of_all_tries_ends_the_one_that_is_running(argo):
    argo.add("A", takes(argo, 40, failures=1), retryPolicy=LONG | {"backoffMaxDuration": "3600s"})
    run = argo.run()
    assert run["A"].phases == ["Failed", "Failed"] and "longer than the specified deadline" in run["A"].said
    assert run["A"].status is None and not run["A"].artifacts


@pytest.mark.parametrize(
    ("defaults", "lost", "expected"),
    [
        (INSTALLED, False, ["Failed"]),
        (INSTALLED, True, ["Error", "Error", "Succeeded"]),
        (ARGOS_OWN, False, ["Failed", "Failed", "Succeeded"]),
        (ARGOS_OWN, True, ["Error"]),
        (Defaults(2, "Always"), False, ["Failed", "Failed", "Succeeded"]),
    ],
)
def test_as_installed_lost_pods_are_tried_again_and_failed_ones_are_not(defaults, lost, expected, tmp_path):
    built = Built(tmp_path, {"defaults": defaults})
    built.add("A", takes(built, 1, failures=2, lost=lost), retryPolicy=LONG | {"backoffDuration": "60s"})
    run = built.run()
    assert run["A"].phases == expected and run["A"].state == run.state == ("SUCCEEDED" if len(expected) > 1 else "FAILED")
    assert len(expected) > 1 or "retries no pod in phase" in run["A"].ended


def test_as_installed_a_lost_pod_is_tried_again_without_a_retry_policy_and_its_duration_still_holds_with_one(cluster):
    cluster.add("A", takes(cluster, 61, failures=1, lost=True))
    assert cluster.run()["A"].phases == ["Error", "Succeeded"]
    cluster.executor.pods.clear()
    cluster.spec["root"]["dag"]["tasks"]["A"]["retryPolicy"] = LONG | {"backoffMaxDuration": "3600s"}
    ended = cluster.run("run-2")["A"].ended
    # It is tried again all the same: the graph around the pod has ended in Error, and the default is laid below that too.
    assert ended == "" and len(cluster.executor.pods) == 2


def test_as_installed_a_graph_whose_pods_are_lost_for_good_is_run_again(cluster):
    cluster.add("Lost", takes(cluster, 1, failures=999, lost=True), graph=cluster.add_graph("graph"))
    cluster.add("Before")
    run = cluster.run()
    assert states(run) == {"Before": "SUCCEEDED", "graph": "FAILED", "Lost": "FAILED"} and run.state == "FAILED"
    # Three tries of each: the pod, the graph around it, `graph`, `root`, and `entrypoint`.
    assert cluster.runs_of("Lost") == 3**5 and cluster.runs_of("Before") == 3**2
    assert run["graph"].phases == ["Error"] * 3


def test_an_exit_handler_comes_when_the_tries_are_over(argo):
    argo.add("A", takes(argo, 0, failures=1), retryPolicy=LONG)
    argo.add("Exit", fail, dependentTasks=["A"], triggerPolicy=EXIT, retryPolicy=LONG)
    run = argo.run()
    assert run.state == "SUCCEEDED" and [pod.command[0] for pod in argo.executor.pods] == ["A", "A", "Exit", "Exit", "Exit"]


def test_a_pod_knows_its_number_where_there_is_a_retry_policy(argo):
    argo.add("A", takes(argo, 0, failures=1), retryPolicy=LONG)
    argo.add("B")
    argo.run()
    assert [pod.environment.get("KFP_RETRY_INDEX") for pod in argo.executor.pods] == ["0", "1", None]


def test_the_platform_documents_deadline_is_for_each_pod(argo):
    argo.add("A", takes(argo, 2), retryPolicy=LONG)
    argo.kubernetes["A"] = {"activeDeadlineSeconds": 60}
    run = argo.run()
    assert run["A"].phases == ["Failed"] * 3 and "longer than the specified deadline" in run["A"].said
