"""The container's entrypoint: what it mends of an invocation, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from kubeflow.container import entrypoint, records
from kubeflow.container.entrypoint import drop_absent, fill_in_types, main, to_folder, to_uri, whole_numbers
from kubeflow.container.records import read_records, write_record
from tests.project import ROOT


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


def test_types_come_from_the_definition_whatever_was_delivered():
    given = invocation(a={"uri": "minio://a"}, b={"uri": "minio://b", "type": {"schemaTitle": "system.Artifact"}, "name": "7"})
    declared = {key: {"artifactType": {"instanceSchema": key}} for key in "ab"}
    fill_in_types(given, {"artifacts": declared})
    a, b = (given["inputs"]["artifacts"][key]["artifacts"][0] for key in "ab")
    assert a["type"] == {"instanceSchema": "a"} and a["name"] == "minio://a", "TFX tells artifacts apart by names"
    assert b["type"] == {"instanceSchema": "b"} and b["name"] == "7"


def test_an_input_that_was_an_empty_folder_is_one_again(mounts):
    given = invocation(a={"uri": "minio://b/p/r/Pusher/pushed_model"}, b={"uri": "/mnt/none"}) | {"outputs": {}}
    entrypoint.to_folders(given)
    assert (mounts / "minio/b/p/r/Pusher/pushed_model").is_dir() and not os.path.exists("/mnt/none")


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


def words_for(tmp_path, component: str, executor: str, parameters: dict, output: str, kind: str, run: str = "run-1") -> list[str]:
    """The arguments that a container is given."""
    uri = f"minio://artifacts/pipeline/{run}/{component}/{output}"
    logs = {"uri": f"minio://artifacts/pipeline/{run}/{component}/executor-logs", "type": {"schemaTitle": "system.Artifact"}}
    given = {
        "inputs": {"parameterValues": parameters},
        "outputs": {
            "artifacts": {
                "executor-logs": {"artifacts": [logs]},
                output: {"artifacts": [{"uri": uri, "type": {"schemaTitle": kind}}]},
            },
            "outputFile": str(tmp_path / "kfp_outputs" / "output_metadata.json"),
        },
    }
    spec = {"parameters": {name: {"parameterType": "STRING"} for name in parameters}}
    return [
        f"--component={component}",
        f"--registry={tmp_path / 'registry'}",
        "--pipeline=pipeline",
        *("--executor_class_path", executor),
        *("--json_serialized_invocation_args", json.dumps(given)),
        *("--json_serialized_inputs_spec_args", json.dumps(spec)),
    ]


def run(tmp_path, *given, **more) -> tuple[int, dict]:
    status = main(words_for(tmp_path, *given), **more)
    file = tmp_path / "kfp_outputs" / "output_metadata.json"
    return status, json.loads(file.read_text()) if file.exists() else {}


SCHEMA = ("Schema", "components.curated_schema.component.Executor", {"text": "feature {}"}, "schema", "tfx.Schema")


def test_a_component_that_ends_well(tmp_path, mounts):
    status, written = run(tmp_path, *SCHEMA)
    assert status == 0
    assert (mounts / "minio/artifacts/pipeline/run-1/Schema/schema/schema.pbtxt").read_text() == "feature {}"
    (artifact,) = written["artifacts"]["schema"]["artifacts"]
    assert artifact["uri"] == "minio://artifacts/pipeline/run-1/Schema/schema" and not artifact.get("name")
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


@pytest.mark.parametrize("times", [2, 99])
def test_a_registry_that_is_away_does_not_undo_what_a_step_has_done(tmp_path, caplog, monkeypatch, times):
    left = iter(range(times))
    write = records.write_record

    def away(*given):
        if next(left, None) is not None:
            raise OSError("nobody\nanswers")
        write(*given)

    monkeypatch.setattr(records, "write_record", away)
    slept: list[float] = []
    status, written = run(tmp_path, *SCHEMA, sleep=slept.append)
    assert status == 0 and written["artifacts"]["schema"]
    if times == 2:
        assert slept == [1, 5] and len(read_records(str(tmp_path / "registry"), "run-1")) == 1
    else:
        assert slept == [1, 5, 20] and "could not be left in" in caplog.text and "OSError: nobody answers" in caplog.text
    slept.clear()
    assert run(tmp_path, *SCHEMA[:2], {}, *SCHEMA[3:], sleep=slept.append)[0] == 1, "a step that failed stays failed"


def test_a_step_whose_run_nobody_can_tell_fails_before_its_work(tmp_path, caplog):
    words = words_for(tmp_path, *SCHEMA)
    place = words.index("--json_serialized_invocation_args") + 1
    for outputs, said in (
        ({"artifacts": {}}, "(no output)"),
        (json.loads(words[place].replace("/pipeline/", "/"))["outputs"], "minio://"),
    ):
        words[place] = json.dumps({"inputs": {}, "outputs": outputs})
        caplog.clear()
        assert main(words) == 1
        (line,) = [record.getMessage() for record in caplog.records if record.name == "darkroom.entrypoint"]
        assert line.startswith("Schema: failed: which run this is, its outputs must tell: ") and said in line
        assert "does not name the pipeline" in line and "Traceback" not in caplog.text
    assert not (tmp_path / "registry").exists()


def ended(words: list[str], **environment: str) -> tuple[int, list[str]]:
    """How a step ends in a process of its own, and the lines of its log."""
    done = subprocess.run(
        [sys.executable, "-m", "kubeflow.entrypoint", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout.splitlines()


def log_of(tmp_path, record: dict) -> tuple[int, list[str]]:
    """How the step `Notification` ends, and the lines of its log."""
    write_record(str(tmp_path / "registry"), "run-1", record)
    parameters = {"registry": str(tmp_path / "registry"), "title": "cats", "images": "s3://cats", "webhook_env": "NONE"}
    words = words_for(
        tmp_path, "Notification", "kubeflow.container.verdict.NotificationExecutor", parameters, "verdict", "tfx.String"
    )
    return ended(words)


@pytest.mark.slow
def test_a_fault_is_tried_again_in_the_pod_where_the_server_would_not(tmp_path, mounts):
    words = [*words_for(tmp_path, *SCHEMA[:2], {}, *SCHEMA[3:]), "--retries=1", "--pause=0"]
    status, lines = ended(words, KFP_RETRY_INDEX="0")
    failures = [line for line in lines if line.startswith("Schema: failed: ")]
    assert status == 1 and len(failures) == 2 and failures[0].endswith("; retrying in 0 s") and "retrying" not in failures[1]
    (record,) = read_records(str(tmp_path / "registry"), "run-1")
    assert record["error"]["status"] == 1


@pytest.mark.parametrize(
    ("fault", "index", "done", "expected"),
    [(True, "0", "0", 60), (True, "0", "1", 120), (True, "0", "2", None), (True, "1", "0", None), (True, None, "0", None),
     (False, "0", "0", None)],
)  # fmt: skip
def test_what_is_tried_again_in_the_pod_and_when(monkeypatch, fault, index, done, expected):
    monkeypatch.setenv(entrypoint.TRY_ENV, done)
    monkeypatch.delenv(entrypoint.INDEX_ENV, raising=False)
    if index:
        monkeypatch.setenv(entrypoint.INDEX_ENV, index)
    assert entrypoint.pause_before_next(fault, 2, 60) == expected


@pytest.mark.slow
def test_the_last_line_says_the_outcome_and_the_log_has_no_noise(tmp_path):
    failed = {"name": "Trainer", "state": "failed", "seconds": 1.0, "error": {"status": 1, "gate": None, "reasons": ["disk full"]}}
    status, lines = log_of(tmp_path, failed)
    assert (status, lines[-1]) == (0, "Notification: failed: Trainer: disk full")
    assert lines[:-1] == [f"the verdict is {tmp_path}/registry/runs/run-1/verdict.json"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ({"status": 3, "gate": "data", "reasons": ["all is black"]}, "Verdict: refused: all is black"),
        ({"status": 3, "gate": "model", "reasons": ["the ELBO fell"]}, "Verdict: refused: the ELBO fell"),
        (None, "Verdict: pushed: a model is in service"),
    ],
)
def test_each_outcome_is_the_last_line(tmp_path, caplog, error, said):
    record = {"name": "Report", "state": "done", "seconds": 1.0, **({"error": error} if error else {})}
    write_record(str(tmp_path / "registry"), "run-1", record)
    parameters = {"registry": str(tmp_path / "registry"), "title": "cats", "images": "s3://cats"}
    with caplog.at_level("INFO", "darkroom"):
        status, _ = run(tmp_path, "Verdict", "kubeflow.container.verdict.Executor", parameters, "verdict", "tfx.String")
    assert status == (error or {"status": 0})["status"]
    assert [record.getMessage() for record in caplog.records if record.name.startswith("darkroom")][-1] == said
