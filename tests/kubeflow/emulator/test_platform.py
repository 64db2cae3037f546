"""The platform document on the emulated cluster."""

from __future__ import annotations

import re

import pytest

from tests.kubeflow.emulator.pipelines import Built, constant
from tests.kubeflow.runner import Nodes, Pending, Refused


@pytest.fixture
def cluster(tmp_path):
    return Built(tmp_path)


def test_volumes_secrets_and_node_selectors(tmp_path):
    nodes = Nodes({"store": {"key": "k", "address": "a"}}, ("pictures",), ({}, {"disk": "ssd", "zone": "a"}))
    built = Built(tmp_path, {"nodes": nodes, "environment": {"A": "cluster", "B": "cluster"}})
    keys = [{"secretKey": "key", "envVar": "KEY"}, {"secretKey": "address", "envVar": "A"}]
    built.kubernetes["A"] = {
        "secretAsEnv": [
            {"secretName": "store", "keyToEnv": keys},
            {"secretName": "none", "optional": True, "keyToEnv": [{"secretKey": "x", "envVar": "X"}]},
        ],
        "pvcMount": [{"constant": "pictures", "mountPath": "/pictures"}],
        "nodeSelector": {"labels": {"disk": "ssd"}},
    }
    built.add("A")
    container = built.spec["deploymentSpec"]["executors"]["exec-A"]["container"]
    container |= {"env": [{"name": "B", "value": "own"}], "resources": {"memoryLimit": 4.0}}
    built.run()
    (pod,) = built.executor.pods
    assert pod.environment == {"A": "a", "B": "own", "KEY": "k", "KFP_POD_NAME": pod.name}
    assert (pod.volumes, pod.node_selector, pod.image) == ([("pictures", "/pictures")], {"disk": "ssd"}, "i")
    assert pod.resources == {"memoryLimit": 4.0} and re.fullmatch("[a-z0-9-]+", pod.name)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"nodeSelector": {"labels": {"disk": "ssd"}}}, "no node has the labels"),
        ({"pvcMount": [{"constant": "c", "mountPath": "/c"}]}, 'persistentvolumeclaim "c" not found'),
        ({"secretAsEnv": [{"secretName": "s", "keyToEnv": [{"secretKey": "k", "envVar": "K"}]}]}, "key k in Secret s"),
    ],
)
def test_what_the_cluster_has_not_is_waited_for_without_end(config, message, cluster):
    cluster.add("A")
    cluster.kubernetes["A"] = config
    with pytest.raises(Pending, match=message):
        cluster.run()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"pvcMount": [{"mountPath": "/c"}]}, "volume name not provided"),
        ({"pvcMount": [{"constant": "c"}]}, "missing mountpath"),
        ({"secretAsEnv": [{"keyToEnv": [{"secretKey": "k", "envVar": "K"}]}]}, "missing either SecretName"),
        ({"imagePullPolicy": "Sometimes"}, "ImagePullPolicy should be one of"),
    ],
)
def test_what_the_driver_does_not_take_of_the_platform_document(config, message, cluster):
    cluster.add("A")
    cluster.kubernetes["A"] = config
    run = cluster.run()
    assert run["A"].state == "FAILED" and message in run["A"].said and not run["A"].tries
    cluster.kubernetes["A"] = {"volume": []}
    with pytest.raises(Refused, match='unknown field "volume"'):
        cluster.run("run-2")


def test_claims_count_for_the_cache_and_their_names_may_be_parameters(tmp_path):
    built = Built(tmp_path, {"nodes": Nodes(claims=("a", "b"))})
    built.add("A", cachingOptions={"enableCache": True})
    made = {}
    for claim in ("a", "b", "a"):
        mount = {"pvcNameParameter": constant(claim), "mountPath": "/c"}
        built.kubernetes["A"] = {"pvcMount": [mount]}
        made[claim] = built.run(f"run-{len(built.executor.pods)}-{claim}")["A"].state
    assert made == {"a": "CACHED", "b": "SUCCEEDED"} and built.executor.pods[1].volumes == [("b", "/c")]


def test_kubernetes_expands_arguments_and_parameters(tmp_path):
    built = Built(tmp_path, {"environment": {"WHO": "cats"}})
    built.add(
        "A", parameters={"p": constant("$$5 $(WHO) $(NONE) ${WHO} $")}, arguments=("$(WHO)$$", "{{$.inputs.parameters['p']}}")
    )
    built.run()
    expected = "$5 cats $(NONE) ${WHO} $"
    assert built.executor.pods[0].command[2:] == ["cats$", expected]
    assert built.seen("A")["inputs"]["parameterValues"] == {"p": expected}
