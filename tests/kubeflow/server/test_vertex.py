"""Vertex AI through google-cloud-aiplatform's own classes and client, with a stand-in at the end of the line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from common.errors import InputError
from kubeflow.server import vertex
from kubeflow.server.connection import Retry, ServerFault
from tests.kubeflow.tiny_pipeline import DEFAULTS, SPEC, write_judging, write_pipeline
from tests.project import ROOT

PLACE = vertex.Place("a-project", "europe-west4", Retry(sleep=lambda _: None))
PARENT = "projects/a-project/locations/europe-west4"


@pytest.fixture
def server(monkeypatch):
    pytest.importorskip("google.cloud.aiplatform", reason="google-cloud-aiplatform, the extra `vertex`, is not installed")
    from tests.kubeflow.vertex_server import vertex_server

    with vertex_server(monkeypatch) as running:
        yield running


@pytest.fixture
def file(tmp_path):
    return write_pipeline(tmp_path)


def plain(message):
    from google.protobuf import json_format

    return json_format.MessageToDict(type(message).pb(message))


def test_a_run(server, file):
    run = vertex.submit(file, PLACE, parameters=["epochs=7"], run_name="the first", service_account="me@a-project")
    (job,) = server.jobs.values()
    sent = plain(job)
    assert sent["name"] == f"{PARENT}/pipelineJobs/{run.run_id}" and sent["displayName"] == "the first"
    assert sent["runtimeConfig"] == {"gcsOutputDirectory": "gs://bucket/root", "parameterValues": {**DEFAULTS, "epochs": 7}}
    assert sent["pipelineSpec"] == SPEC and sent["serviceAccount"] == "me@a-project"
    assert run.run_id.startswith(f"darkroom-{run.version.name}-") and run.root == "gs://bucket/root"
    assert (
        run.url
        == f"https://console.cloud.google.com/vertex-ai/locations/europe-west4/pipelines/runs/{run.run_id}?project=a-project"
    )


@pytest.mark.parametrize("after", [False, True])
def test_a_lost_answer_makes_no_second_run(server, file, after):
    server.fail("CreatePipelineJob", after=after)
    vertex.submit(file, PLACE)
    assert len(server.jobs) == 1 and server.asked.count("CreatePipelineJob") == (1 if after else 2)


def test_waiting(server, file):
    run = vertex.submit(file, PLACE)
    server.job_states = ["PIPELINE_STATE_PENDING", "PIPELINE_STATE_RUNNING", "PIPELINE_STATE_RUNNING", "PIPELINE_STATE_SUCCEEDED"]
    states = []
    assert vertex.wait_for(run.run_id, PLACE, sleep=lambda _: None, tell=states.append).well
    assert states == ["PENDING", "RUNNING", "SUCCEEDED"]
    next(iter(server.jobs.values())).error.message = "out of\nmemory"
    server.job_states = ["PIPELINE_STATE_FAILED"]
    ending = vertex.wait_for(run.run_id, PLACE)
    assert (ending.well, ending.state, ending.why) == (False, "FAILED", "out of memory")


def test_waiting_outlasts_an_absence(server, file):
    run = vertex.submit(file, PLACE)
    server.fail("GetPipelineJob", "DEADLINE_EXCEEDED", times=5 * 2)  # the library itself asks again after UNAVAILABLE
    assert vertex.wait_for(run.run_id, PLACE, sleep=lambda _: None).well
    server.fail("GetPipelineJob", "DEADLINE_EXCEEDED", times=5)
    with pytest.raises(ServerFault, match="nobody has answered for 0 minutes"):
        vertex.wait_for(run.run_id, PLACE, patience=0)


def test_a_schedule(server, file):
    done = vertex.schedule(
        file, PLACE, cron="0 3 * * MON-FRI", timezone="Europe/Berlin", name="nightly", service_account="me@a-project"
    )
    sent = plain(server.schedules[done.id])
    assert (sent["displayName"], sent["cron"], sent["maxConcurrentRunCount"]) == ("nightly", "TZ=Europe/Berlin 0 3 * * 1-5", "1")
    assert not sent.get("allowQueueing")
    job = sent["createPipelineJobRequest"]["pipelineJob"]
    assert job["runtimeConfig"]["parameterValues"] == DEFAULTS and job["pipelineSpec"] == SPEC
    assert job["serviceAccount"] == "me@a-project" and sent["createPipelineJobRequest"]["parent"] == PARENT
    assert done.made and done.when == "TZ=Europe/Berlin 0 3 * * 1-5"


def test_intervals_that_a_cron_can_say(server, file):
    assert vertex.schedule(file, PLACE, every="6h").when == "0 */6 * * *"
    with pytest.raises(InputError, match="has only cron schedules"):
        vertex.schedule(file, PLACE, every="7h")


def test_the_same_again_is_nothing_to_do_and_another_replaces_it(server, file):
    first = vertex.schedule(file, PLACE, cron="0 3 * * *")
    assert not vertex.schedule(file, PLACE, cron="0 3 * * *").made
    for more in ({"parameters": ["epochs=9"]}, {"timezone": "Europe/Berlin"}, {"pipeline_root": "gs://other/root"}):
        done = vertex.schedule(file, PLACE, cron="0 3 * * *", **more)
        assert done.made and done.removed == [first.id] and list(server.schedules) == [done.id]
        first = done
    made, deleted = (len(server.asked) - server.asked[::-1].index(name) for name in ("CreateSchedule", "DeleteSchedule"))
    assert made < deleted


@pytest.mark.parametrize("after", [False, True])
def test_a_lost_answer_makes_no_second_schedule(server, file, after):
    old = vertex.schedule(file, PLACE, cron="0 3 * * *")
    server.fail("CreateSchedule", after=after)
    done = vertex.schedule(file, PLACE, cron="0 4 * * *")
    assert list(server.schedules) == [done.id] and done.id != old.id


def test_the_old_one_stays_when_the_new_one_is_not_active(server, file):
    old = vertex.schedule(file, PLACE, cron="0 3 * * *")
    server.born = "PAUSED"
    with pytest.raises(ServerFault, match="it is PAUSED; no other was touched"):
        vertex.schedule(file, PLACE, cron="0 4 * * *")
    assert old.id in server.schedules


def test_what_cannot_be_deleted_is_said(server, file):
    old = vertex.schedule(file, PLACE, cron="0 3 * * *")
    server.fail("DeleteSchedule", "PERMISSION_DENIED")
    (left,) = vertex.schedule(file, PLACE, cron="0 4 * * *").left
    assert (left.id, left.fires) == (old.id, True) and "refuses (403)" in left.why


def test_pausing_resuming_listing_removing(server, file):
    made = vertex.schedule(file, PLACE, cron="0 3 * * *", timezone="Europe/Berlin", name="a")
    assert vertex.pause("a", PLACE) == [made.id]
    (listed,) = vertex.list_schedules(PLACE)
    assert (listed.name, listed.cron, listed.written, listed.enabled) == ("a", "TZ=Europe/Berlin 0 3 * * *", "0 3 * * *", False)
    assert vertex.resume("a", PLACE) == made.id and vertex.list_schedules(PLACE)[0].enabled
    assert vertex.remove("a", PLACE) == ([made.id], []) and not server.schedules
    with pytest.raises(InputError, match="no schedule 'a'; there are: none at all"):
        vertex.pause("a", PLACE)


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        ("PERMISSION_DENIED", InputError, "Vertex AI refuses (403)"),
        ("UNAUTHENTICATED", InputError, "Vertex AI refuses (401)"),
        ("INVALID_ARGUMENT", InputError, "Vertex AI refuses (400)"),
        ("INTERNAL", ServerFault, "Vertex AI fails"),
    ],
)
def test_what_is_said_when_it_refuses(server, file, status, kind, words):
    server.fail("CreatePipelineJob", status)
    with pytest.raises(kind) as error:
        vertex.submit(file, PLACE)
    assert words in str(error.value) and "told to fail" in str(error.value) and "\n" not in str(error.value)


def test_it_is_asked_five_times_at_most(server, file):
    server.fail("ListSchedules", times=5)
    with pytest.raises(ServerFault, match="5 times over"):
        vertex.list_schedules(PLACE)


def test_a_paused_one_that_fires_again_is_said(server, file):
    assert not vertex.schedule(file, PLACE, cron="0 3 * * *").woken
    vertex.pause("darkroom", PLACE)
    done = vertex.schedule(file, PLACE, cron="0 3 * * *")
    assert done.made and done.woken
    assert not vertex.schedule(file, PLACE, cron="0 4 * * *").woken


def test_mistakes_are_found_before_the_library_is_imported(monkeypatch, tmp_path, file):
    def imported():
        raise AssertionError("it takes many seconds")

    monkeypatch.setattr(vertex, "_library", imported)
    elsewhere = write_pipeline(tmp_path, "elsewhere.yaml", defaultPipelineRoot="s3://bucket")
    for mistake in (
        lambda: vertex.submit(elsewhere, PLACE),
        lambda: vertex.submit(file, PLACE, parameters=["colour=red"]),
        lambda: vertex.schedule(elsewhere, PLACE, cron="0 3 * * *"),
        lambda: vertex.schedule(file, PLACE, cron="0 3 * * *", name='"'),
        lambda: vertex.pause('"', PLACE),
    ):
        with pytest.raises(InputError):
            mistake()


@pytest.mark.slow
def test_the_import_says_nothing():
    pytest.importorskip("google.cloud.aiplatform", reason="google-cloud-aiplatform, the extra `vertex`, is not installed")
    code = "from kubeflow.server.vertex import _library; _library().PipelineJob"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_files_that_are_not_for_it(server, tmp_path):
    with pytest.raises(InputError, match="compile it for Vertex AI"):
        vertex.submit(write_pipeline(tmp_path, platform=True), PLACE)
    with pytest.raises(InputError, match="--pipeline-root gs://BUCKET/FOLDER"):
        vertex.submit(write_pipeline(tmp_path, defaultPipelineRoot="s3://bucket"), PLACE)


def test_without_the_library(monkeypatch, file):
    monkeypatch.setitem(sys.modules, "google.cloud.aiplatform", None)
    monkeypatch.delattr("google.cloud.aiplatform", raising=False)
    with pytest.raises(InputError, match=r"one more package: pip install 'darkroom-tfx\[vertex\]'"):
        vertex.submit(file, PLACE)


def test_without_credentials(server, monkeypatch, file):
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import aiplatform

    def none(*_, **__):
        raise DefaultCredentialsError("nothing found")

    monkeypatch.setattr(google.auth, "default", none)
    monkeypatch.setattr(aiplatform.initializer.global_config, "_credentials", None)
    with pytest.raises(InputError, match="default credentials are missing"):
        vertex.submit(file, PLACE)


def test_the_place():
    assert vertex.find_place("a", "b", {}) == vertex.find_place(
        environment={"GOOGLE_CLOUD_PROJECT": "a", "GOOGLE_CLOUD_REGION": "b"}
    )
    with pytest.raises(InputError, match="--project"):
        vertex.find_place(region="b", environment={})
    with pytest.raises(InputError, match="--region"):
        vertex.find_place(project="a", environment={})


@pytest.mark.parametrize("name", ["7-cats", "c" * 107])
def test_a_name_that_no_job_can_have(tmp_path, name):
    """A job's id begins with the name, and by that the steps know their run."""
    write_judging(tmp_path, "gs://bucket/registry", name)
    with pytest.raises(InputError, match="cannot run on Vertex AI, where jobs have its name.* set cluster.name"):
        vertex.submit(tmp_path / "pipeline.yaml", PLACE)


@pytest.mark.slow
def test_the_runs_id_is_the_one_that_steps_find_in_uris(server, tmp_path):
    from kubeflow.container.records import run_of

    for name in ("darkroom-cats", "c" * 106):
        run = vertex.submit(write_judging(tmp_path, "gs://bucket/registry", name), PLACE)
        assert len(run.run_id) <= 128
        assert run_of(f"gs://bucket/root/123/{run.run_id}/Trainer_456/model", name) == run.run_id


def test_a_run_that_failed_says_which_tasks(server, file):
    run = vertex.submit(file, PLACE)
    (job,) = server.jobs.values()
    job.job_detail.task_details = [{"task_name": "Verdict", "state": "FAILED"}, {"task_name": "Trainer", "state": "SUCCEEDED"}]
    server.job_states = ["PIPELINE_STATE_FAILED"]
    assert vertex.wait_for(run.run_id, PLACE).failed == ("Verdict",)


def test_slugs():
    assert vertex._slug("My Pipeline: cats!") == "my-pipeline--cats" and vertex._slug("7 cats") == "run-7-cats"
