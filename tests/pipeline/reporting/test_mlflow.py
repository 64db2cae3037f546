"""Records in MLflow: in a folder by MLflow's small client, and on a server where $DARKROOM_MLFLOW names a whole MLflow."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from common.errors import InputError
from pipeline.config.loading import build_config
from pipeline.reporting.mlflow import NotRecorded, check, evaluated, figures, history, is_folder, parameters, record
from pipeline.verdict.status import Status
from pipeline.verdict.verdict import Verdict
from tests.hook import hook


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """What MLflow is told by the environment is for one test."""
    for name in [name for name in os.environ if name.startswith(("MLFLOW_", "GIT_PYTHON", "DO_NOT_TRACK"))]:
        monkeypatch.delenv(name)
    before = dict(os.environ)
    yield
    for name in set(os.environ) - set(before):
        del os.environ[name]


@pytest.fixture
def run(tmp_path):
    """A run's verdict and folder, and what its Trainer left."""
    model = tmp_path / "artifacts" / "Trainer" / "model" / "7" / "Format-Serving"
    model.mkdir(parents=True)
    (model / "model_card.md").write_text("# cats")
    epochs = tmp_path / "artifacts" / "Trainer" / "model_run" / "7"
    epochs.mkdir(parents=True)
    lines = [
        {"epoch": n, "seconds": 1.5, "train": {"elbo": -30.0 + n, "kl": 1.0}, "eval": {"elbo": -31.0 + n}} for n in range(1, 701)
    ]
    (epochs / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    folder = tmp_path / "runs" / "20260101-000000"
    (folder / "report" / "pictures").mkdir(parents=True)
    (folder / "report" / "index.html").write_text("<html>")
    (folder / "report" / "pictures" / "a.png").write_bytes(b"png")
    verdict = Verdict(run="20260101-000000", title="cats", images="/p", started="2026-01-01T00:00:00+00:00", seconds=60.0)
    verdict.model = {"artifact": str(model), "version": 3}
    verdict.figures, verdict.baseline = {"elbo": -24.5, "kl": float("nan")}, {"elbo": -25.0}
    verdict.quality = {"reason": None, "generated": {"frechet_distance": 14.4, "features": "classifier"}, "prior": None}
    verdict.components = [{"name": "Trainer", "state": "done", "seconds": 20.0}]
    verdict.end(Status.PUSHED)
    verdict.write(folder / "verdict.json")
    return verdict, folder


def config(uri, **more):
    return build_config({"title": "cats", "mlflow": {"tracking_uri": str(uri), **more}, "training": {"epochs": 700}})


def test_which_runs_are_recorded(run):
    verdict, _ = run
    assert evaluated(verdict)
    verdict.components = [{"name": "Trainer", "state": "cached"}, {"name": "ModelGate", "state": "cached"}]
    assert not evaluated(verdict)
    verdict.components[1]["state"] = "done"
    assert evaluated(verdict), "blessed by force, or judged by other bounds"
    verdict.model = {}
    assert not evaluated(verdict)


def test_parameters_are_the_configuration_without_what_is_not_the_runs_own():
    found = parameters(
        build_config({"title": "cats", "notify": {"webhook": "https://h/hush"}, "data": {"label_names": ["x" * 90] * 90}})
    )
    assert found["title"] == "cats" and found["model.latent_dim"] == "16" and found["training.warm_start"] == "false"
    assert found["model.hidden"] == "[512, 512]" and found["evaluation.max_kl"] == "null"
    assert not [name for name in found if name.startswith(("notify", "mlflow", "cluster"))] and "hush" not in str(found)
    assert max(map(len, found.values())) == 500


def test_figures_and_history_are_finite_numbers(run):
    verdict, _ = run
    found = {name: value for name, value, _ in figures(verdict)}
    assert found["elbo"] == -24.5 and found["baseline/elbo"] == -25.0 and found["quality/generated/frechet_distance"] == 14.4
    assert "kl" not in found and "quality/generated/features" not in found
    epochs = list(history(_model(verdict)))
    assert ("eval/elbo", -30.0, 1) in epochs and ("train/elbo", 670.0, 700) in epochs and ("epoch/seconds", 1.5, 700) in epochs


def _model(verdict):
    return Path(verdict.model["artifact"])


def test_a_history_that_is_gone_is_none(run, tmp_path):
    (tmp_path / "artifacts/Trainer/model_run/7/history.jsonl").unlink()
    assert list(history(_model(run[0]))) == []


def test_addresses_of_folders():
    for folder in ("runs", "/a/runs", "~/runs", "file:///a", "./a:b"):
        assert is_folder(folder)
    for other in ("http://h", "https://h", "databricks", "databricks://profile", "sqlite:///x.db", "uc:x"):
        assert not is_folder(other)


def test_what_is_missing_is_said_before_a_run(monkeypatch):
    check(build_config({}))
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(InputError, match=r"pip install 'darkroom-tfx\[mlflow\]'"):
        check(config("http://127.0.0.1:5000"))


def test_a_database_needs_all_of_mlflow(monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setattr("pipeline.reporting.mlflow._installed", lambda name: False)
    check(config("http://127.0.0.1:5000"))
    with pytest.raises(InputError, match="pip install mlflow"):
        check(config("sqlite:///runs.db"))


def test_a_record_in_a_folder(run, tmp_path, capfd):
    mlflow = pytest.importorskip("mlflow")
    verdict, folder = run
    record(config(tmp_path / "mlruns"), verdict, folder)
    assert capfd.readouterr() == ("", "")
    _check_record(mlflow.MlflowClient(tracking_uri=(tmp_path / "mlruns").as_uri()), "cats", verdict)


def _check_record(client, experiment, verdict):
    (found,) = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    assert found.info.status == "FINISHED" and found.info.run_name == verdict.run
    assert (found.info.start_time, found.info.end_time) == (1767225600000, 1767225660000)
    tags = {name: value for name, value in found.data.tags.items() if name.startswith("darkroom")}
    assert tags == {"darkroom.run": verdict.run, "darkroom.outcome": "pushed", "darkroom.version": "3"}
    assert found.data.params["training.epochs"] == "700"
    assert found.data.metrics["elbo"] == -24.5 and found.data.metrics["baseline/elbo"] == -25.0
    steps = client.get_metric_history(found.info.run_id, "eval/elbo")
    assert [(point.step, point.value) for point in steps] == [(n, -31.0 + n) for n in range(1, 701)]
    assert {item.path for item in client.list_artifacts(found.info.run_id)} == {"report", "verdict.json", "model_card.md"}
    inside = client.list_artifacts(found.info.run_id, "report")
    assert {item.path for item in inside} == {"report/index.html", "report/pictures"}


def test_refused_runs_are_finished_ones_and_failed_runs_failed(run, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    verdict, folder = run
    for status, gate in ((Status.REFUSED, "model"), (Status.FAULT, None)):
        verdict.end(status, gate, ["x"])
        record(config(tmp_path / "mlruns", experiment="other"), verdict, folder)
    client = mlflow.MlflowClient(tracking_uri=(tmp_path / "mlruns").as_uri())
    found = client.search_runs([client.get_experiment_by_name("other").experiment_id])
    assert {(r.data.tags["darkroom.outcome"], r.info.status) for r in found} == {("refused", "FINISHED"), ("failed", "FAILED")}


def test_a_server_that_is_not_there(run, monkeypatch, capfd):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("HOOK", "hush-4711")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(NotRecorded, match="refused") as caught:
            record(config(f"http://me:${{HOOK}}@127.0.0.1:{free.getsockname()[1]}"), *run)
    assert "hush" not in str(caught.value) and capfd.readouterr() == ("", "")


def test_servers_that_are_none_of_mlflows_or_do_not_answer(run):
    pytest.importorskip("mlflow")
    with hook() as server, pytest.raises(NotRecorded):
        record(config(server.address), *run)
    with hook(silent=True) as server, pytest.raises(NotRecorded, match="not done within 1 seconds"):
        record(config(server.address), *run, seconds=1)


def test_a_variable_that_is_not_set(run, monkeypatch):
    monkeypatch.delenv("NO_SUCH_URI", raising=False)
    with pytest.raises(InputError, match="NO_SUCH_URI"):
        record(config("${NO_SUCH_URI}"), *run)


@pytest.fixture
def server(tmp_path):
    """A server of the whole MLflow with a database, its address."""
    if "DARKROOM_MLFLOW" not in os.environ:
        pytest.skip("DARKROOM_MLFLOW names no executable of a whole MLflow (pip install mlflow, in an environment of its own)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = f"server --host 127.0.0.1 --port {port} --workers 1"
    words += f" --backend-store-uri sqlite:///{tmp_path}/x.db --artifacts-destination {tmp_path}/kept"
    with (tmp_path / "server.txt").open("w") as log:
        process = subprocess.Popen([os.environ["DARKROOM_MLFLOW"], *words.split()], stdout=log, stderr=log, start_new_session=True)
    try:
        for _ in range(240):
            assert process.poll() is None, (tmp_path / "server.txt").read_text()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


@pytest.mark.slow
def test_a_record_on_a_server_with_a_database(run, server):
    mlflow = pytest.importorskip("mlflow")
    verdict, folder = run
    record(config(server, experiment="cats and dogs"), verdict, folder)
    _check_record(mlflow.MlflowClient(tracking_uri=server), "cats and dogs", verdict)
