"""Names are UTF-8 whatever the locale says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
SCRIPT = """
import os, sys
from pipeline.cli.utf8 import use_utf8
print("began", flush=True)
use_utf8({arguments})
print(sys.getfilesystemencoding(), sys.argv[1:], os.environ["PYTHONUTF8"])
"""


def run(arguments: str, *options: str, **environment: str) -> str:
    script = SCRIPT.format(arguments=arguments)
    command = [sys.executable, *options, "-c", script, "run", "größe"]
    ended = subprocess.run(command, env={**os.environ, **C_LOCALE, **environment}, capture_output=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.decode()


@pytest.mark.parametrize("arguments", ["None", "sys.argv[1:]", "['run', *sys.argv[1:]]"])
def test_a_program_begins_anew_once(arguments: str) -> None:
    assert run(arguments) == "began\nbegan\nutf-8 ['run', 'größe'] 1\n"


def test_a_program_that_does_not_heed_the_environment_does_too() -> None:
    assert run("None", "-E") in ("began\nbegan\nutf-8 ['run', 'größe'] 1\n", "began\nutf-8 ['run', 'größe'] 0\n")


def test_a_program_in_utf_8_goes_on() -> None:
    assert run("None", PYTHONUTF8="1") == "began\nutf-8 ['run', 'größe'] 1\n"


def test_a_program_of_somebody_elses_goes_on_as_it_is() -> None:
    assert run("['generate', '--help']").startswith("began\nascii ")


def test_what_an_encoding_lacks_is_written_as_an_escape(tmp_path: Path) -> None:
    script = "from pipeline.cli.utf8 import use_utf8; use_utf8([]); print('größe-日本 \\udcff')"
    for encoding, words in (("latin-1", b"gr\xf6\xdfe-\\u65e5\\u672c \\udcff\n"), ("utf-8", "größe-日本 \\udcff\n".encode())):
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, timeout=60)
        assert ended.stdout == words, ended.stderr
