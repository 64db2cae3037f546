"""The emulated cluster itself: what a container is given, and what becomes of what it leaves."""

from __future__ import annotations

import json
import re

import pytest

from tests.kubeflow.emulator.launcher import local_path
from tests.kubeflow.emulator.pipelines import Built, constant, fail, from_task
from tests.kubeflow.emulator.retries import ARGOS_OWN
from tests.kubeflow.runner import Nodes, Processes, Refused, Runner

ROOT = "minio://mlpipeline/v2/artifacts/p/run-1"


@pytest.fixture
def cluster(tmp_path):
    return Built(tmp_path)


def test_a_process_finds_its_inputs_and_nothing_else(tmp_path):
    script = """
import json, os, pathlib, sys
given = json.loads(sys.argv[1])
root = pathlib.Path(os.environ["DARKROOM_LAUNCHER_ROOT"])
print(sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()))
(artifact,) = given["outputs"]["artifacts"]["out"]["artifacts"]
place = root / artifact["uri"].replace("://", "/")
place.mkdir()
(place / "data").write_text(os.environ["WHAT"])
pathlib.Path(given["outputs"]["outputFile"]).write_text(json.dumps({"parameterValues": {"n": 3}}))
"""
    built = Built(tmp_path)
    built.add("A")
    built.add("B")
    built.add("C", inputs={"given": "A"})
    for executor in built.spec["deploymentSpec"]["executors"].values():
        executor["container"]["command"] = ["python", "-c", script]
    run = Runner(tmp_path / "cluster", {"WHAT": "x"}, Processes()).run(built.text(), "run-1")
    assert run.state == "SUCCEEDED" and run["C"].parameters == {"n": 3}, run["C"].said
    folder = re.escape(run["A"].artifacts["out"].uri.replace("://", "/"))
    assert re.fullmatch(rf"\['{folder}/data', 'minio/.*/executor-logs-0'\]|\['{folder}/data'\]", run["C"].said.strip())


def test_a_process_mounts_no_volumes(cluster):
    cluster.add("A")
    cluster.kubernetes["A"] = {"pvcMount": [{"constant": "c", "mountPath": "/c"}]}
    with pytest.raises(NotImplementedError, match="run it in a container"):
        Runner(cluster.folder, nodes=Nodes(claims=("c",))).run(cluster.text(), "run-1")


def test_outputs_are_named_by_their_keys_and_lie_below_the_task_root_with_the_output_file(cluster):
    cluster.add("A", given={"best": "NUMBER_DOUBLE"}, function=lambda step: step.tell(best=1))
    cluster.spec["components"]["comp-A"]["outputDefinitions"]["artifacts"]["out"]["metadata"] = {"kind": "a"}
    cluster.run()
    outputs = cluster.seen("A")["outputs"]
    out, log = (outputs["artifacts"][key]["artifacts"][0] for key in ("out", "executor-logs"))
    task_root = out["uri"].removesuffix("/out")
    assert re.fullmatch(rf"{ROOT}/A/[0-9a-f-]{{36}}", task_root)
    assert out == {"name": "out", "uri": f"{task_root}/out", "type": {"schemaTitle": "tfx.String"}, "metadata": {"kind": "a"}}
    assert log == {"name": "executor-logs", "uri": f"{task_root}/executor-logs-0", "type": {"schemaTitle": "system.Artifact"}}
    assert outputs["outputFile"] == f"{local_path(task_root)}/output_metadata.json"
    assert outputs["parameters"] == {"best": {"outputFile": "/tmp/kfp/outputs/best"}}
    assert cluster.seen("A")["inputs"] == {}, "empty maps are left out"


def test_inputs_come_with_an_id_for_a_name_without_a_schema_and_with_two_properties_more(cluster):
    cluster.add("A", lambda step: step.tell({"n": 3, "display_name": "mine"}))
    cluster.add("B")
    cluster.add("C", inputs={"a": "A", "b": "B"})
    run = cluster.run()
    a, b = (cluster.seen("C")["inputs"]["artifacts"][key]["artifacts"][0] for key in "ab")
    assert a["name"] == str(run["A"].artifacts["out"].id) and a["name"].isdigit() and a["name"] != b["name"]
    assert a["type"] == {"instanceSchema": ""}
    assert (a["metadata"]["n"], a["metadata"]["display_name"], b["metadata"]["display_name"]) == (3, "mine", "out")
    assert json.loads(b["metadata"]["store_session_info"])["Params"]["secretName"] == "mlpipeline-minio-artifact"


def test_properties_come_back_from_ml_metadata_as_it_keeps_them(cluster):
    cluster.add("A", lambda step: step.tell({"yes": True, "no": False, "list": [1.0, "a"], "struct": {"a": None}, "n": 2.5}))
    cluster.add("B", inputs={"a": "A"})
    cluster.run()
    metadata = cluster.seen("B")["inputs"]["artifacts"]["a"]["artifacts"][0]["metadata"]
    assert metadata["yes"] == 1 and metadata["yes"] is not True and metadata["no"] == 0 and metadata["n"] == 2.5
    assert metadata["list"] == {"list": [1, "a"]} and metadata["struct"] == {"struct": {"a": None}}


def test_parameters_from_the_run_and_other_tasks(cluster):
    cluster.spec["root"]["inputDefinitions"] = {"parameters": {"epochs": {"parameterType": "NUMBER_INTEGER"}}}
    cluster.add("A", lambda step: step.tell(best=7, more=[True]))
    parameters = {"run": {"componentInputParameter": "epochs"}, "best": from_task("A", "best"), "more": from_task("A", "more")}
    cluster.add("B", parameters={**parameters, "id": constant("{{$.pipeline_job_uuid}}"), "lost": from_task("A", "lost")})
    cluster.run(parameters={"epochs": 5})
    expected = {"run": "5", "best": "7", "more": "[true]", "id": "run-1", "lost": ""}
    assert cluster.seen("B")["inputs"]["parameterValues"] == expected


def test_defaults_of_the_pipeline_and_optional_parameters(cluster):
    cluster.spec["root"]["inputDefinitions"] = {
        "parameters": {
            "a": {"parameterType": "NUMBER_INTEGER", "defaultValue": 5.0},
            "b": {"parameterType": "STRING", "isOptional": True},
            "c": {"parameterType": "STRING"},
        }
    }
    optional = {"parameterType": "STRING", "isOptional": True, "defaultValue": "own"}
    cluster.add(
        "A",
        parameters={key: {"componentInputParameter": key} for key in "abc"},
        declared={"a": {"parameterType": "NUMBER_INTEGER"}, "b": optional, "c": {"parameterType": "STRING"}, "d": optional},
    )
    cluster.run(parameters={"c": "c"})
    assert cluster.seen("A")["inputs"]["parameterValues"] == {"a": 5, "b": "own", "c": "c", "d": "own"}
    for parameters, message in (
        ({}, "parameter c is not optional"),
        ({"c": "c", "x": 1}, "not required by pipeline: x"),
        ({"c": 5}, "c requires type string"),
    ):
        with pytest.raises(Refused, match=message):
            cluster.run("run-2", parameters)


def test_a_null_that_must_be_there_and_a_default_that_is_not_optional(cluster):
    cluster.spec["root"]["inputDefinitions"] = {"parameters": {"b": {"parameterType": "STRING", "isOptional": True}}}
    cluster.add("A", parameters={"b": {"componentInputParameter": "b"}}, declared={"b": {"parameterType": "STRING"}})
    cluster.add("B", declared={"b": {"parameterType": "STRING", "defaultValue": "lost"}})
    cluster.add("C", declared={"b": {"parameterType": "STRING"}})
    run = cluster.run()
    assert "is null: b" in run["A"].said and "neither value nor default" in run["C"].said
    assert cluster.seen("B")["inputs"]["parameterValues"] == {"b": ""}, "a default counts only where it is optional"


def test_placeholders(cluster):
    places = ("inputs.parameters['n']", "inputs.artifacts['a'].path", "outputs.artifacts['out'].uri")
    arguments = tuple(f"{{{{$.{place}}}}}" for place in (*places, "outputs.parameters['best'].output_file"))
    choice = '{"IfPresent": {"InputName": "%s", "Then": ["--is"], "Else": ["--is-not"]}}'
    cluster.add("A")
    declared = {"n": {"parameterType": "NUMBER_DOUBLE"}}
    cluster.add(
        "B",
        lambda step: step.tell(best=1),
        inputs={"a": "A"},
        parameters={"n": constant(2.0)},
        declared=declared,
        given={"best": "NUMBER_INTEGER"},
        arguments=(*arguments, choice % "n", choice % "m"),
    )
    cluster.add("C", arguments=("{{$.inputs.parameters['none']}}",))
    run = cluster.run()
    command = cluster.executor.pods[1].command[2:]
    path = local_path(run["A"].artifacts["out"].uri)
    assert command == ["2", path, run["B"].artifacts["out"].uri, "/tmp/kfp/outputs/best", "--is", "--is-not"]
    assert "'none' not found in executor input" in run["C"].said


def test_output_parameters_from_the_output_file_or_a_file_each(cluster):
    def write(step):
        step.tell(first=[1])
        (step.pod.folder / "tmp/kfp/outputs/second").write_text(" 7\n")

    cluster.add("A", write, given={"first": "LIST", "second": "NUMBER_INTEGER"})
    cluster.add("B", given={"second": "NUMBER_INTEGER"})
    run = cluster.run()
    assert run["A"].parameters == {"first": [1], "second": 7}
    assert run["B"].state == "FAILED" and "no such file" in run["B"].said


def test_empty_folders_are_lost(cluster):
    found = []

    def write(step):
        step.write("x", "full/file")
        (step.folder(step.output()["uri"]) / "empty").mkdir()

    cluster.add("A", write)
    cluster.add("B", lambda step: (step.folder(step.output()["uri"]) / "data").unlink())
    cluster.add("C", lambda step: found.extend(sorted(step.folder(step.inputs("a")["uri"]).iterdir())), inputs={"a": "A"})
    cluster.add("D", lambda step: found.append(step.folder(step.inputs("b")["uri"]).exists()), inputs={"b": "B"})
    assert cluster.run().state == "SUCCEEDED"
    assert [getattr(one, "name", one) for one in found] == ["data", "full", False]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ('{"artifacts": {"out": {"artifacts": [{"uri": "minio://mlpipeline/other"}]}}}', "does not have expected bucket prefix"),
        ('{"artifacts": {"out": {"artifacts": [{"metadata": {"a": null}}]}}}', "the property a is null"),
        ('{"artifacts": {"out": {"artifacts": [{"metadata": {"a": NaN}}]}}}', "NaN is not JSON"),
        ('{"artifacts": {"out": {"artifacts": [{"label": "a"}]}}}', 'unknown field "label"'),
        ('{"exit": 1}', 'unknown field "exit"'),
        ("{", "protojson.Unmarshal"),
    ],
)
def test_what_the_launcher_does_not_take_fails_the_task_that_ended_well(said, message, cluster):
    cluster.add("A", lambda step: step.say(said))
    run = cluster.run()
    assert run["A"].state == "FAILED" and run["A"].status == 0 and message in run["A"].said


def test_the_declared_type_stays_and_names_a_title(cluster):
    said = '{"artifacts": {"out": {"artifacts": [{"name": "x", "type": {"schemaTitle": "other.Type"}, "metadata": {"a": 1}}]}}}'
    cluster.add("A", lambda step: step.say(said))
    cluster.add("B")
    cluster.spec["components"]["comp-B"]["outputDefinitions"]["artifacts"]["out"]["artifactType"] = {"instanceSchema": "type: x"}
    run = cluster.run()
    assert run["A"].artifacts["out"].title == "tfx.String" and run["A"].artifacts["out"].metadata["a"] == 1
    assert run["B"].state == "FAILED" and "No title specified" in run["B"].said


def test_each_try_leaves_a_log_of_its_own_and_failed_ones_nothing_else(tmp_path):
    cluster = Built(tmp_path, {"defaults": ARGOS_OWN})

    def shaky(step):
        step.write("x")
        return 1 if cluster.runs_of("A") < 2 else 0

    cluster.add("A", shaky, retryPolicy={"maxRetryCount": 2, "backoffMaxDuration": "864000s"})
    cluster.add("B", fail)
    run = cluster.run()
    stored = sorted(path.name for path in cluster.runner.store.rglob("*") if path.is_file() and "/A/" in str(path))
    assert stored == ["data", "executor-logs-0", "executor-logs-1"]
    assert run["A"].artifacts["executor-logs"].uri.endswith("/executor-logs-1")
    assert set(run["B"].artifacts) == {"executor-logs"} and run["B"].artifacts["executor-logs"].uri.endswith("/executor-logs-0")


@pytest.mark.parametrize(
    ("options", "given", "expected"),
    [
        ({}, {}, "minio://mlpipeline/v2/artifacts"),
        ({"default_root": "gs://map/root"}, {}, "gs://map/root"),
        ({"default_root": "gs://map/root"}, {"pipeline_root": "s3://run/root/"}, "s3://run/root"),
    ],
)
def test_the_root_is_the_runs_or_the_config_maps(options, given, expected, tmp_path):
    built = Built(tmp_path, options)
    built.add("A")
    assert built.run(**given)["A"].artifacts["out"].uri.startswith(f"{expected}/p/run-1/A/")
