"""The container's entrypoint: what it mends of an invocation, and how it ends."""

from __future__ import annotations

import json

import pytest

from kubeflow import entrypoint
from kubeflow.entrypoint import drop_absent, fill_in_types, main, to_folder, to_uri, whole_numbers
from kubeflow.records import read_records


@pytest.fixture(autouse=True)
def mounts(tmp_path, monkeypatch):
    monkeypatch.setenv(entrypoint.MOUNTS_ENV, str(tmp_path / "pod"))
    return tmp_path / "pod"


def test_uris_become_the_launchers_folders_and_back(mounts, monkeypatch):
    for uri, folder in {"minio://b/x/y": "/minio/b/x/y", "s3://b/x": "/s3/b/x", "gs://b/x": "/gcs/b/x"}.items():
        assert to_folder(uri) == f"{mounts}{folder}" and to_uri(to_folder(uri)) == uri
    assert to_folder("/mnt/x") == to_uri("/mnt/x") == "/mnt/x"
    monkeypatch.delenv(entrypoint.MOUNTS_ENV)
    assert to_folder("minio://b/x") == "/minio/b/x" and to_uri("/gcs/b/x") == "gs://b/x"


def invocation(**inputs):
    return {"inputs": {"artifacts": {key: {"artifacts": [one]} for key, one in inputs.items()}}}


def test_types_that_are_missing_come_from_the_definition_and_others_stay():
    given = invocation(a={"uri": "minio://a", "type": {}}, b={"uri": "minio://b", "type": {"schemaTitle": "tfx.Own"}, "name": "7"})
    fill_in_types(given, {"artifacts": {"a": {"artifactType": {"instanceSchema": "s"}}, "b": {"artifactType": {}}}})
    a, b = (given["inputs"]["artifacts"][key]["artifacts"][0] for key in "ab")
    assert a["type"] == {"instanceSchema": "s"} and a["name"] == "minio://a", "TFX tells artifacts apart by names"
    assert b["type"] == {"schemaTitle": "tfx.Own"} and b["name"] == "7"


@pytest.mark.parametrize("kind", [{"instanceSchema": ""}, {}])
def test_tfx_alone_still_dies_of_inputs_without_a_type(kind):
    """Once it no longer does, `fill_in_types` can go."""
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2
    from tfx.orchestration.kubeflow.v2.container.kubeflow_v2_entrypoint_utils import parse_raw_artifact_dict

    def parsed(given):
        return parse_raw_artifact_dict(json_format.ParseDict(given, pipeline_spec_pb2.ExecutorInput()).inputs.artifacts)

    given = invocation(a={"uri": "minio://a", "type": kind})
    with pytest.raises((AttributeError, UnboundLocalError)):
        parsed(given)
    fill_in_types(given, {"artifacts": {"a": {"artifactType": {"schemaTitle": "tfx.Schema"}}}})
    (artifact,) = parsed(given)["a"]
    assert artifact.type_name == "Schema" and artifact.uri == "minio://a"


def test_what_stands_for_nothing_is_left_out():
    given = invocation(a={"uri": "u", "metadata": {"absent": 1.0}}, b={"uri": "u", "metadata": {"absent": 0}}, c={"uri": "u"})
    drop_absent(given)
    assert set(given["inputs"]["artifacts"]) == {"b", "c"}


def test_numbers_are_whole_again():
    assert whole_numbers({"blessed": 1.0, "loss": 1.5, "name": "1"}) == {"blessed": 1, "loss": 1.5, "name": "1"}
    assert isinstance(whole_numbers({"blessed": 1.0})["blessed"], int)


def run(tmp_path, component: str, executor: str, parameters: dict, output: str, kind: str) -> tuple[int, dict]:
    file = tmp_path / "kfp_outputs" / "output_metadata.json"
    uri = f"minio://artifacts/pipeline/run-1/{component}/{output}"
    logs = {"uri": f"minio://artifacts/pipeline/run-1/{component}/executor-logs", "type": {"schemaTitle": "system.Artifact"}}
    given = {
        "inputs": {"parameterValues": parameters},
        "outputs": {
            "artifacts": {
                "executor-logs": {"artifacts": [logs]},
                output: {"artifacts": [{"uri": uri, "type": {"schemaTitle": kind}}]},
            },
            "outputFile": str(file),
        },
    }
    spec = {"parameters": {name: {"parameterType": "STRING"} for name in parameters}}
    status = main(
        [
            f"--component={component}",
            f"--registry={tmp_path / 'registry'}",
            *("--executor_class_path", executor),
            *("--json_serialized_invocation_args", json.dumps(given)),
            *("--json_serialized_inputs_spec_args", json.dumps(spec)),
        ]
    )
    return status, json.loads(file.read_text()) if file.exists() else {}


def test_a_component_that_ends_well(tmp_path, mounts):
    executor = "components.curated_schema.component.Executor"
    status, written = run(tmp_path, "Schema", executor, {"text": "feature {}"}, "schema", "tfx.Schema")
    assert status == 0
    assert (mounts / "minio/artifacts/pipeline/run-1/Schema/schema/schema.pbtxt").read_text() == "feature {}"
    assert written["artifacts"]["schema"]["artifacts"][0]["uri"] == "minio://artifacts/pipeline/run-1/Schema/schema"
    (record,) = read_records(str(tmp_path / "registry"), "run-1")
    assert record["state"] == "done" and "error" not in record and record["started"].startswith("20")


def test_a_users_mistake_ends_with_2_and_a_fault_with_1(tmp_path, caplog):
    from components.image_example_gen.component import ImageExampleGen
    from components.image_example_gen.config import DataConfig

    component = ImageExampleGen(images=str(tmp_path / "nowhere"), config=DataConfig(), code="")
    parameters = {name: value for name, value in component.exec_properties.items() if isinstance(value, str)}
    executor = "components.image_example_gen.executor.ImageExampleGenExecutor"
    status, written = run(tmp_path, "ImageExampleGen", executor, parameters, "examples", "tfx.Examples")
    assert status == 2 and written == {}
    (record,) = read_records(str(tmp_path / "registry"), "run-1")
    assert record["error"]["status"] == 2 and "does not exist" in record["error"]["reasons"][0]
    assert "Traceback" not in caplog.text

    status, _ = run(tmp_path, "Schema", "components.curated_schema.component.Executor", {}, "schema", "tfx.Schema")
    assert status == 1 and "KeyError" in caplog.text
