"""Which tasks of the emulated cluster run, and how a run ends."""

from __future__ import annotations

import pytest

from tests.kubeflow.emulator.compiler import in_order
from tests.kubeflow.emulator.conditions import holds
from tests.kubeflow.emulator.pipelines import Built, constant, fail, from_task, states
from tests.kubeflow.emulator.values import Broken
from tests.kubeflow.runner import Refused

EXIT = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}


@pytest.fixture
def cluster(tmp_path):
    return Built(tmp_path)


def test_tasks_run_behind_those_that_they_wait_for():
    tasks = {"a": {"dependentTasks": ["c"]}, "b": {}, "c": {"dependentTasks": ["b"]}}
    assert in_order(tasks) == ["b", "c", "a"]
    with pytest.raises(Refused, match="wait for each other: a, b"):
        in_order({"a": {"dependentTasks": ["b"]}, "b": {"dependentTasks": ["a"]}})


def test_what_is_behind_a_failure_does_not_run_and_the_rest_does(cluster):
    cluster.add("A", fail)
    cluster.add("B", inputs={"a": "A"})
    cluster.add("C", inputs={"b": "B"})
    cluster.add("D")
    run = cluster.run()
    assert states(run) == {"A": "FAILED", "B": "SKIPPED", "C": "SKIPPED", "D": "SUCCEEDED"} and run.state == "FAILED"


def test_exit_handlers_decide_nothing(cluster):
    cluster.add("Inside", graph=cluster.add_graph("graph"))
    cluster.add("Exit", fail, dependentTasks=["graph"], triggerPolicy=EXIT)
    run = cluster.run()
    assert run["Exit"].state == "FAILED" and run["graph"].state == run.state == "SUCCEEDED"
    cluster.functions |= {"Inside": fail, "Exit": lambda step: 0}
    run = cluster.run("run-2")
    assert run["Exit"].state == "SUCCEEDED" and run["graph"].state == run.state == "FAILED"


def test_an_exit_handler_runs_when_its_task_has_completed_and_only_then(cluster):
    cluster.add("First", fail)
    cluster.add("Second", inputs={"f": "First"})
    cluster.add("Third", parameters={"p": constant(None)}, declared={"p": {"parameterType": "LIST"}})
    for name in ("First", "Second", "Third"):
        cluster.add(f"Exit{name}", dependentTasks=[name], triggerPolicy=EXIT)
    cluster.add("ExitAlso", dependentTasks=["First"], triggerPolicy=EXIT)
    run = cluster.run()
    assert states(run)["ExitFirst"] == "SUCCEEDED", "of two for a task the last by name is kept"
    assert not {"ExitSecond", "ExitThird", "ExitAlso"} & set(run), "not where nothing ran, or the driver has failed"


def test_graphs_within_graphs(cluster):
    graph = cluster.add_graph(
        "graph",
        {
            "inputDefinitions": {
                "parameters": {"n": {"parameterType": "STRING"}, "o": {"parameterType": "LIST", "isOptional": True}}
            },
            "dag": {
                "outputs": {
                    "artifacts": {"out": {"artifactSelectors": [{"producerSubtask": "Inside", "outputArtifactKey": "out"}]}},
                    "parameters": {"best": {"valueFromParameter": {"producerSubtask": "Inside", "outputParameterKey": "best"}}},
                }
            },
        },
        inputs={
            "parameters": {"n": constant(5)},
            "artifacts": {"a": {"taskOutputArtifact": {"producerTask": "A", "outputArtifactKey": "out"}}},
        },
        retryPolicy={"maxRetryCount": 2},
    )
    cluster.add("A")
    cluster.add("Inside", lambda step: step.tell(best=3), graph=graph, parameters={"n": {"componentInputParameter": "n"}})
    cluster.spec["components"][graph]["dag"]["tasks"]["Inside"]["inputs"]["artifacts"] = {"a": {"componentInputArtifact": "a"}}
    cluster.add("B", inputs={"i": "graph"}, parameters={"best": from_task("graph", "best")})
    assert cluster.run().state == "SUCCEEDED"
    inside, behind = cluster.seen("Inside")["inputs"], cluster.seen("B")["inputs"]
    assert inside["parameterValues"] == {"n": "5"} and "type" not in inside["artifacts"]["a"]["artifacts"][0]
    assert behind["parameterValues"] == {"best": "3"} and "/Inside/" in behind["artifacts"]["i"]["artifacts"][0]["uri"]
    cluster.functions["Inside"] = fail
    cluster.run("run-2")
    assert cluster.runs_of("Inside") == 2, "a graph's retryPolicy is ignored"


def test_conditions(cluster):
    cluster.add("Gate", lambda step: step.tell({"blessed": 1.0}))
    for name, wanted in (("Push", "1.0"), ("Mourn", "0.0")):
        condition = f"(inputs.artifacts['g'].artifacts[0].metadata['blessed'] == {wanted})"
        cluster.add(name, inputs={"g": "Gate"}, triggerPolicy={"condition": condition})
    cluster.add("After", inputs={"m": "Mourn"})
    run = cluster.run()
    assert states(run) == {"Gate": "SUCCEEDED", "Push": "SUCCEEDED", "Mourn": "SKIPPED", "After": "SKIPPED"}
    assert run.state == "SUCCEEDED"
    cluster.functions["Gate"] = lambda step: step.tell({"other": 1.0})
    run = cluster.run("run-2")
    assert run["Push"].state == run.state == "FAILED" and "no such key" in run["Push"].said


INPUTS = {
    "parameterValues": {"s": "true", "n": 3, "j": '{"a": [3]}'},
    "artifacts": {"g": {"artifacts": [{"name": "1", "uri": "u", "metadata": {"n": 3}}]}},
}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("inputs.artifacts['g'].artifacts[0].metadata['n'] > 2.0", True),
        ("!(inputs.artifacts['g'].artifacts[0].metadata['n'] > 2)", False),
        ("(inputs.artifacts['g'].artifacts[0].uri == 'u') && (inputs.artifacts['g'].artifacts[0].metadata['n'] < 9.0)", True),
        ("(inputs.artifacts['g'].artifacts[0].uri == 'x') || (inputs.artifacts['g'].artifacts[0].metadata['n'] == 4.0)", False),
        ("inputs.parameter_values['n'] == 3", True),
        ("inputs.parameter_values['n'] == 'x'", False),
        ("inputs.parameter_values['s'] == 'true'", True),
        ("parseJson(inputs.parameter_values['j'])['a'][0] == 3", True),
        ("inputs.parameterValues['s'] == 'true'", "evaluation error"),
        ("inputs.artifacts['g'].artifacts[0].metadata['n']", "not bool"),
        ("inputs.artifacts['h'].artifacts[0].uri == 'u'", "evaluation error"),
        ("inputs.(", "evaluation error"),
    ],
)
def test_conditions_as_tfx_and_the_sdk_write_them(condition, expected):
    if isinstance(expected, bool):
        assert holds(condition, INPUTS) is expected
        return
    with pytest.raises(Broken, match=expected):
        holds(condition, INPUTS)


def test_the_cache_by_ids_of_inputs_and_only_where_it_is_asked_for(cluster):
    cached = {"cachingOptions": {"enableCache": True}}
    cluster.add("A", **cached)
    cluster.add("B", inputs={"a": "A"}, **cached)
    cluster.add("C", inputs={"a": "A"})
    first = cluster.run()
    second = cluster.run("run-2")
    assert states(second) == {"A": "CACHED", "B": "CACHED", "C": "SUCCEEDED"} and second.state == "SUCCEEDED"
    assert second["B"].artifacts == first["B"].artifacts
    cluster.spec["root"]["dag"]["tasks"]["C"] |= cached
    assert states(cluster.run("run-3"))["C"] == "SUCCEEDED", "what ran without the cache is not in it"
    cluster.spec["deploymentSpec"]["executors"]["exec-A"]["container"]["resources"] = {"cpuLimit": 2.0}
    assert set(states(cluster.run("run-4")).values()) == {"CACHED"}, "resources do not count"
    cluster.spec["deploymentSpec"]["executors"]["exec-A"]["container"]["args"].append("--more")
    assert set(states(cluster.run("run-5")).values()) == {"SUCCEEDED"}, "made anew, the same URI or not, it has another id"
    cluster.spec["pipelineInfo"]["name"] = "q"
    assert set(states(cluster.run("run-6")).values()) == {"SUCCEEDED"}, "each pipeline has a cache of its own"


def test_importers_and_resolvers(cluster):
    cluster.add("Schema")
    cluster.add("User", inputs={"s": "Schema"}, cachingOptions={"enableCache": True})
    executors = cluster.spec["deploymentSpec"]["executors"]
    executors["exec-Schema"] = {
        "importer": {"artifactUri": {"constant": "s3://elsewhere/schema"}, "typeSchema": {"schemaTitle": "a.B"}}
    }
    first, second = cluster.run(), cluster.run("run-2")
    assert first["Schema"].artifacts == second["Schema"].artifacts and second["User"].state == "CACHED"
    assert "display_name" not in first["Schema"].artifacts["out"].metadata
    cluster.spec["root"]["dag"]["tasks"]["Schema"]["triggerPolicy"] = {"condition": "true"}
    with pytest.raises(Refused, match="condition on importer"):
        cluster.run("run-3")
    executors["exec-Schema"] = {"resolver": {}}
    with pytest.raises(Refused, match="not implemented"):
        cluster.run("run-4")


def test_files_that_do_not_compile(cluster):
    cluster.add("A")
    task = cluster.spec["root"]["dag"]["tasks"]["A"]
    for change, message in (
        ({"dependentTasks": ["B"]}, "unknown producer task 'B'"),
        ({"componentRef": {"name": "comp-B"}}, "component spec for 'comp-B' not found"),
        ({"triggerPolicy": EXIT}, "one or more non-exit tasks"),
        ({"artifactIterator": {}}, "not implemented yet"),
    ):
        cluster.spec["root"]["dag"]["tasks"]["A"] = task | change
        with pytest.raises(Refused, match=message):
            cluster.run()
    cluster.spec["root"]["dag"]["tasks"]["A"] = {**task, "taskInfo": {}}
    assert "taskInfo.name is empty" in cluster.run()["A"].said
