"""Telling somebody: commands that do as they should and commands that do not."""

import json
import os
import sys
import time

import pytest

from common.errors import InputError
from pipeline.config.notify import NotifyConfig
from pipeline.reporting.command import CommandFailed, run_command
from pipeline.reporting.webhook import NotPosted, post_verdict
from pipeline.verdict.status import Status
from pipeline.verdict.verdict import Verdict
from tests.hook import hook


@pytest.fixture
def verdict():
    made = Verdict(run="20260101-000000", title="größer", images="/p", started="2026-01-01T00:00:00+00:00")
    made.end(Status.REFUSED, "model", ["it is worse"])
    return made


def python(script):
    return NotifyConfig(command=(sys.executable, "-c", script))


def test_a_command_gets_the_verdict_and_what_it_says_goes_to_the_log(verdict, tmp_path, capfd):
    log = tmp_path / "log.txt"
    log.write_text("before\n")
    script = "import os, sys; print(os.environ['DARKROOM_OUTCOME'], os.environ['DARKROOM_RUN'], sys.stdin.read())"
    script += "; print('err', file=sys.stderr)"
    run_command(python(script), verdict, log)
    text = log.read_text()
    assert text.startswith("before\n") and "err" in text
    words = next(line for line in text.splitlines() if line.startswith("refused"))
    outcome, run, body = words.split(" ", 2)
    assert (outcome, run) == ("refused", "20260101-000000")
    assert json.loads(body) == vars(verdict)
    assert capfd.readouterr() == ("", "")


def test_a_string_is_no_shell_script(verdict, tmp_path):
    run_command(NotifyConfig(command=f"touch '{tmp_path}/a b' '{tmp_path}/$HOME;x'"), verdict, None)
    assert (tmp_path / "a b").exists() and (tmp_path / "$HOME;x").exists()


def test_a_command_that_reads_nothing_of_a_long_verdict(verdict, tmp_path):
    verdict.reasons = ["x" * 1_000_000]
    run_command(NotifyConfig(command="true"), verdict, None)


@pytest.mark.parametrize("command, words", [("false", "status 1"), ("/no/such", "cannot start /no/such"), ("/", "cannot start /")])
def test_commands_that_fail(verdict, command, words, tmp_path):
    with pytest.raises(CommandFailed, match=words):
        run_command(NotifyConfig(command=command), verdict, tmp_path / "log.txt")


def test_a_command_that_hangs_is_ended_with_all_that_it_started(verdict, tmp_path):
    pids = tmp_path / "pids"
    config = NotifyConfig(command=("sh", "-c", f"sleep 600 & echo $! $$ > {pids}.new; mv {pids}.new {pids}; wait"))
    with pytest.raises(CommandFailed, match="ended after 3 seconds"):
        run_command(config, verdict, None, seconds=3)
    for pid in pids.read_text().split():
        for _ in range(200):  # init has yet to take the orphan away
            if not _alive(int(pid)):
                break
            time.sleep(0.05)
        assert not _alive(int(pid))


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_variables_of_the_address_are_taken_when_it_is_posted(verdict, monkeypatch):
    with hook() as server:
        config = NotifyConfig(webhook="${HOOK_BASE}/in/${HOOK_KEY}")
        monkeypatch.setenv("HOOK_BASE", server.address)
        monkeypatch.delenv("HOOK_KEY", raising=False)
        with pytest.raises(InputError, match="HOOK_KEY, which is not set"):
            post_verdict(config, verdict)
        monkeypatch.setenv("HOOK_KEY", "hush\n")
        post_verdict(config, verdict)
    assert [path for _, path, *_ in server.received] == ["/in/hush"]


def test_a_variable_does_not_get_round_tls(verdict, monkeypatch):
    for value in ("http://h.example/hush", "file:///hush", "hush"):
        monkeypatch.setenv("HOOK", value)
        with pytest.raises(NotPosted, match="no https:// address") as caught:
            post_verdict(NotifyConfig(webhook="${HOOK}"), verdict)
        assert "hush" not in str(caught.value)


def test_the_environment_stays_as_it_was(verdict):
    before = dict(os.environ)
    run_command(NotifyConfig(command="true"), verdict, None)
    assert dict(os.environ) == before
