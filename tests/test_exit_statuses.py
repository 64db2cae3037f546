"""Every exit status, by what brings a person there; what interrupts a run is in test_interrupted.py."""

import fcntl
import json
import os
import signal
import subprocess
import sys

import pytest

from tests.project import ROOT, darkroom, last_verdict, write_discs


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--images", "nowhere"], "nowhere"),
        (["run", "--images", "empty"], "no pictures"),
        (["run", "--dataset", "nothing"], "digits"),
        (["run", "--images", "empty", "--dataset", "digits"], "not both"),
        (["run", "--config", "nothing"], "fashion-mnist"),
        (["run", "--set", "training.epochs=0"], "training.epochs"),
        (["run", "--set", "schema=nowhere.pbtxt"], "nowhere.pbtxt"),
        (["run", "--nonsense"], "--nonsense"),
        (["run", "--bless", ""], "--bless needs a reason"),
        (["run", "--bless"], "--bless"),
        (["run", "--set", "evaluation.max_drop=-1"], "evaluation.max_drop"),
        (["run", "--orchestrator", "cron"], "local"),
        (["nonsense"], "nonsense"),
        (["generate", "--work", "empty", "--out", "x.png"], "darkroom run"),
    ],
)
def test_mistakes_end_with_2_and_one_line(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    ended = darkroom(*arguments, fresh=True)
    assert ended.status == 2
    assert len(ended.err.splitlines()) == 1, ended.err
    assert words in ended.err
    assert ended.out == ""


def test_a_closed_pipe_ends_a_listing_quietly(tmp_path):
    (tmp_path / "runs" / "20260101-000000").mkdir(parents=True)
    script = "import sys; del sys.path[0]; from local_runner import main; main(sys.argv[1:])"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", script, "runs", "--work", str(tmp_path)],
        stdout=write,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_too_few_pictures_end_with_2_and_a_verdict(tmp_path):
    write_discs(tmp_path / "discs", 2)
    ended = darkroom("run", "--images", tmp_path / "discs", "--work", tmp_path / "work")
    assert ended.status == 2, ended.out
    assert "split" in ended.err and len(ended.err.splitlines()) == 1
    assert last_verdict(tmp_path / "work")["outcome"] == "invalid"


def test_pictures_of_which_none_can_be_read_end_with_2_and_are_listed(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for i in range(5):
        (images / f"{i}.png").write_bytes(b"no picture")
    ended = darkroom("run", "--images", images, "--work", tmp_path / "work", "--json")
    assert ended.status == 2
    assert json.loads(ended.out) == last_verdict(tmp_path / "work") and "ImageExampleGen" in ended.err
    (rejects,) = (tmp_path / "work" / "rejects").iterdir()
    assert len(rejects.read_text().splitlines()) == 5


def test_a_busy_work_folder_ends_with_4(tmp_path):
    write_discs(tmp_path / "discs", 60)
    (tmp_path / "work").mkdir()
    with (tmp_path / "work" / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        ended = darkroom("run", "--images", tmp_path / "discs", "--work", tmp_path / "work")
    assert ended.status == 4
    assert "in use" in ended.err and len(ended.err.splitlines()) == 1
    assert not (tmp_path / "work" / "runs").exists()


def test_a_fault_ends_with_1_one_line_and_a_traceback_in_the_log(tmp_path):
    write_discs(tmp_path / "discs", 200)
    work = tmp_path / "work"
    work.mkdir()
    (work / "metadata.db").write_bytes(b"not a database, but long enough to be taken for a damaged one" * 100)
    ended = darkroom("run", "--images", tmp_path / "discs", "--work", work)
    assert ended.status == 1
    (line,) = ended.err.splitlines()
    assert line.startswith("failed: ") and len(line) < 200 and "`darkroom restore FILE --work" in line
    assert last_verdict(work)["outcome"] == "failed"
    (log,) = work.glob("runs/*/log.txt")
    assert "Traceback" in log.read_text()


@pytest.mark.slow
def test_a_run_whose_console_is_gone_keeps_its_record(tmp_path):
    write_discs(tmp_path / "discs", 2)
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, str(ROOT / "local_runner.py"), "--images", str(tmp_path / "discs"), "--work", str(tmp_path / "work")]
    done = subprocess.run(command, stdout=write, stderr=write)
    os.close(write)
    assert done.returncode == 2 and last_verdict(tmp_path / "work")["outcome"] == "invalid"
