"""A `darkroom retrain` that fails before there is a run, as cron would run it."""

import fcntl

import pytest

from common.errors import InputError
from pipeline.running.early_failure import notifying_of_failure
from pipeline.workspace.layout import WorkFolderBusy
from tests.hook import hook
from tests.project import darkroom, write_discs

SECRET = "hush-4711"


def retrain(folder, *more, **environment):
    return darkroom("retrain", "--images", folder / "nowhere", "--work", folder / "work", *more, fresh=True, **environment)


def test_pictures_that_are_gone_at_night_are_told_of(tmp_path):
    with hook() as server:
        ended = retrain(tmp_path, "--set", "notify.webhook=${HOOK}", HOOK=f"{server.address}/{SECRET}")
    ((_, path, _, body),) = server.received
    assert path == f"/{SECRET}" and ended.status == 2 and len(ended.err.splitlines()) == 1
    assert (body["run"], body["outcome"], body["status"], body["title"]) == ("", "invalid", 2, "nowhere")
    assert body["reasons"] == [ended.err.removeprefix("invalid: ").strip()] and "does not exist" in body["reasons"][0]


def test_a_file_names_who_is_told_though_the_rest_of_it_is_wrong(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text(f"training: {{epochs: none}}\nnotify: {{on: [invalid], command: [cp, /dev/stdin, '{tmp_path}/told']}}\n")
    ended = retrain(tmp_path, "--config", config)
    assert ended.status == 2 and "training.epochs" in ended.err and "training.epochs" in (tmp_path / "told").read_text()


def test_telling_that_fails_is_a_line_before_the_last(tmp_path):
    with hook(status=500) as server:
        ended = retrain(tmp_path, "--set", f"notify.webhook={server.address}/{SECRET}", "--set", "notify.command=/bin/false")
    assert ended.status == 2 and SECRET not in ended.err + ended.out
    lines = ended.err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["warning", "warning", "invalid"]


def test_who_is_not_to_be_told_is_not(tmp_path):
    with hook() as server:
        ended = retrain(tmp_path, "--set", f"notify.webhook={server.address}", "--set", "notify.on=[pushed, failed]")
    assert ended.status == 2 and not server.received


def test_a_configuration_that_cannot_be_read_names_nobody(tmp_path):
    ended = retrain(tmp_path, "--config", tmp_path / "none.yaml")
    assert ended.status == 2 and len(ended.err.splitlines()) == 1
    ended = retrain(tmp_path, "--set", f"notify.webhook=http://h.example/{SECRET}")
    assert ended.status == 2 and len(ended.err.splitlines()) == 1 and SECRET not in ended.err


def test_a_folder_that_another_run_holds_is_no_failure(tmp_path):
    write_discs(tmp_path / "nowhere", 60)
    (tmp_path / "work").mkdir()
    with hook() as server, (tmp_path / "work" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert retrain(tmp_path, "--set", f"notify.webhook={server.address}").status == 4
    assert not server.received


@pytest.mark.parametrize("error", [InputError("x"), OSError("x"), WorkFolderBusy("x"), KeyboardInterrupt()])
def test_the_error_goes_on_its_way(error):
    asked = {"images": None, "dataset": None, "config": None, "overrides": ("notify.command=/bin/false",)}
    warnings = []
    with pytest.raises(type(error)), notifying_of_failure(asked, warnings.append):
        raise error
    notified = isinstance(error, (InputError, OSError))
    assert len(warnings) == notified
