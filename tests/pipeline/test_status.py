"""How a process ends."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from pipeline.status import Status

SCRIPT = """
    import atexit
    import tensorflow as tf
    from pipeline.status import Status, leave

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
