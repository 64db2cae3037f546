"""The crontab: one line of ours, and every other byte as it was."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from common.errors import InputError
from pipeline.scheduling import crontab
from pipeline.scheduling.job import Job
from tests.schedulers import place_crontab

OTHERS = b'MAILTO=""\n# mine  \n5 4 * * * echo a\\%b\t\r\n\n@daily true # darkroom retrain: /cats/2\n30 1 * * * caf\xe9 \x0c x\n'


@pytest.fixture
def kept(tmp_path, monkeypatch):
    kept = place_crontab(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return kept


def job(work="/cats", cron="0 3 * * *", *arguments):
    return Job(cron, ("/opt/dark room", "retrain", *arguments), Path(work), Path("/"), {"PATH": "/usr/bin:/bin"})


def test_installed_replaced_and_taken_away(kept):
    kept.write_bytes(OTHERS)
    crontab.install(job())
    crontab.install(job("/50% cats"))
    crontab.install(job(cron="5 5 * * *"))
    lines = kept.read_bytes().removeprefix(OTHERS).decode().splitlines()
    assert lines == [crontab.line(job("/50% cats")), crontab.line(job(cron="5 5 * * *"))]
    assert crontab.remove(Path("/50% cats")) == lines[:1] and crontab.remove(Path("/cats")) == lines[1:]
    assert kept.read_bytes() == OTHERS
    assert crontab.remove(Path("/cats")) == [] and kept.read_bytes() == OTHERS


def test_a_line_that_was_commented_out_is_replaced(kept):
    kept.write_text(f"# {crontab.line(job())}\n")
    crontab.install(job())
    assert kept.read_text() == f"{crontab.line(job())}\n"


def test_no_crontab_before_is_none_afterwards(kept):
    assert crontab.remove(Path("/cats")) == []
    crontab.install(job())
    assert kept.read_text() == f"{crontab.line(job())}\n"
    crontab.remove(Path("/cats"))
    assert not kept.exists()


def test_a_last_line_without_an_end_gets_one(kept):
    kept.write_text("@daily true")
    crontab.install(job())
    assert kept.read_text() == f"@daily true\n{crontab.line(job())}\n"


def test_a_crontab_that_cannot_be_written_is_left_alone(tmp_path, monkeypatch):
    kept = place_crontab(tmp_path / "bin", broken=True)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    kept.write_bytes(OTHERS)
    with pytest.raises(InputError, match="^cannot write the crontab: .*Permission denied$"):
        crontab.install(job())
    assert kept.read_bytes() == OTHERS


def test_a_crontab_that_cannot_be_read_is_not_written(kept):
    program = kept.with_name("crontab")
    program.write_text("#!/bin/sh\necho 'You (somebody) are not allowed to use this program (crontab)' >&2\nexit 1\n")
    for action in (lambda: crontab.install(job()), lambda: crontab.remove(Path("/cats"))):
        with pytest.raises(InputError, match="cannot read the crontab: You .somebody. are not allowed"):
            action()
    assert not kept.exists()


def test_quoting():
    """What cron and then the shell make of the line is what was meant; every percent sign is escaped for cron."""
    words = ("a b", 'say "x"', "it's", "50% of $HOME `id` $(id)", r"back\slash", "ä{SPAN}", "", "*", "\\%", ";#")
    line = crontab.line(job("/a 50% model's", "*/5 * * * *", *words))
    command = line.removeprefix("*/5 * * * * ").replace(r"\%", "%")
    assert line.count("%") == line.count(r"\%")
    assert shlex.split(command, comments=True)[-len(words) :] == list(words)


def test_what_is_too_long_for_cron():
    room = crontab.MAX_BYTES - len(crontab.line(job()).split(" ", 5)[5])
    assert crontab.line(job("/cats", "0 3 * * *", "x" * (room - 1)))
    with pytest.raises(InputError, match="cron takes 998.*--config"):
        crontab.line(job("/cats", "0 3 * * *", "x" * room))
