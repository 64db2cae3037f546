"""What is shown, and what goes to the log instead."""

import io
import logging
import os
import subprocess
import sys

import pytest

from common.progress import LOGGER, Progress, report_progress
from common.quiet import hushed, quiet
from pipeline.running import console
from pipeline.running.console import Display, in_short, progress_shown


def test_what_is_written_to_the_descriptors_goes_to_the_log(tmp_path):
    script = f"""
import os, sys, subprocess
from pathlib import Path
from common.quiet import quiet
with quiet(Path({str(tmp_path / "log.txt")!r})) as (out, err):
    os.write(1, b"from C, out\\n"); os.write(2, b"from C, err\\n")
    sys.stdout.write("from Python\\n")
    subprocess.run(["sh", "-c", "echo from a child"])
    out.write("to the person\\n"); err.write("to the person, too\\n")
sys.stdout.write("after\\n")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "to the person\nafter\n"
    assert done.stderr == "to the person, too\n"
    log = (tmp_path / "log.txt").read_text()
    for text in ("from C, out", "from C, err", "from Python", "from a child"):
        assert text in log


@pytest.mark.parametrize("ending", ["", " 2>&-"])
def test_what_is_hushed_is_silent_down_to_the_descriptors(tmp_path, ending):
    script = tmp_path / "script.py"
    script.write_text("""
import logging, os, sys, warnings
from common.quiet import hushed
try:
    with hushed():
        if sys.stderr: os.write(2, b"from C\\n")
        if sys.stderr: print("from Python", file=sys.stderr)
        logging.error("a log line")
        warnings.warn("a warning")
        print("to the person")
        raise ValueError("this is said")
except ValueError as error:
    if sys.stderr: print(error, file=sys.stderr)
""")
    done = subprocess.run(f"{sys.executable} {script}{ending}", shell=True, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("to the person\n", "" if ending else "this is said\n")


def test_a_run_outlives_its_console(tmp_path):
    script = f"""
import sys
from pathlib import Path
from common.quiet import quiet
from pipeline.running.console import Display
with quiet(Path({str(tmp_path / "log.txt")!r})) as (out, err):
    for display in (Display(out), Display(err)):
        display.line("nobody reads this")
        display.ended("Trainer", "done", 1.0, "nor this")
Path({str(tmp_path / "done")!r}).touch()
"""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-c", script], stdout=write, stderr=write)
    os.close(write)
    assert done.returncode == 0 and (tmp_path / "done").exists()


def test_descriptors_are_given_back(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    with quiet(tmp_path / "log.txt"), hushed():
        pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_line_per_component_without_a_terminal():
    stream = io.StringIO()
    display = Display(stream)
    with progress_shown(display.progress):
        display.started("Trainer")
        report_progress("training", done=3, total=10, unit="steps", loss=5.0)
        display.ended("Trainer", "done", 1.25, "ELBO [-3]")
        display.started("Pusher")
        display.ended("Pusher", "cached", 0.0, "version 1")
    lines = stream.getvalue().splitlines()
    assert [line.split() for line in lines] == [
        ["✓", "Trainer", "1.2", "s", "ELBO", "[-3]"],
        ["=", "Pusher", "cached", "version", "1"],
    ]


def test_a_long_component_writes_a_line_on_its_progress_without_a_terminal(monkeypatch):
    stream, now = io.StringIO(), [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    display = Display(stream)
    with progress_shown(display.progress):
        display.started("Trainer")
        for step in range(1, 200):
            now[0] += 1.0
            report_progress("training", done=step, total=200, unit="steps", loss=5.0)
    lines = stream.getvalue().splitlines()
    assert [line.split(maxsplit=2) for line in lines] == [["…", "Trainer", f"{done // 2}%  loss 5"] for done in (60, 120, 180)]


@pytest.mark.parametrize(("seconds", "epochs"), [(5, [2, 4]), (20, [2, 3, 4, 5])])
def test_an_epoch_that_ends_writes_a_line_too(monkeypatch, caplog, seconds, epochs):
    stream, now = io.StringIO(), [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    display = Display(stream)
    display.started("Trainer")
    with caplog.at_level(logging.INFO, console.LOGGER.name):
        for epoch in range(1, 6):
            now[0] += seconds
            display.progress(Progress("training", epoch, 100, "steps", {"epoch": epoch, "loss": 5.0, "images/s": 1000}), "3 min")
    lines = stream.getvalue().splitlines()
    assert lines == [f"… Trainer            {epoch}%  epoch {epoch}  loss 5  1,000 images/s  3 min left" for epoch in epochs]
    assert all(len(line) <= 80 for line in lines)
    assert (
        caplog.messages[0] == f"Trainer: training: {epochs[0]} of 100 steps, epoch {epochs[0]}, loss 5, images/s 1,000, 3 min left"
    )


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_a_dumb_terminal_gets_plain_lines(monkeypatch, term):
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("COLUMNS", "40")
    stream, now = io.StringIO(), [0.0]
    stream.isatty = lambda: True
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    display = Display(stream)
    display.started("Trainer")
    now[0] = 61.0
    display.progress(Progress("training", 3, 10, "steps", {"loss": 5.0}))
    plain = "… Trainer            30%  loss 5\n"
    assert (stream.getvalue() == plain) is (term == "dumb")
    display.ended("Trainer", "done", 61.0, "")
    assert ("\x1b[?25" in stream.getvalue()) is (term == "xterm")  # hides the cursor


def test_without_colors_no_escapes_are_written(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    stream = io.StringIO()
    stream.isatty = lambda: True
    Display(stream).line("bold", style="bold green")
    assert "\x1b[32" not in stream.getvalue() and "32m" not in stream.getvalue()


def test_progress_is_a_log_record_with_its_numbers(caplog):
    with caplog.at_level(logging.INFO, LOGGER):
        report_progress("training", done=3, total=10, unit="steps", loss=5.0)
    assert caplog.records[0].progress == Progress("training", 3, 10, "steps", {"loss": 5.0})
    assert caplog.messages == ["training: 3 of 10 steps, loss 5"]


def test_progress_fits_beside_the_bar():
    figures = {"epoch": 12, "loss": 245.2718, "images/s": 26412.3}
    assert in_short(Progress("training", 633, 1266, "steps", figures)) == " 50%  epoch 12  loss 245.27  26,412 images/s"
    assert in_short(Progress("ingesting", 1200, 60000, "images")) == "ingesting 1,200 of 60,000 images"
    assert in_short(Progress("decoding", 1200, None, "images")) == "decoding 1,200 images"
