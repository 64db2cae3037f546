"""The emulated cluster itself: what it does to a compiled pipeline, by small ones written by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.kubeflow.runner import Runner, holds, in_order

# A container that counts how often it was run, says what it was given, and writes what it is told to.
SCRIPT = """
import json, os, pathlib, sys
given, told = json.loads(sys.argv[1]), json.loads(sys.argv[2])
folder = lambda uri: pathlib.Path(os.environ["DARKROOM_LAUNCHER_ROOT"], uri.replace("://", "/"))
seen = {key: many["artifacts"][0] for key, many in given["inputs"]["artifacts"].items()}
assert all(not one["type"] for one in seen.values())
files = sorted(str(path.relative_to(folder("minio://"))) for path in folder("minio://").rglob("*") if path.is_file())
print(json.dumps({"parameters": given["inputs"]["parameterValues"], "files": files}))
tries = pathlib.Path(told["counter"])
tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
if len(tries.read_text()) <= told.get("failures", 0):
    sys.exit(1)
written = {"artifacts": {}, "parameterValues": told.get("values", {})}
for key, many in given["outputs"]["artifacts"].items():
    place = folder(many["artifacts"][0]["uri"])
    place.mkdir(parents=True)
    (place / "data").write_text(told.get("text", ""))
    written["artifacts"][key] = {"artifacts": [{"metadata": told.get("metadata", {})}]}
file = pathlib.Path(given["outputs"]["outputFile"])
file.parent.mkdir(parents=True, exist_ok=True)
file.write_text(json.dumps(written))
"""


@pytest.fixture
def cluster(tmp_path):
    return Cluster(tmp_path)


class Cluster:
    """Builds a pipeline task by task, and runs it."""

    def __init__(self, folder):
        self.folder = folder
        self.runner = Runner(folder / "cluster")
        self.spec: dict[str, Any] = {
            "pipelineInfo": {"name": "p"},
            "defaultPipelineRoot": "minio://root",
            "root": {"dag": {"tasks": {}}},
            "components": {},
            "deploymentSpec": {"executors": {}},
        }

    def add(self, name: str, inputs: dict[str, str] | None = None, task: dict | None = None, parameters=None, **told) -> None:
        """A task with an output `out`; `inputs` are the tasks whose outputs it takes."""
        artifacts = {
            key: {"taskOutputArtifact": {"producerTask": producer, "outputArtifactKey": "out"}}
            for key, producer in (inputs or {}).items()
        }
        told["counter"] = str(self.folder / f"{name}.count")
        self.spec["root"]["dag"]["tasks"][name] = {
            "componentRef": {"name": name},
            "inputs": {"artifacts": artifacts, "parameters": parameters or {}},
            **(task or {}),
        }
        self.spec["components"][name] = {
            "executorLabel": f"{name}_executor",
            "outputDefinitions": {"artifacts": {"out": {"artifactType": {"schemaTitle": "tfx.String"}}}},
        }
        container = {"image": "i", "command": ["python", "-c", SCRIPT], "args": ["{{$}}", json.dumps(told)]}
        self.spec["deploymentSpec"]["executors"][f"{name}_executor"] = {"container": container}

    def run(self, run="run-1", **parameters):
        tasks = self.runner.run(yaml.safe_dump(self.spec), run, parameters)
        return tasks, {name: task.state for name, task in tasks.items()}

    def runs_of(self, name: str) -> int:
        path = self.folder / f"{name}.count"
        return len(path.read_text()) if path.exists() else 0


def said(task) -> dict:
    return json.loads(task.said.splitlines()[0])


def test_tasks_run_behind_those_that_they_wait_for():
    tasks = {"a": {"dependentTasks": ["c"]}, "b": {}, "c": {"dependentTasks": ["b"]}}
    assert in_order(tasks) == ["b", "c", "a"]
    with pytest.raises(AssertionError, match="wait for each other"):
        in_order({"a": {"dependentTasks": ["b"]}, "b": {"dependentTasks": ["a"]}})


def test_a_container_finds_its_inputs_and_nothing_else(cluster):
    cluster.add("A", text="of A", metadata={"n": 3})
    cluster.add("B", text="of B")
    cluster.add("C", {"given": "A"})
    tasks, states = cluster.run()
    assert set(states.values()) == {"SUCCEEDED"}
    assert said(tasks["C"])["files"] == ["root/p/run-1/A/out/data"]
    assert tasks["A"].artifacts["out"]["metadata"] == {"n": 3} and "type" not in tasks["A"].artifacts["out"]


def test_parameters_from_constants_the_run_and_other_tasks(cluster):
    cluster.spec["root"]["inputDefinitions"] = {"parameters": {"epochs": {"parameterType": "NUMBER_INTEGER"}}}
    cluster.add("A", values={"best": 7})
    cluster.add(
        "B",
        parameters={
            "constant": {"runtimeValue": {"constant": "x"}},
            "run": {"componentInputParameter": "epochs"},
            "other": {"taskOutputParameter": {"producerTask": "A", "outputParameterKey": "best"}},
        },
    )
    tasks, _ = cluster.run(epochs=5)
    assert said(tasks["B"])["parameters"] == {"constant": "x", "run": 5, "other": 7}
    with pytest.raises(AssertionError, match="each run passes all parameters"):
        cluster.run("run-2")


def test_the_cache_by_inputs_and_only_where_it_is_asked_for(cluster):
    cached = {"cachingOptions": {"enableCache": True}}
    cluster.add("A", task=cached)
    cluster.add("B", {"a": "A"}, task=cached)
    cluster.add("C", {"a": "A"})
    cluster.run()
    _, states = cluster.run("run-2")
    assert states == {"A": "CACHED", "B": "CACHED", "C": "SUCCEEDED"} and cluster.runs_of("C") == 2
    cluster.add("A", task=cached, text="other")
    _, states = cluster.run("run-3")
    assert states == {"A": "SUCCEEDED", "B": "SUCCEEDED", "C": "SUCCEEDED"}, "its input is another one"


def test_retries_and_what_follows_a_failure(cluster):
    cluster.add("Shaky", failures=1, task={"retryPolicy": {"maxRetryCount": 2}})
    cluster.add("Broken", failures=9, task={"retryPolicy": {"maxRetryCount": 1}})
    cluster.add("Behind", {"b": "Broken"})
    cluster.add("Exit", task={"dependentTasks": ["Behind"], "triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}})
    tasks, states = cluster.run()
    assert states == {"Shaky": "SUCCEEDED", "Broken": "FAILED", "Behind": "SKIPPED", "Exit": "SUCCEEDED"}
    assert (tasks["Shaky"].tries, tasks["Broken"].tries, cluster.runs_of("Behind")) == (2, 2, 0)


def test_conditions(cluster):
    cluster.add("Gate", metadata={"blessed": 1.0})
    for name, wanted in (("Push", "1.0"), ("Mourn", "0.0")):
        policy = {"triggerPolicy": {"condition": f"(inputs.artifacts['g'].artifacts[0].metadata['blessed'] == {wanted})"}}
        cluster.add(name, {"g": "Gate"}, task=policy)
    cluster.add("After", {"m": "Mourn"})
    _, states = cluster.run()
    assert states == {"Gate": "SUCCEEDED", "Push": "SUCCEEDED", "Mourn": "SKIPPED", "After": "SKIPPED"}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("inputs.artifacts['g'].artifacts[0].metadata['n'] > 2.0", True),
        ("!(inputs.artifacts['g'].artifacts[0].metadata['n'] > 2.0)", False),
        ("(inputs.artifacts['g'].artifacts[0].uri == 'u') && (inputs.artifacts['g'].artifacts[0].metadata['n'] < 9.0)", True),
        ("(inputs.artifacts['g'].artifacts[0].uri == 'x') || (inputs.artifacts['g'].artifacts[0].metadata['n'] == 4.0)", False),
    ],
)
def test_conditions_as_tfx_writes_them(condition, expected):
    assert holds(condition, {"g": {"uri": "u", "metadata": {"n": 3.0}}}) is expected


def test_importers_and_resolvers(cluster):
    cluster.add("Schema")
    cluster.add("User", {"s": "Schema"})
    importer = {"artifactUri": {"constant": "minio://elsewhere/schema"}}
    cluster.spec["deploymentSpec"]["executors"]["Schema_executor"] = {"importer": importer}
    cluster.spec["components"]["Schema"]["outputDefinitions"]["artifacts"] = {"out": {}}
    tasks, states = cluster.run()
    assert states["User"] == "SUCCEEDED" and tasks["Schema"].artifacts["out"]["uri"] == "minio://elsewhere/schema"
    cluster.spec["deploymentSpec"]["executors"]["Schema_executor"] = {"resolver": {}}
    with pytest.raises(AssertionError, match="not implemented"):
        cluster.run("run-2")
