"""`darkroom retrain --install`: what is installed is shown before, agreed to, and runs by itself."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.scheduling.job import KEPT
from tests.project import ROOT, darkroom, last_verdict, write_discs
from tests.schedulers import place_crontab

CODE = f"import sys; sys.path[0] = {str(ROOT)!r}; from local_runner import main; main(sys.argv[1:])"
QUICK = ("--set", "training.epochs=1", "--set", "training.batch_size=32")


@pytest.fixture
def machine(tmp_path):
    """Pictures, and a machine that has cron alone: the arguments that are always given, and the crontab's file."""
    pictures = tmp_path / "50% of it's $HOME"
    write_discs(pictures, 120)
    bin_folder = tmp_path / "bin"
    kept = place_crontab(bin_folder)

    bare = dict.fromkeys(KEPT, "")  # what this shell happens to have would make the line long

    def retrain(*more, images=pictures, **environment):
        asked = ("--images", images) if images else ()
        return darkroom(
            "retrain",
            *asked,
            "--work",
            tmp_path / "a 5% model",
            *more,
            fresh=True,
            **{**bare, "PATH": str(bin_folder), **environment},
        )

    return retrain, kept


def test_shown_and_not_written_without_a_yes(machine):
    retrain, kept = machine
    ended = retrain("--install", "0 3 * * MON", *QUICK)
    assert ended.status == 2 and ended.err.startswith("invalid: nothing was written") and len(ended.err.splitlines()) == 1
    assert ended.out.startswith("in the crontab:\n0 3 * * 1 ") and not kept.exists()
    assert retrain("--install", "0 3 * * MON", *QUICK, "--yes").status == 0
    assert kept.read_text() == ended.out.splitlines()[1] + "\n", "what is written is what was shown"


def test_replaced_and_taken_away(machine):
    retrain, kept = machine
    kept.write_text("@daily true\n")
    assert retrain("--install", "0 3 * * *", "--yes").status == 0
    again = retrain("--install", "@hourly", *QUICK, "--with", "cron", "--yes")
    assert again.status == 0 and len(kept.read_text().splitlines()) == 2 and "\n0 * * * * " in kept.read_text()
    ended = retrain("--uninstall", images=None)
    assert (ended.status, ended.err) == (0, "") and ended.out.startswith("removed: 0 * * * * ")
    assert kept.read_text() == "@daily true\n"
    ended = retrain("--uninstall", images=None)
    assert ended.status == 0 and ended.out.startswith("nothing was installed for ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--install", "0 3 * *"), "--install '0 3 * *' has 4 fields"),
        (("--install", "61 3 * * *"), "minute: '61' is not a value or an ascending range of 0 to 59"),
        (("--install", "@reboot"), "--install '@reboot' is none of @hourly"),
        (("--install", "0 0 30 2 *"), "never fires"),
        (("--install", "0 3 * * *", "--config", "no-such-name"), "no configuration 'no-such-name'"),
        (("--install", "0 3 * * *", "--set", "training.epoch=1"), "did you mean training.epochs"),
        (("--install", "0 3 * * *", "--set", "title=a\nb"), "a crontab cannot represent"),
        (("--install", "0 3 * * *", "--set", f"title={'x' * 900}"), "cron takes 998"),
        (("--install", "0 3 * * *", "--beam-arg", "--proxy=https://me:secret@proxy"), "password"),
        (
            ("--install", "0 3 * * *", "--set", "notify.webhook=https://hooks.example.com/hush"),
            "give '--set notify.webhook=${NAME}'",
        ),
        (("--install", "0 3 * * *", "--set", "notify={webhook: 'https://hooks.example.com/hush'}"), "which is a secret"),
        (("--install", "0 3 * * *", "--with", "systemd"), "--with systemd: the user's systemd is not available"),
        (("--install", "0 3 * * *", "--with", "launchd"), "'launchd' is not one of"),
        (("--with", "cron"), "belong to --install"),
        (("--uninstall", "--install", "0 3 * * *"), "--uninstall takes --work"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(machine, arguments, words):
    retrain, kept = machine
    ended = retrain(*arguments, "--yes")
    assert ended.status == 2 and words in ended.err and len(ended.err.splitlines()) == 1
    assert not kept.exists() and "hush" not in ended.out + ended.err


def test_pictures_that_are_not_there_are_found_out_now(machine, tmp_path):
    retrain, kept = machine
    ended = retrain("--install", "0 3 * * *", "--yes", images=tmp_path / "typo")
    assert ended.status == 2 and "typo" in ended.err and not kept.exists()


def test_where_nothing_keeps_schedules_the_line_is_said(machine):
    retrain, kept = machine
    kept.with_name("crontab").unlink()
    ended = retrain("--install", "0 3 * * *", "--yes")
    assert ended.status == 2 and ended.out.startswith("0 3 * * * ") and len(ended.out.splitlines()) == 1
    assert "neither the user's systemd nor a crontab" in ended.err and len(ended.err.splitlines()) == 1


def test_no_secret_is_written(machine):
    retrain, kept = machine
    given = {
        "AWS_SECRET_ACCESS_KEY": "hush",
        "https_proxy": "http://me:hush@proxy:3128",
        "AWS_PROFILE": "pictures",
        "no_proxy": "local",
    }
    ended = retrain("--install", "0 3 * * *", "--yes", **given)
    assert ended.status == 0 and "secrets are not written: https_proxy, AWS_SECRET_ACCESS_KEY" in ended.out
    assert "hush" not in kept.read_text() + ended.out
    assert " AWS_PROFILE=pictures " in kept.read_text() and " no_proxy=local " in kept.read_text()


def test_variables_that_the_runs_will_not_have_are_named(machine):
    retrain, kept = machine
    given = ("--set", "notify.webhook=https://hooks.example.com/${TEAM_KEY}")
    ended = retrain("--install", "0 3 * * *", "--yes", *given, TEAM_KEY="hush")
    assert ended.status == 0 and "hush" not in kept.read_text() + ended.out
    said = next(
        line
        for line in ended.out.splitlines()
        if line.startswith("variables that the configuration needs and the runs will not have: ")
    )
    assert "have: TEAM_KEY (notify.webhook); add" in said and said.endswith("for each at the top of the crontab (crontab -e)")
    assert "will not have" not in retrain("--install", "0 3 * * *", "--yes").out


@pytest.mark.parametrize(("answer", "written"), [("y", True), ("n", False)])
def test_a_person_is_asked(machine, tmp_path, answer, written):
    _, kept = machine
    main, side = pty.openpty()
    started = subprocess.Popen(
        [
            sys.executable,
            "-c",
            CODE,
            "retrain",
            "--images",
            tmp_path / "50% of it's $HOME",
            "--work",
            tmp_path,
            "--install",
            "@daily",
        ],
        stdin=side,
        stdout=side,
        stderr=side,
        env={**os.environ, "PATH": str(kept.parent)},
    )
    os.close(side)
    said = b""
    while b"write this?" not in said:
        said += os.read(main, 4096)
    assert not kept.exists()
    os.write(main, f"{answer}\n".encode())
    while True:
        try:
            said += os.read(main, 4096)
        except OSError:  # all is said
            break
    assert started.wait() == 0 and kept.exists() == written
    assert (b"installed; to remove it" in said, b"nothing was written" in said) == (written, not written)
    os.close(main)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("nice"), reason="there is no nice here")
def test_the_installed_line_retrains_from_crons_environment(machine, tmp_path, monkeypatch):
    retrain, kept = machine
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("my.yaml").write_text("title: from a file\n")
    assert retrain("--install", "0 3 * * *", "--config", "my.yaml", *QUICK, "--yes").status == 0
    command = kept.read_text().removeprefix("0 3 * * * ").rstrip("\n").replace(r"\%", "%")
    monkeypatch.chdir("/")
    for said in ("pushed: version 1", "nothing new: the 120 pictures"):
        done = subprocess.run(
            ["env", "-i", "HOME=/", "SHELL=/bin/sh", "PATH=/usr/bin:/bin", "/bin/sh", "-c", command], capture_output=True
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert said in (tmp_path / "a 5% model" / "retrain.log").read_text()
    assert last_verdict(tmp_path / "a 5% model")["title"] == "from a file"
