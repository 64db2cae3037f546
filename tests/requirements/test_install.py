"""`requirements/install.sh`: which line of TFX it chooses, by the system's glibc and the Pythons that are there."""

import os
import shutil
import subprocess

import pytest

from tests.project import ROOT

TOOLS = ("bash", "cat", "cut", "dirname", "rm", "sed", "sort", "touch")
PYTHON = """#!/usr/bin/env bash
case "$*" in
  *executable*) echo "$0"; [[ "$*" == *"!= '{version}'"* ]];;
  *%d.%d.%d*) echo {version}.1;;
  *%d.%d*) echo {version};;
esac
"""
UV = """#!/usr/bin/env bash
echo "$*" >>uv.log
[ "$1" = venv ] || exit 0
case "$4" in
  /*) python=$4;;
  *) python=fetchable/python$4;;
esac
mkdir -p .venv/bin && cp "$python" .venv/bin/python
"""


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def install(tmp_path):
    """Runs the script with a glibc and some Pythons; returns its status, what it said, and what it had uv do."""

    def run(glibc, pythons=(), fetchable=(), **chosen):
        for tool in (*TOOLS, "cp", "env", "mkdir"):
            (tmp_path / "bin").mkdir(exist_ok=True)
            (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
        write(tmp_path / "bin/getconf", f"#!/usr/bin/env bash\necho glibc {glibc}\n")
        write(tmp_path / "bin/python3", "#!/usr/bin/env bash\n")  # it has pip, and is of no use otherwise
        write(tmp_path / ".uv/bin/uv", UV)
        for version in pythons:
            write(tmp_path / f"bin/python{version}", PYTHON.format(version=version))
        for version in fetchable:
            write(tmp_path / f"fetchable/python{version}", PYTHON.format(version=version))
        (tmp_path / "requirements").mkdir()
        shutil.copy(ROOT / "requirements/install.sh", tmp_path / "requirements")
        environment = {"PATH": str(tmp_path / "bin"), "PYENV_ROOT": str(tmp_path / "none"), **chosen}
        script = [tmp_path / "requirements/install.sh"]
        done = subprocess.run([tmp_path / "bin/bash", *script], env=environment, capture_output=True, text=True, timeout=60)
        log = tmp_path / "uv.log"
        return done.returncode, done.stderr.splitlines(), log.read_text() if log.exists() else ""

    return run


@pytest.mark.parametrize(
    ("glibc", "pythons", "fetchable", "chosen", "line", "said"),
    [
        ("2.41", ("3.10", "3.13"), (), {}, "1.21", "TFX 1.21 on Python 3.13.1: the newest, for glibc 2.39 and later (here 2.41)"),
        ("2.39", ("3.11", "3.12", "3.13"), (), {}, "1.21", "TFX 1.21 on Python 3.12.1: "),
        ("2.41", ("3.10",), ("3.12",), {}, "1.21", "TFX 1.21 on Python 3.12.1: "),
        ("2.41", ("3.10",), (), {}, "1.16", "TFX 1.16 on Python 3.10.1: no Python for TFX 1.21 is here and uv could not fetch one"),
        ("2.36", ("3.10", "3.12"), (), {}, "1.16", "TFX 1.16 on Python 3.10.1: TFX 1.21 needs glibc 2.39 (here 2.36)"),
        ("2.9", (), ("3.10",), {}, "1.16", "TFX 1.16 on Python 3.10.1: "),
        ("2.41", ("3.10", "3.12"), (), {"LINE": "1.16"}, "1.16", "TFX 1.16 on Python 3.10.1: as LINE says"),
        ("2.41", ("3.11", "3.12"), (), {"PYTHON": "3.11"}, "1.21", "TFX 1.21 on Python 3.11.1: as PYTHON says"),
        ("2.41", ("3.10",), (), {"PYTHON": "python3.10"}, "1.16", "TFX 1.16 on Python 3.10.1: as PYTHON says"),
    ],
)
def test_the_line_is_chosen_and_said(install, tmp_path, glibc, pythons, fetchable, chosen, line, said):
    status, lines, log = install(glibc, pythons, fetchable, **chosen)
    assert status == 0, lines
    assert lines[0].startswith(f"darkroom: {said}")
    assert f"--require-hashes requirements/{line}/lock.txt" in log
    assert (tmp_path / ".venv/line").read_text().strip() == line
    assert os.path.exists(tmp_path / ".venv/.ready")


@pytest.mark.parametrize(
    ("glibc", "pythons", "chosen", "said"),
    [
        ("2.36", ("3.12",), {}, "no Python 3.10 is here and uv could not fetch one: install it, such as by pyenv"),
        ("2.41", (), {}, "no Python 3.12 or 3.13 or 3.11 is here and uv could not fetch one: install it, such as by pyenv"),
        ("2.36", ("3.12",), {"LINE": "1.21"}, "TFX 1.21 needs glibc 2.39, and this system has 2.36: use LINE=1.16, or Debian 13"),
        ("2.36", ("3.12",), {"PYTHON": "3.12"}, "TFX 1.21 needs glibc 2.39, and this system has 2.36: use LINE=1.16, or Debian 13"),
        ("2.41", (), {"LINE": "1.17"}, "LINE=1.17 is neither 1.21 nor 1.16"),
        ("2.41", (), {"PYTHON": "3.12"}, "PYTHON=3.12 was not found"),
        ("2.41", ("3.9",), {"PYTHON": "3.9"}, "PYTHON=3.9 is Python 3.9, and TFX needs 3.10 to 3.13"),
        (
            "2.41",
            ("3.10",),
            {"PYTHON": "3.10", "LINE": "1.21"},
            "PYTHON=3.10 is Python 3.10, and TFX 1.21 needs 3.12 or 3.13 or 3.11",
        ),
        ("", (), {}, "TFX needs a Linux with glibc, such as Debian 13 or Ubuntu 24.04"),
    ],
)
def test_where_no_line_can_be_chosen_one_line_says_what_to_do(install, tmp_path, glibc, pythons, chosen, said):
    status, lines, _ = install(glibc, pythons, **chosen)
    assert status == 1 and len(lines) == 1
    assert lines[0].startswith(f"darkroom: {said}") and len(lines[0]) < 200
    assert not (tmp_path / ".venv/.ready").exists()


@pytest.mark.parametrize("line", ["1.16", "1.21"])
def test_the_constraints_are_what_is_locked(line):
    """They have no hashes: with hashes, pip asks for a hash of everything, this project included."""

    def versions(text):
        return {entry.rstrip(" \\") for entry in text.splitlines() if "==" in entry and entry[0] not in "# "}

    locked = versions((ROOT / f"requirements/{line}/lock.txt").read_text())
    assert len(locked) > 250
    constraints = (ROOT / f"requirements/{line}.txt").read_text()
    assert versions(constraints) == locked and "--hash" not in constraints
