"""Schedules, by a client contract test: the new one is in force before the old one goes, and nothing is made twice."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from common.errors import InputError
from kubeflow.server import schedules
from kubeflow.server.connection import ServerFault
from kubeflow.server.schedules import list_schedules, pause, remove, resume, schedule
from tests.kubeflow.api_server import api_server
from tests.kubeflow.published import RELEASES, usable
from tests.kubeflow.tiny_pipeline import DEFAULTS, connected, write_pipeline


@pytest.fixture(params=RELEASES)
def server(request):
    with api_server(release=usable(request.param)) as running:
        yield running


@pytest.fixture
def file(tmp_path):
    return write_pipeline(tmp_path)


@pytest.fixture
def newer(tmp_path):
    return write_pipeline(tmp_path, "newer.yaml", sdkVersion="kfp-2.5.1")


def only(server):
    (recurring,) = server.recurring.values()
    return recurring


def test_what_the_server_is_given(server, file):
    done = schedule(
        file,
        connected(server),
        cron="0 3 * * MON-FRI",
        name="nightly",
        parameters=["epochs=9"],
        experiment="cats",
        pipeline_root="s3://bucket/root",
        service_account="runner",
    )
    made = only(server)
    assert made["trigger"] == {"cron_schedule": {"cron": "0 0 3 * * 1-5"}}
    assert (made["max_concurrency"], made["no_catchup"], made["mode"]) == ("1", True, "ENABLE")
    assert made["runtime_config"] == {"parameters": {**DEFAULTS, "epochs": 9}, "pipeline_root": "s3://bucket/root"}
    assert (made["display_name"], made["service_account"]) == ("nightly", "runner")
    assert server.experiments[made["experiment_id"]]["display_name"] == "cats"
    assert made["pipeline_version_reference"]["pipeline_version_id"] in server.versions
    assert (done.made, done.id, done.when, done.removed, done.left) == (True, made["recurring_run_id"], "0 0 3 * * 1-5", [], [])
    assert "pipeline_spec" not in made and not server.runs


def test_an_interval(server, file):
    done = schedule(file, connected(server), every="1d12h")
    assert only(server)["trigger"] == {"periodic_schedule": {"interval_second": "129600"}}
    assert (done.name, done.when) == ("darkroom", "every 1d12h")


def test_the_same_again_is_nothing_to_do(server, file):
    first = schedule(file, connected(server), cron="0 3 * * *", parameters=["epochs=9"])
    again = schedule(file, connected(server), cron="00 03 * * *", parameters=["epochs=9"])
    assert (again.made, again.id, again.removed) == (False, first.id, [])
    assert not schedule(file, connected(server), cron="0 3 * * *", parameters=["epochs=9"], experiment="darkroom").made
    assert server.asked("create_recurring_run") == 1


@pytest.mark.parametrize(
    "change",
    [
        {"cron": "0 4 * * *"},
        {"cron": None, "every": "1d"},
        {"parameters": ["epochs=10"]},
        {"pipeline_root": "s3://bucket/other"},
        {"service_account": "runner"},
        {"experiment": "other"},
        {"file": "newer"},
    ],
)
def test_another_takes_the_place_of_the_old(server, file, newer, change):
    first = schedule(file, connected(server), cron="0 3 * * *")
    changed = {"cron": "0 3 * * *", **change}
    which = newer if changed.pop("file", None) else file
    done = schedule(which, connected(server), **changed)
    assert (done.made, done.removed, done.left) == (True, [first.id], [])
    assert only(server)["recurring_run_id"] == done.id
    order = [each for each in server.requests if "recurring" in each]
    last = len(order) - 1 - order[::-1].index("create_recurring_run")
    assert order[last:] == ["create_recurring_run", "get_recurring_run", "disable_recurring_run", "delete_recurring_run"]


def test_the_root_is_the_files_and_one_that_has_changed_is_another_schedule(server, tmp_path):
    def moved(to):
        return write_pipeline(tmp_path, defaultPipelineRoot=to)

    first = schedule(moved("s3://bucket/root"), connected(server), cron="0 3 * * *")
    assert only(server)["runtime_config"] == {"parameters": DEFAULTS, "pipeline_root": "s3://bucket/root"}
    assert first.root == "s3://bucket/root"
    for file, given in ((moved("s3://bucket/root"), "s3://bucket/other"), (moved("s3://bucket/third"), None)):
        done = schedule(file, connected(server), cron="0 3 * * *", pipeline_root=given)
        assert done.made and len(done.removed) == 1
        assert only(server)["runtime_config"]["pipeline_root"] == (given or "s3://bucket/third") == done.root


def test_one_that_was_made_without_the_files_root_is_replaced(server, file):
    first = schedule(file, connected(server), cron="0 3 * * *")
    del only(server)["runtime_config"]["pipeline_root"]
    done = schedule(file, connected(server), cron="0 3 * * *")
    assert done.made and done.removed == [first.id]


def test_an_account_that_is_asked_for_no_longer(server, file):
    schedule(file, connected(server), cron="0 3 * * *", service_account="runner")
    assert not schedule(file, connected(server), cron="0 3 * * *", service_account="runner").made
    assert schedule(file, connected(server), cron="0 3 * * *").made
    assert not schedule(file, connected(server), cron="0 3 * * *").made


def test_names_are_told_apart(server, file):
    for name in ("a", "b", "A"):
        schedule(file, connected(server), cron="0 3 * * *", name=name)
    done = schedule(file, connected(server), cron="0 4 * * *", name="a")
    assert len(done.removed) == 1 and sorted(each["display_name"] for each in server.recurring.values()) == ["A", "a", "b"]


def test_a_paused_one_is_not_the_same(server, file):
    first = schedule(file, connected(server), cron="0 3 * * *")
    pause("darkroom", connected(server))
    done = schedule(file, connected(server), cron="0 3 * * *")
    assert done.made and done.removed == [first.id] and only(server)["mode"] == "ENABLE"
    assert done.woken and not first.woken
    assert not schedule(file, connected(server), cron="0 4 * * *").woken


def test_doubles_of_the_same_go(server, file):
    first = schedule(file, connected(server), cron="0 3 * * *")
    server.recurring["double"] = {**server.recurring[first.id], "recurring_run_id": "double"}
    done = schedule(file, connected(server), cron="0 3 * * *")
    assert not done.made and len(server.recurring) == 1 and len(done.removed) == 1


@pytest.mark.parametrize("status", [0, 503])
def test_a_lost_answer_makes_no_second_one(server, file, status):
    server.fail("create_recurring_run", status, after=True)
    done = schedule(file, connected(server), cron="0 3 * * *")
    assert done.made and only(server)["recurring_run_id"] == done.id


def test_the_lost_one_is_not_mistaken_for_an_older_one(server, file):
    first = schedule(file, connected(server), cron="0 3 * * *")
    server.fail("create_recurring_run", 503)  # before the work
    done = schedule(file, connected(server), cron="0 4 * * *")
    assert done.id != first.id and only(server)["trigger"]["cron_schedule"]["cron"] == "0 0 4 * * *"


@pytest.mark.parametrize("endpoint", ["disable_recurring_run", "delete_recurring_run"])
def test_a_lost_answer_to_a_deletion(server, file, endpoint):
    schedule(file, connected(server), cron="0 3 * * *")
    server.fail(endpoint, 0, after=True)
    done = schedule(file, connected(server), cron="0 4 * * *")
    assert len(done.removed) == 1 and not done.left and len(server.recurring) == 1


def test_the_old_one_stays_when_the_new_one_is_not_in_force(server, file):
    first = schedule(file, connected(server), cron="0 3 * * *")
    server.born_disabled = True
    with pytest.raises(ServerFault, match="but it is not enabled; no other was touched"):
        schedule(file, connected(server), cron="0 4 * * *")
    assert server.recurring[first.id]["mode"] == "ENABLE"


def test_the_old_one_stays_when_the_new_one_is_refused(server, file):
    first = schedule(file, connected(server), cron="0 3 * * *")
    server.fail("create_recurring_run", 400)
    with pytest.raises(InputError, match="told to fail"):
        schedule(file, connected(server), cron="0 4 * * *")
    assert only(server)["recurring_run_id"] == first.id and only(server)["mode"] == "ENABLE"


@pytest.mark.parametrize(("endpoint", "fires"), [("disable_recurring_run", True), ("delete_recurring_run", False)])
def test_what_cannot_be_deleted_is_said(server, file, endpoint, fires):
    first = schedule(file, connected(server), cron="0 3 * * *")
    server.fail(endpoint, 500)
    done = schedule(file, connected(server), cron="0 4 * * *")
    assert done.made and done.id in server.recurring
    (left,) = done.left
    assert (left.id, left.fires) == (first.id, fires) and "told to fail" in left.why


def test_pausing_resuming_removing(server, file):
    schedule(file, connected(server), cron="0 3 * * *", name="a")
    schedule(file, connected(server), cron="0 3 * * *", name="b")
    pause("a", connected(server))
    modes = {each["display_name"]: each["mode"] for each in server.recurring.values()}
    assert modes == {"a": "DISABLE", "b": "ENABLE"}
    resume("a", connected(server))
    assert {each["mode"] for each in server.recurring.values()} == {"ENABLE"}
    removed, left = remove("a", connected(server))
    assert len(removed) == 1 and not left and only(server)["display_name"] == "b"
    for action in (pause, resume, remove):
        with pytest.raises(InputError, match="no schedule 'a'; there are: b"):
            action("a", connected(server))


def test_resuming_wakes_the_newest_only(server, file):
    schedule(file, connected(server), cron="0 3 * * *")
    server.fail("delete_recurring_run", 500)
    newest = schedule(file, connected(server), cron="0 4 * * *")
    pause("darkroom", connected(server))
    assert resume("darkroom", connected(server)) == newest.id
    assert [each["mode"] for each in server.recurring.values()] == ["DISABLE", "ENABLE"]


def test_the_list(server, file):
    connection = connected(server)
    version = schedule(file, connection, cron="0 3 * * MON", name="b").version
    schedule(file, connection, every="90m", name="a")
    pause("a", connection)
    made = {each["display_name"]: each for each in server.recurring.values()}
    for number, hour in enumerate((3, 5, 4)):
        id = made["b"]["recurring_run_id"]
        server.runs[str(number)] = {
            "run_id": str(number),
            "display_name": f"b {number}",
            "recurring_run_id": id,
            "experiment_id": made["b"]["experiment_id"],
            "created_at": f"2026-02-02T0{hour}:00:00Z",
        }
    made["b"]["trigger"] = {"cron_schedule": {"cron": "30 0 3 * * 1"}}
    first, second = list_schedules(connection)
    assert (first.name, first.cron, first.written, first.enabled, first.last) == ("a", None, "every 1h30m", False, None)
    assert (second.cron, second.written) == ("30 0 3 * * 1", None)  # somebody's own, which five fields cannot say
    assert second.last == datetime(2026, 2, 2, 5, tzinfo=timezone.utc) and second.next is None
    assert second.version == first.version == version.name
    made["b"]["trigger"] = {"cron_schedule": {"cron": "0 0 3 * * 1"}}
    server.versions.clear()
    second = list_schedules(connection)[1]
    assert (second.written, second.version) == ("0 3 * * 1", version.version_id)


@pytest.mark.parametrize("release", RELEASES)
def test_many_users(file, release):
    with api_server(release=usable(release), multi_user=True) as server:
        schedule(file, connected(server, "team-a"), cron="0 3 * * *")
        schedule(file, connected(server, "team-b"), cron="0 4 * * *")
        assert len(server.recurring) == 2  # the other's is not replaced
        assert [each.written for each in list_schedules(connected(server, "team-b"))] == ["0 4 * * *"]
        pause("darkroom", connected(server, "team-b"))
        assert {each["namespace"]: each["mode"] for each in server.recurring.values()} == {"team-a": "ENABLE", "team-b": "DISABLE"}


def test_an_older_releases_way_to_name_the_version(server, file):
    schedule(file, connected(server), cron="0 3 * * *")
    made = only(server)
    made["pipeline_version_id"] = made.pop("pipeline_version_reference")["pipeline_version_id"]
    assert not schedule(file, connected(server), cron="0 3 * * *").made
    assert list_schedules(connected(server))[0].version == made["pipeline_version_id"]


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ({}, "either --cron"),
        ({"cron": "0 3 * * *", "every": "1d"}, "either --cron"),
        ({"cron": "0 0 3 * * *"}, "not five"),
        ({"every": "10s"}, "no interval"),
        ({"cron": "0 3 * * *", "timezone": "Europe/Berlin"}, "Kubeflow Pipelines schedules use the controller's time zone"),
        ({"every": "1d", "timezone": "Europe/Berlin"}, "Kubeflow Pipelines schedules use the controller's time zone"),
    ],
)
def test_a_mistake_asks_the_server_nothing(server, file, when, words):
    connection = connected(server)
    asked = len(server.requests)
    with pytest.raises(InputError, match=words):
        schedule(file, connection, **when)
    assert len(server.requests) == asked


def test_the_stand_in_lets_five_fields_through(server, file, monkeypatch):
    """As the real server does: only the conversion stands between five fields and another meaning, and these tests would see it."""
    monkeypatch.setattr(schedules, "to_kfp", lambda cron, timezone: cron)
    schedule(file, connected(server), cron="0 3 * * *")
    assert only(server)["trigger"]["cron_schedule"]["cron"] == "0 3 * * *"
