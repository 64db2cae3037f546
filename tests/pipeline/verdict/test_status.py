"""How a process ends."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from common.lines import in_one_line
from pipeline.verdict.status import Status

SCRIPT = """
    import atexit
    import tensorflow as tf
    from pipeline.verdict.status import Status, leave

    @tf.function
    def halve(x):
        while x > 1:
            x /= 2
        return x

    print(float(halve(tf.constant(8.0))), end="")
    atexit.register(print, "never said")
    leave(Status.REFUSED)
"""


def test_a_process_is_left_at_once_with_its_status_its_words_and_no_temporary_file(tmp_path: Path) -> None:
    script, temporary = tmp_path / "script.py", tmp_path / "temporary"
    script.write_text(textwrap.dedent(SCRIPT))
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": os.getcwd(), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout) == (Status.REFUSED, "1.0"), ended.stderr
    assert list(temporary.iterdir()) == []


def test_a_process_whose_terminal_is_gone_is_left_with_its_status() -> None:
    script = "import os, pty, sys; from pipeline.verdict.status import Status, leave\n"
    script += "ours, theirs = pty.openpty(); os.dup2(theirs, 1); os.dup2(theirs, 2); os.close(theirs); os.close(ours)\n"
    script += "sys.stdout = os.fdopen(1, 'w', buffering=9999); sys.stdout.write('never read'); leave(Status.INTERRUPTED)"
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == Status.INTERRUPTED


def test_what_is_wrong_is_one_short_line_whatever_the_file_is_called(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from pipeline.cli.main import cli

    for name, words in (("\n".join(["a" * 200] * 9), "File name too long"), ("/".join(["a\x1b\n" * 50] * 9), "darkroom run")):
        result = CliRunner().invoke(cli, ["report", "--work", str(tmp_path / name)])
        assert result.exit_code == Status.MISTAKE
        (line,) = result.stderr.splitlines()
        assert line.startswith("invalid: ") and len(line) < 200 and in_one_line(line) == line and words in line
