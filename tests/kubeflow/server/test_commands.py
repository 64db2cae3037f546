"""`darkroom submit` and `darkroom schedule` as they are typed: what they print, and their exit statuses."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from kubeflow.server import commands, connection, submission
from kubeflow.server.connection import Retry
from pipeline.cli.group import Group
from pipeline.verdict.status import Status
from pipeline.verdict.verdict import Verdict
from tests.emulators.s3 import s3_server
from tests.kubeflow.api_server import TOKEN, api_server
from tests.kubeflow.published import RELEASES, usable
from tests.kubeflow.tiny_pipeline import SPEC, write_judging, write_pipeline
from tests.project import darkroom

VARIABLES = ("KFP_HOST", "KFP_NAMESPACE", "KFP_TOKEN", "KFP_TOKEN_FILE", "KFP_IAP_CLIENT_ID", "KUBERNETES_SERVICE_HOST")


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch):
    for name in (*VARIABLES, "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_REGION", "DARKROOM_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)
    connect = connection.connect
    monkeypatch.setattr(connection, "connect", lambda host, namespace: connect(host, namespace, retry=Retry(sleep=lambda _: None)))
    monkeypatch.setitem(connection.poll.__kwdefaults__, "sleep", lambda _: None)


@pytest.fixture(params=RELEASES)
def server(request, monkeypatch):
    with api_server(release=usable(request.param), token=TOKEN) as running:
        monkeypatch.setenv("KFP_HOST", running.url)
        monkeypatch.setenv("KFP_TOKEN", TOKEN)
        yield running


@pytest.fixture
def file(tmp_path):
    return str(write_pipeline(tmp_path))


REASONS = ["ELBO is 2.38 nats worse than the last blessed model's; 0.60 is allowed", "KL divergence is 0.02 nats"] * 2


def leave_verdict(folder, run, status, gate=None, reasons=None):
    """What the last step of a run leaves in its registry."""
    verdict = Verdict(run=run, title="cats", images="s3://bucket/cats", started="2026-01-01T00:00:00+00:00")
    verdict.end(status, gate, reasons)
    place = folder / "registry/runs" / run
    place.mkdir(parents=True, exist_ok=True)
    verdict.write(place / "verdict.json")


def typed(*words):
    """Runs a command of a group that is like `darkroom`; (status, what was printed, the complaint)."""
    group = Group("darkroom", commands={command.name: command for command in commands.COMMANDS})
    done = CliRunner().invoke(group, words)
    assert TOKEN not in done.output
    return done.exit_code, done.stdout, done.stderr


def mistake(*words):
    status, out, complaint = typed(*words)
    (line,) = complaint.splitlines()
    assert (status, out) == (2, "") and line.startswith("invalid: ") and len(line) < 200
    return complaint


def test_submit(server, file):
    status, out, complaint = typed("submit", file, "--parameter", "epochs=3", "--run-name", "the first", "--experiment", "cats")
    assert (status, complaint) == (0, "")
    (run,) = server.runs.values()
    version = next(iter(server.versions.values()))["display_name"]
    assert out == (
        f"version: {version} (uploaded)\nrun: {run['run_id']}\nurl: {server.url}/#/runs/details/{run['run_id']}\n"
        "root: gs://bucket/root\n"
    )
    assert run["runtime_config"]["parameters"]["epochs"] == 3 and run["display_name"] == "the first"
    assert "(was there)" in typed("submit", file, "--host", server.url)[1]


def test_results_as_json(server, file):
    server.run_states = ["RUNNING", "SUCCEEDED"]
    status, out, complaint = typed("submit", file, "--wait", "--json")
    submitted = json.loads(out)
    assert (status, submitted["run_id"]) == (0, next(iter(server.runs))) and submitted["version"]["uploaded"]
    assert complaint == "state: running\nstate: succeeded\n"
    scheduled = json.loads(typed("schedule", file, "--cron", "0 3 * * *", "--name", "nightly", "--json")[1])
    (listed,) = json.loads(typed("schedule", "--list", "--json")[1])["schedules"]
    assert (listed["name"], listed["id"], scheduled["made"]) == ("nightly", scheduled["id"], True)
    assert json.loads(typed("schedule", "--remove", "nightly", "--json")[1]) == {"removed": "nightly"}


def test_submit_and_wait(server, file):
    server.run_states = ["RUNNING", "SUCCEEDED"]
    status, out, _ = typed("submit", file, "--wait")
    assert status == 0 and out.endswith("state: running\nstate: succeeded\n")
    server.run_states, server.run_error = ["RUNNING", "FAILED"], "no room"
    status, out, complaint = typed("submit", file, "--wait")
    assert status == 1 and complaint.startswith("failed: the run ended FAILED, no room: http://")


@pytest.mark.parametrize("state", ["SUCCEEDED", "FAILED"])
@pytest.mark.parametrize(("verdict", "word", "status"), [(Status.REFUSED, "refused", 3), (Status.MISTAKE, "invalid", 2)])
def test_a_wait_ends_as_the_verdict_says(server, tmp_path, state, verdict, word, status):
    file = str(write_judging(tmp_path, str(tmp_path / "registry")))
    server.run_states, server.on_end = ["RUNNING", state], lambda run: leave_verdict(tmp_path, run, verdict, "model", REASONS)
    found, out, complaint = typed("submit", file, "--wait")
    (line,) = complaint.splitlines()
    (run,) = server.runs
    place = f"{tmp_path}/registry/runs/{run}/verdict.json"
    assert found == status and out.endswith(f"state: {state.lower()}\nverdict: {word}, {place}\n")
    assert line.startswith(f"{word}: model gate: ELBO is 2.38 nats worse") and len(line) < 200


@pytest.mark.slow
def test_a_wait_by_a_process_of_its_own_says_nothing_else(tmp_path):
    """The clients of stores and clouds warn in many lines."""
    with api_server() as server, s3_server("bucket") as (client, environment):
        verdict = Verdict(run="", title="cats", images="s3://bucket/pictures", started="2026-01-02T03:04:05")
        verdict.end(Status.REFUSED, "data", ["12 of 40 pictures are black"])
        body = verdict.to_json().encode()
        server.on_end = lambda run: client.put_object(Bucket="bucket", Key=f"cats/runs/{run}/verdict.json", Body=body)
        file = write_judging(tmp_path, "s3://bucket/cats")
        done = darkroom("submit", file, "--host", server.url, "--wait", fresh=True, **environment)
        (run,) = server.runs
        assert (done.status, done.out.splitlines()[-1]) == (3, f"verdict: refused, s3://bucket/cats/runs/{run}/verdict.json")
        assert done.err.startswith("refused: data gate: 12 of 40 pictures are black (see s3://") and done.err.count("\n") == 1


def test_a_wait_for_a_push(server, tmp_path):
    file = str(write_judging(tmp_path, str(tmp_path / "registry")))
    server.on_end = lambda run: leave_verdict(tmp_path, run, Status.PUSHED)
    status, out, complaint = typed("submit", file, "--wait")
    assert (status, complaint) == (0, "") and "state: succeeded\nverdict: pushed, /" in out


@pytest.mark.parametrize(("failed", "status", "word"), [("Verdict", 3, "refused"), ("Trainer", 1, "failed")])
def test_a_wait_where_the_registry_is_out_of_reach(server, tmp_path, failed, status, word):
    file = str(write_judging(tmp_path, "/mnt/of-the-cluster/registry"))
    server.run_states, server.failed_tasks = ["FAILED"], ("tfx-dag", failed)
    found, out, complaint = typed("submit", file, "--wait")
    note, line = out.splitlines()[-1], complaint.rstrip("\n")
    assert found == status and line.startswith(f"{word}: ") and failed in line and len(line) < 200
    assert note.startswith("verdict: cannot be read from here, so the run's state decides: /mnt/of-") and len(note) < 200


def test_a_wait_that_nobody_answers_says_that_the_run_goes_on(server, file, monkeypatch):
    monkeypatch.setitem(connection.poll.__kwdefaults__, "patience", 0)
    server.fail("get_run", 503, times=99)
    status, out, complaint = typed("submit", file, "--wait")
    (run,) = server.runs
    assert status == 1 and "run: " in out and complaint.count("\n") == 1
    assert complaint.endswith(f"no longer waiting, the run goes on: {server.url}/#/runs/details/{run}\n")


def test_a_file_that_cannot_run_there_is_refused_before_anything_is_asked(server, tmp_path):
    resolving = {"executors": {"exec-one": {"resolver": {}}}}
    for_vertex = str(write_pipeline(tmp_path, "v.yaml", deploymentSpec=resolving))
    for words in (["submit", for_vertex], ["schedule", for_vertex, "--cron", "@daily"]):
        complaint = mistake(*words)
        assert "v.yaml cannot run there: exec-one" in complaint
        assert "`darkroom lint " in complaint
    with_platform = str(write_pipeline(tmp_path, "k.yaml", platform=True))
    place = ("--target", "vertex", "--project", "p", "--region", "r")
    assert "`darkroom lint " in mistake("submit", with_platform, *place)
    assert not server.requests


def test_a_default_that_is_lost_on_the_way_is_made_up_for(server, tmp_path):
    root = {**SPEC["root"], "inputDefinitions": {"parameters": {"epochs": {"parameterType": "NUMBER_INTEGER"}}}}
    file = str(write_pipeline(tmp_path, root=root))
    assert "no default for epochs" in mistake("submit", file)
    assert typed("submit", file, "--parameter", "epochs=3")[0] == 0


def test_ctrl_c_while_waiting_leaves_the_run_alone(server, file, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(submission, "wait_for", interrupt)
    status, _, complaint = typed("submit", file, "--wait")
    assert status == 130 and "the run goes on: http://" in complaint


def test_a_server_that_fails_is_no_mistake_of_the_users(server, file):
    server.fail("create_run", 500)
    status, _, complaint = typed("submit", file)
    assert status == 1 and complaint.startswith("failed: ") and "told to fail" in complaint


def test_a_day_with_schedules(server, file):
    status, out, _ = typed("schedule", file, "--cron", "0 3 * * MON-FRI", "--name", "nightly")
    assert status == 0 and re.search(
        r"version: \w{12} \(uploaded\)\nroot: gs://bucket/root\nscheduled: nightly, 0 0 3 \* \* 1-5 \([-\w]+\)\n$", out
    )
    assert "nothing to do: nightly is there already" in typed("schedule", file, "--cron", "0 3 * * 1-5", "--name", "nightly")[1]
    status, out, _ = typed("schedule", file, "--every", "6h", "--name", "nightly")
    assert status == 0 and "scheduled: nightly, every 6h" in out and "removed: the older " in out
    status, out, _ = typed("schedule", "--list")
    assert status == 0 and re.match(r"nightly: every 6h, enabled, version \w{12}\n    id [-\w]+\n$", out)
    assert typed("schedule", "--pause", "nightly")[:2] == (0, "paused: nightly\n")
    assert "paused" in typed("schedule", "--list")[1]
    assert (
        typed("schedule", file, "--every", "6h", "--name", "nightly")[1].count(
            "resumed: nightly had been paused, and fires again\n"
        )
        == 1
    )
    assert typed("schedule", "--pause", "nightly")[0] == 0
    assert typed("schedule", "--resume", "nightly")[:2] == (0, "resumed: nightly\n")
    assert typed("schedule", "--remove", "nightly")[:2] == (0, "removed: nightly\n")
    assert typed("schedule", "--list")[:2] == (0, "there are no schedules\n")
    assert "there is no schedule 'nightly'; there are: none at all" in mistake("schedule", "--pause", "nightly")


def test_the_list_shows_both_crons(server, file):
    typed("schedule", file, "--cron", "@daily")
    assert "darkroom: 0 0 * * *, enabled, version" in (out := typed("schedule", "--list")[1]) and "cron 0 0 0 * * *, id" in out


def test_what_is_left_ends_with_status_1(server, file):
    typed("schedule", file, "--cron", "0 3 * * *")
    (old,) = server.recurring
    server.fail("disable_recurring_run", 500)
    status, out, complaint = typed("schedule", file, "--cron", "0 4 * * *")
    assert status == 1 and "scheduled: darkroom" in out and f"{old} STILL FIRES" in complaint


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["schedule"], "say what: FILE.yaml with --cron or --every"),
        (["schedule", "FILE"], "say either --cron '0 3 * * *' or --every 6h"),
        (["schedule", "FILE", "--cron", "0 3 * * *", "--every", "6h"], "say either"),
        (["schedule", "FILE", "--list"], "--list and FILE.yaml do not go together"),
        (["schedule", "--pause", "a", "--resume", "a"], "--pause and --resume do not go together"),
        (["schedule", "--list", "--cron", "0 3 * * *"], "--cron belongs to FILE.yaml, not to --list"),
        (["schedule", "--pause", "a", "--parameter", "a=1"], "--parameter belongs to FILE.yaml"),
        (["schedule", "--remove", "a", "--pipeline-root", "b"], "--pipeline-root belongs to FILE.yaml"),
        (["schedule", "--pause", ""], "--pause needs a schedule's name"),
        (["schedule", "FILE", "--cron", "0 0 3 * * *"], "6 fields, not five"),
        (
            ["schedule", "FILE", "--cron", "0 3 * * *", "--timezone", "Europe/Berlin"],
            "Kubeflow Pipelines schedules use the controller's time zone",
        ),
        (["schedule", "FILE", "--every", "10s"], "is no interval"),
        (["schedule", "FILE", "--cron", "0 3 * * *", "--parameter", "colour=red"], "has no parameters colour"),
        (["schedule", "none.yaml", "--cron", "0 3 * * *"], "cannot read none.yaml"),
        (["submit"], "Missing argument 'FILE.yaml'"),
        (["submit", "FILE", "--project", "a", "--region", "b"], "--project, --region has no meaning with --target kfp"),
        (["submit", "FILE", "--target", "vertex", "--host", "a"], "--host has no meaning with --target vertex"),
        (["submit", "FILE", "--target", "vertex"], "Vertex AI needs a project"),
        (["submit", "FILE", "--target", "vertex", "--project", "a"], "Vertex AI needs a region"),
        (["submit", "FILE", "--target", "elsewhere"], "'elsewhere' is not one of"),
        (["submit", "FILE"], "no server is named"),
        (["schedule", "--list"], "no server is named"),
    ],
)
def test_mistakes_are_one_line_and_status_2(file, words, said):
    assert said in mistake(*[file if word == "FILE" else word for word in words])


def test_help_teaches_by_example():
    for command in commands.COMMANDS:
        done = CliRunner().invoke(command, ["--help"])
        assert done.exit_code == 0 and done.output.count(f"darkroom {command.name} ") >= 3
