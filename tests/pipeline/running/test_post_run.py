"""What is done after a run, and that none of it can do harm."""

import sys

import pytest

from common.errors import InputError
from pipeline.config.loading import build_config
from pipeline.reporting.prometheus import FILE, LOOKED
from pipeline.running import post_run as module
from pipeline.running.post_run import after_run, looked, never_began, renew_metrics
from pipeline.running.request import Request
from pipeline.verdict.status import Status
from pipeline.verdict.verdict import Verdict
from pipeline.workspace.layout import Workspace
from tests.hook import hook

SECRET = "hush-4711"


@pytest.fixture
def workspace(tmp_path):
    made = Workspace.create(tmp_path / "cats")
    made.run("r").mkdir(parents=True)
    return made


def after(workspace, status=Status.PUSHED, **sections):
    verdict = Verdict(run="r", title="cats", images="/p", started="2026-01-01T00:00:00+00:00")
    verdict.end(status, None, [])
    verdict.write(workspace.run("r") / "verdict.json")
    return after_run(Request("/p", build_config(sections), workspace.root), workspace, verdict)


def test_metrics_are_written_and_nothing_else_where_nothing_is_asked_for(workspace):
    assert after(workspace) == []
    assert {path.name for path in workspace.root.iterdir()} == {"runs", FILE}


@pytest.mark.parametrize("status", [Status.PUSHED, Status.REFUSED, Status.FAULT, Status.MISTAKE])
def test_each_outcome_is_told_unless_it_is_left_out(workspace, tmp_path, status):
    marker = tmp_path / "told"
    with hook() as server:
        notify = {"webhook": f"{server.address}/x", "command": f"touch '{marker}'"}
        assert after(workspace, status, notify=notify) == []
        assert [body["outcome"] for *_, body in server.received] == [status.word] and marker.exists()
        marker.unlink()
        others = [word for word in ("pushed", "refused", "failed", "invalid") if word != status.word]
        assert after(workspace, status, notify={**notify, "on": others}) == []
        assert len(server.received) == 1 and not marker.exists()


def test_an_interrupted_run_leaves_metrics_and_tells_nobody(workspace):
    with hook() as server:
        assert after(workspace, Status.INTERRUPTED, notify={"webhook": server.address, "command": "false"}) == []
    assert not server.received
    assert 'run_outcome{outcome="interrupted",work="cats"} 1.0' in (workspace.root / FILE).read_text()


def test_each_failure_is_one_line_and_stops_no_other(workspace):
    (workspace.root / FILE).mkdir()
    with hook(status=500) as server:
        warnings = after(workspace, notify={"webhook": f"{server.address}/{SECRET}", "command": "false"})
        assert len(server.received) == 1
    assert [warning.partition(":")[0] for warning in warnings] == [
        "metrics.prom was not written",
        "notify.command failed",
        "the verdict was not posted to notify.webhook",
    ]
    assert SECRET not in str(warnings) and not any("\n" in warning for warning in warnings)


def test_ctrl_c_ends_the_step_and_not_the_run(workspace, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "post_verdict", interrupted)
    (warning,) = after(workspace, notify={"webhook": "https://h.example/x"})
    assert "interrupted" in warning


def test_what_nobody_thought_of_is_a_warning_without_its_words(workspace, monkeypatch):
    def fails(*_):
        raise ZeroDivisionError(SECRET)

    monkeypatch.setattr(module, "post_verdict", fails)
    assert after(workspace, notify={"webhook": "https://h.example/x"}) == [
        "the verdict was not posted to notify.webhook: ZeroDivisionError"
    ]


def test_mlflow_is_told_of_runs_that_judged_a_model_alone(workspace):
    assert after(workspace, mlflow={"tracking_uri": "http://127.0.0.1:9"}) == []


def test_a_run_that_never_began(tmp_path):
    script = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"
    notify = build_config({"notify": {"command": [sys.executable, "-c", script, str(tmp_path / "told")]}}).notify
    assert never_began(InputError("no pictures"), notify, "cats", "/p") == []
    assert '"status": 2, "outcome": "invalid"' in (tmp_path / "told").read_text()
    assert never_began(PermissionError(13, "Permission denied"), notify, "cats", "/p") == []
    text = (tmp_path / "told").read_text()
    assert '"status": 1, "outcome": "failed"' in text and "PermissionError" in text


def test_looking_is_remembered(workspace):
    looked(workspace)
    assert (workspace.root / LOOKED).exists() and renew_metrics(workspace) == []
    assert "retrain_looked" in (workspace.root / FILE).read_text()
    (workspace.root / FILE).unlink()
    (workspace.root / FILE).mkdir()
    (warning,) = renew_metrics(workspace)
    assert warning == "metrics.prom was not written: Is a directory"
