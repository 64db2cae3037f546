"""Runs, by a client contract test: what is uploaded once, what each run is given, and that a lost answer makes no second one."""

from __future__ import annotations

import json

import pytest
import yaml

from common.errors import InputError
from kubeflow.compile.packages import fill_parameters, read_package
from kubeflow.server.connection import ServerFault, Unavailable
from kubeflow.server.submission import submit, wait_for
from tests.kubeflow.api_server import api_server
from tests.kubeflow.published import RELEASES, usable
from tests.kubeflow.tiny_pipeline import DEFAULTS, SPEC, connected, quick_retry, write_pipeline

CREATES = ("create_pipeline", "upload_pipeline_version", "create_experiment", "create_run")


@pytest.fixture(params=RELEASES)
def server(request):
    with api_server(release=usable(request.param)) as running:
        yield running


def counts(server):
    return len(server.pipelines), len(server.versions), len(server.experiments), len(server.runs)


def test_a_run_has_every_parameter_and_what_was_asked_for(server, tmp_path):
    given = ["epochs=7", "rate=1e-4", "images=a=b", "cached=FALSE", 'labels=["dog", 1]', 'more={"seed": 2}']
    done = submit(
        write_pipeline(tmp_path),
        connected(server),
        parameters=given,
        experiment="cats",
        pipeline_root="s3://bucket/root",
        run_name="the first",
        service_account="runner",
    )
    (run,) = server.runs.values()
    assert run["runtime_config"] == {
        "parameters": {"epochs": 7, "rate": 1e-4, "images": "a=b", "cached": False, "labels": ["dog", 1], "more": {"seed": 2}},
        "pipeline_root": "s3://bucket/root",
    }
    assert (run["display_name"], run["service_account"], done.run_id) == ("the first", "runner", run["run_id"])
    assert done.url == f"{server.url}/#/runs/details/{run['run_id']}"
    assert server.experiments[run["experiment_id"]]["display_name"] == "cats"
    assert "pipeline_spec" not in run  # it names the version, and so leaves caching as the file has it
    (version,) = server.versions.values()
    assert version["pipeline_spec"] == SPEC
    assert run["pipeline_version_reference"] == {key: version[key] for key in ("pipeline_id", "pipeline_version_id")}


def test_without_more_the_file_decides(server, tmp_path):
    """Of the file no server reads the root by itself: it is sent."""
    done = submit(write_pipeline(tmp_path), connected(server))
    (run,) = server.runs.values()
    assert run["runtime_config"] == {"parameters": DEFAULTS, "pipeline_root": "gs://bucket/root"}
    assert done.root == "gs://bucket/root"
    assert type(run["runtime_config"]["parameters"]["epochs"]) is int
    assert "service_account" not in run and run["display_name"].startswith("darkroom 20")


def test_without_any_root_the_server_decides(server, tmp_path):
    done = submit(write_pipeline(tmp_path, defaultPipelineRoot=""), connected(server))
    (run,) = server.runs.values()
    assert run["runtime_config"] == {"parameters": DEFAULTS} and done.root == ""


def test_the_same_contents_are_uploaded_once(server, tmp_path):
    first = submit(write_pipeline(tmp_path), connected(server))
    laid_out = tmp_path / "other.yaml"
    laid_out.write_text("# the same\n" + json.dumps(dict(reversed(SPEC.items())), indent=4))
    second = submit(laid_out, connected(server))
    assert (first.version.uploaded, second.version.uploaded) == (True, False)
    assert first.version.version_id == second.version.version_id and len(first.version.name) == 12
    third = submit(write_pipeline(tmp_path, sdkVersion="kfp-2.5.1"), connected(server))
    assert third.version.name != first.version.name
    assert counts(server) == (1, 2, 1, 3)


def test_a_platforms_document_goes_along(server, tmp_path):
    plain, with_platform = write_pipeline(tmp_path), write_pipeline(tmp_path, "other.yaml", platform=True)
    assert read_package(plain).version != read_package(with_platform).version
    submit(with_platform, connected(server))
    (version,) = server.versions.values()
    assert set(version["pipeline_spec"]) == {"pipeline_spec", "platform_spec"}


@pytest.mark.parametrize("release", RELEASES)
def test_a_namespace_goes_with_what_is_made(tmp_path, release):
    with api_server(release=usable(release), multi_user=True) as server:
        submit(write_pipeline(tmp_path), connected(server, "team-a"))
        submit(write_pipeline(tmp_path), connected(server, "team-b"))
        assert counts(server) == (2, 2, 2, 2)
        assert {each["namespace"] for each in (*server.pipelines.values(), *server.experiments.values())} == {"team-a", "team-b"}


@pytest.mark.parametrize("endpoint", CREATES)
@pytest.mark.parametrize("status", [0, 503])
def test_a_lost_answer_makes_no_second_one(server, tmp_path, endpoint, status):
    """The work is done, and then the connection drops or a proxy says 503."""
    server.fail(endpoint, status, after=True)
    done = submit(write_pipeline(tmp_path), connected(server), run_name="a name")
    assert counts(server) == (1, 1, 1, 1) and server.asked(endpoint) == 1
    assert done.run_id in server.runs


@pytest.mark.parametrize("endpoint", [*CREATES, "list_pipelines", "list_pipeline_versions", "list_experiments"])
def test_a_server_that_comes_back(server, tmp_path, endpoint):
    server.fail(endpoint, 502, times=2)
    submit(write_pipeline(tmp_path), connected(server))
    assert counts(server) == (1, 1, 1, 1)


def test_a_run_of_the_same_name_is_not_taken_for_the_lost_one(server, tmp_path):
    file = write_pipeline(tmp_path)
    first = submit(file, connected(server), run_name="a name")
    server.fail("create_run", 503)  # before the work: it has to be made all the same
    second = submit(file, connected(server), run_name="a name")
    assert first.run_id != second.run_id and len(server.runs) == 2


def test_a_server_that_stays_away(server, tmp_path):
    server.fail("create_run", 503, times=99)
    with pytest.raises(ServerFault, match="answers 503"):
        submit(write_pipeline(tmp_path), connected(server))
    assert server.asked("create_run") == 5 and not server.runs


@pytest.mark.parametrize("endpoint", ["create_pipeline", "upload_pipeline_version", "create_experiment"])
def test_another_was_quicker(server, tmp_path, monkeypatch, endpoint):
    """Between the look and the making somebody else makes it: the server answers 409, and theirs is taken."""
    from tests.kubeflow import api_state as stand_in

    work = stand_in.WORK[endpoint]

    def beaten(state, given, **more):
        monkeypatch.setitem(stand_in.WORK, endpoint, work)
        work(state, dict(given) if isinstance(given, dict) else given, **more)
        return work(state, given, **more)

    monkeypatch.setitem(stand_in.WORK, endpoint, beaten)
    submit(write_pipeline(tmp_path), connected(server))
    assert counts(server) == (1, 1, 1, 1)


def test_a_name_that_differs_in_capitals_only(server, tmp_path):
    submit(write_pipeline(tmp_path, pipelineInfo={"name": "Darkroom"}), connected(server))
    with pytest.raises(InputError, match="already exists"):
        submit(write_pipeline(tmp_path), connected(server))


@pytest.mark.parametrize("renamed", ["pipelines", "versions"])
def test_what_somebody_has_renamed_is_found_by_its_own_name(tmp_path, renamed):
    """In the user interface of newer servers, which keep the name that it was made by and refuse that a second time."""
    with api_server(release=usable("2.17")) as server:
        file = write_pipeline(tmp_path)
        first = submit(file, connected(server)).version
        (made,) = getattr(server, renamed).values()
        made["display_name"] = "Cats, by night"
        second = submit(file, connected(server)).version
        assert (second.pipeline_id, second.version_id) == (first.pipeline_id, first.version_id)
        assert counts(server) == (1, 1, 1, 2)


def test_an_experiments_name_that_no_server_keeps(server, tmp_path):
    with pytest.raises(InputError, match="--experiment takes 129 bytes, at most 128 are kept"):
        submit(write_pipeline(tmp_path), connected(server), experiment="c" * 129)
    assert not server.experiments


def test_what_the_server_refuses_is_one_line(server, tmp_path):
    file = write_pipeline(tmp_path)
    connection = connected(server)
    submit(file, connection)
    server.experiments.clear()
    server.versions.clear()
    submit(file, connection)  # all is looked up anew
    with pytest.raises(InputError, match=r"refuses \(404\): there is no run 'none'"):
        wait_for(connection, "none")


def test_waiting_tells_each_state_once(server, tmp_path):
    server.run_states = ["PENDING", "RUNNING", "RUNNING", "SUCCEEDED"]
    connection = connected(server)
    run = submit(write_pipeline(tmp_path), connection)
    slept, states = [], []
    ending = wait_for(connection, run.run_id, pause=7, sleep=slept.append, tell=states.append)
    assert ending.well and slept == [7, 7, 7] and states == ["PENDING", "RUNNING", "SUCCEEDED"]


def test_the_tasks_that_failed_are_told(server, tmp_path):
    server.run_states, server.failed_tasks = ["RUNNING", "FAILED"], ("one",)
    connection = connected(server)
    ending = wait_for(connection, submit(write_pipeline(tmp_path), connection).run_id, sleep=lambda _: None)
    assert ending.failed == ("darkroom-x7k2p", "executor", "executor(0)", "one", "root")
    assert ending.why == "failed: darkroom-x7k2p, executor, executor(0), one, root"


@pytest.mark.parametrize(("state", "error", "why"), [("FAILED", "out of\nmemory", "out of memory"), ("CANCELED", "", "")])
def test_waiting_for_a_bad_end(server, tmp_path, state, error, why):
    server.run_states, server.run_error = ["RUNNING", state], error
    connection = connected(server)
    slept = iter(range(3))  # not for ever
    ending = wait_for(connection, submit(write_pipeline(tmp_path), connection).run_id, sleep=lambda _: next(slept))
    assert (ending.well, ending.state, ending.why) == (False, state, why)


def test_waiting_outlasts_a_short_absence(server, tmp_path):
    connection = connected(server)
    run = submit(write_pipeline(tmp_path), connection)
    server.fail("get_run", 503, times=3)
    assert wait_for(connection, run.run_id).well


class Clock:
    """A time that passes only where one waits."""

    def __init__(self):
        self.now = 0.0

    def sleep(self, seconds):
        self.now += seconds

    def __call__(self):
        return self.now


def test_waiting_outlasts_an_absence_of_minutes(server, tmp_path):
    connection, clock, states = connected(server), Clock(), []
    run = submit(write_pipeline(tmp_path), connection)
    server.run_states = ["RUNNING", "SUCCEEDED"]
    server.fail("get_run", 503, times=5 * 50)  # 50 looks of 5 tries: 500 seconds
    assert wait_for(connection, run.run_id, sleep=clock.sleep, clock=clock, tell=states.append).well
    assert states == ["RUNNING", "SUCCEEDED"] and clock.now == 510


def test_waiting_ends_where_nobody_answers_for_long(server, tmp_path):
    connection, clock = connected(server), Clock()
    run = submit(write_pipeline(tmp_path), connection)
    server.fail("get_run", 503, times=10**6)
    with pytest.raises(Unavailable, match="answers 503 .*, 5 times over, and nobody has answered for 10 minutes"):
        wait_for(connection, run.run_id, sleep=clock.sleep, clock=clock)
    assert clock.now == 600


def test_waiting_ends_at_once_where_the_server_says_that_it_fails(server, tmp_path):
    connection = connected(server)
    run = submit(write_pipeline(tmp_path), connection)
    server.fail("get_run", 500)
    with pytest.raises(ServerFault, match="told to fail"):
        wait_for(connection, run.run_id, sleep=lambda _: pytest.fail("it waits"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["epoch=1", "colour=red"], "has no parameters colour, epoch: it has cached, epochs, images"),
        (["epochs=1.5"], "--parameter epochs: '1.5' is not a whole number"),
        ([f"epochs={2**53 + 1}"], "is not a whole number"),
        (["rate=fast"], "is not a number"),
        (["rate=nan"], "is not a number"),
        (["cached=yes"], "is not true or false"),
        (['labels={"a": 1}'], "is not a JSON list"),
        (["labels=[NaN]"], "is not a JSON list"),
        (["more=[1]"], "is not a JSON object"),
        (["epochs"], "'epochs' is not NAME=VALUE"),
        (["epochs=1", "epochs=2"], "is given twice"),
    ],
)
def test_parameters_that_cannot_be(tmp_path, given, words):
    with pytest.raises(InputError) as error:
        fill_parameters(read_package(write_pipeline(tmp_path)), given)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_parameters_without_a_default(tmp_path):
    definitions = {
        "a": {"parameterType": "STRING"},
        "b": {"parameterType": "NUMBER_INTEGER"},
        "c": {"parameterType": "STRING", "isOptional": True},
    }
    package = read_package(write_pipeline(tmp_path, root={"dag": {}, "inputDefinitions": {"parameters": definitions}}))
    with pytest.raises(InputError, match="no default for a, b: say --parameter a="):
        fill_parameters(package, [])
    assert fill_parameters(package, ["a=", "b=0"]) == {"a": "", "b": 0}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("none.yaml", None, "cannot read"),
        ("a.json", "{}", "does not end in .yaml"),
        ("a.yaml", "a: [", "is no YAML"),
        ("a.yaml", "- 1", "is no compiled pipeline"),
        ("a.yaml", "", "is no compiled pipeline"),
        ("a.yaml", yaml.safe_dump({**SPEC, "pipelineInfo": {"name": " "}}), "the pipeline's name"),
        ("a.yaml", yaml.safe_dump_all([SPEC, SPEC]), "more in it"),
    ],
)
def test_files_that_are_no_pipeline(tmp_path, name, text, words):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=words):
        read_package(tmp_path / name)


def test_the_stand_in_would_have_noticed_a_missing_parameter(server, tmp_path, monkeypatch):
    """So that the tests above can fail."""
    monkeypatch.setattr("kubeflow.server.submission.fill_parameters", lambda package, given: {})
    with pytest.raises(InputError, match="parameters are missing"):
        submit(write_pipeline(tmp_path), connected(server))
    assert quick_retry().attempts == 5
