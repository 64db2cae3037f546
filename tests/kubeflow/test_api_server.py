"""The stand-in is fit to test with: its paths are the published ones, kfp's own client can use it, and it refuses what is wrong."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
import warnings

import pytest

from tests.kubeflow.api_schema import ENDPOINTS, faults
from tests.kubeflow.api_server import TOKEN, api_server
from tests.kubeflow.published import RELEASES, ROOT, published, usable
from tests.kubeflow.tiny_pipeline import DEFAULTS, write_pipeline

# What may be asked for besides in 2.17; nothing here does.
NEWER_QUERY = {
    "upload_pipeline": {"display_name", "tags"},
    "upload_pipeline_version": {"display_name", "tags"},
    "create_run": {"experiment_id"},
    "delete_recurring_run": {"propagation_policy"},
}


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", ENDPOINTS)
def test_an_endpoint_is_the_published_one(name, release):
    endpoint, method = ENDPOINTS[name], published(usable(release))["methods"][name]
    assert (endpoint.method, endpoint.path, endpoint.upload) == (method["verb"], method["path"], method["upload"])
    assert (endpoint.answers or "object", endpoint.takes) == (method["answers"], method["takes"])
    more = NEWER_QUERY.get(name, set()) if release == "2.17" else set()
    assert set(endpoint.query) | more == set(method["query"])


@pytest.mark.parametrize("release", RELEASES)
def test_the_releases_are_the_locked_ones(release):
    lock = {"2.0": "1.16/lock.txt", "2.17": "kfp.txt"}[release]
    locked = re.search(r"^kfp-server-api==(\S+)", (ROOT / "requirements" / lock).read_text(), re.MULTILINE)[1]
    assert published(usable(release))["version"] == locked and locked.startswith(f"{release}.")


def test_the_schemas_of_both_releases_differ():
    new = {
        "display_name": "a",
        "plugins_output": {"mlflow": {"state": "PLUGIN_RUNNING"}},
        "error": {"details": [{"@type": "a", "b": 1}]},
    }
    assert not faults("V2beta1Run", new, release=usable("2.17"))
    assert faults("V2beta1Run", {**new, "plugins_output": {"mlflow": {"state": "HAPPY"}}}, release="2.17")
    if "2.0" in RELEASES:
        assert [each for each in faults("V2beta1Run", new, release="2.0") if "plugins_output" in each]


def test_the_schema_refuses():
    assert not faults("V2beta1Run", {"display_name": "a", "state": "RUNNING", "created_at": "2026-01-01T00:00:00Z"})
    for wrong in (
        {"name": "a"},
        {"state": "HAPPY"},
        {"display_name": 1},
        {"created_at": "today"},
        {"runtime_config": {"root": "a"}},
    ):
        assert faults("V2beta1Run", wrong), wrong
    assert faults("V2beta1Run", {}, needs=("display_name",))
    assert not faults("V2beta1RecurringRun", {"max_concurrency": "1"}) and faults("V2beta1RecurringRun", {"max_concurrency": "one"})
    assert faults(None, {"anything": 1}) and not faults(None, {})


def send(server, method, path, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{server.url}/apis/v2beta1/{path}", data, {"Content-Type": "application/json", **headers})
    request.get_method = lambda: method
    try:
        return urllib.request.urlopen(request, timeout=10).status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_the_stand_in_refuses_what_the_api_does_not_know():
    with api_server(token=TOKEN) as server:
        known = {"Authorization": f"Bearer {TOKEN}"}
        assert send(server, "GET", "pipelines") == 401
        assert send(server, "GET", "pipelines", **known) == 200
        wrong = [
            ("GET", "pipelines?colour=red", None, known),
            ("GET", "pipes", None, known),
            ("PUT", "pipelines", {"display_name": "a"}, known),
            ("POST", "experiments", {"name": "a"}, known),
            ("POST", "experiments", {"display_name": "a"}, {**known, "Content-Type": "text/plain"}),
            ("POST", "runs", {"display_name": "a"}, known),
            ("POST", "pipelines/upload_version?pipelineid=1", {"a": 1}, known),
            ("GET", "runs?filter=red", None, known),
        ]
        for method, path, body, headers in wrong:
            assert send(server, method, path, body, **headers) in (400, 404), path
        assert len(server.problems) == len(wrong)
        server.problems.clear()


def test_kfps_own_client_can_use_the_stand_in(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    import kfp
    import kfp_server_api

    monkeypatch.setattr(kfp.Client, "_LOCAL_KFP_CONTEXT", str(tmp_path / "context.json"))
    file = str(write_pipeline(tmp_path))
    with api_server() as server, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = kfp.Client(host=server.url)
        pipeline = client.upload_pipeline(file, pipeline_name="darkroom")
        assert client.get_pipeline_id("darkroom") == pipeline.pipeline_id
        version = client.upload_pipeline_version(file, "second", pipeline_id=pipeline.pipeline_id)
        with pytest.raises(kfp_server_api.ApiException) as again:
            client.upload_pipeline_version(file, "second", pipeline_id=pipeline.pipeline_id)
        assert again.value.status == 409
        experiment = client.create_experiment("one")
        assert client.create_experiment("one").experiment_id == experiment.experiment_id
        ids = {
            "experiment_id": experiment.experiment_id,
            "pipeline_id": pipeline.pipeline_id,
            "version_id": version.pipeline_version_id,
        }
        with pytest.raises(kfp_server_api.ApiException, match="parameters are missing"):
            client.run_pipeline(job_name="a run", **ids)
        run = client.run_pipeline(job_name="a run", params=DEFAULTS, **ids)
        assert client.wait_for_run_completion(run.run_id, 10).state == "SUCCEEDED"
        made = client.create_recurring_run(
            job_name="nightly", cron_expression="0 0 3 * * *", no_catchup=True, max_concurrency=1, params=DEFAULTS, **ids
        )
        client.disable_recurring_run(made.recurring_run_id)
        assert client.get_recurring_run(made.recurring_run_id).status == "DISABLED"
        client.delete_recurring_run(made.recurring_run_id)
        assert not client.list_recurring_runs(experiment_id=experiment.experiment_id).recurring_runs
