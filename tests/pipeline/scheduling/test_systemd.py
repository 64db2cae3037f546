"""Units: what systemd makes of them is what was meant, whatever the names and arguments hold."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import InputError
from pipeline.scheduling import systemd
from pipeline.scheduling.job import Job
from tests.project import ROOT
from tests.schedulers import under_systemd

ODD = (
    "a b",
    'say "x"',
    "it's",
    "50% of $HOME, ${HOME} and $$",
    r"back\slash \n \x41",
    "ä{SPAN}",
    "",
    ";",
    "-5",
    "#no",
    "*",
    "@x !y",
)


def job(tmp_path, cron="0 3 * * *", command=("/bin/true", *ODD)):
    folder = tmp_path / '50% of $HOME\'s "pictures"'
    folder.mkdir(exist_ok=True)
    variables = {"PATH": "/usr/bin:/bin", "ODD": "".join(ODD)}
    return Job(cron, command, tmp_path / "a 50% model", folder, variables)


def test_names_are_readable_and_of_one_folder_each():
    names = [systemd.name(Path(path)) for path in ("/a/cats", "/b/cats", "/a/cats & dogs/", "/", "/ä")]
    assert names[0].startswith("darkroom-cats-") and names[2].startswith("darkroom-cats-dogs-") and len(set(names)) == 5
    assert names[0] == systemd.name(Path("/a/cats"))


def test_two_kinds_of_days_are_two_lines(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    _, timer = systemd.units(job(tmp_path, "0 3 13 * 5")).values()
    assert "OnCalendar=*-*-13 03:00:00\nOnCalendar=Fri *-*-* 03:00:00\n" in timer and "\nPersistent=true\n" in timer


def test_how_to_give_it_a_variable(tmp_path):
    said = systemd.how_to_set(job(tmp_path))
    assert f"systemctl --user edit {systemd.name(tmp_path / 'a 50% model')}.service" in said and "EnvironmentFile=FILE" in said


def test_a_folder_that_no_unit_can_hold(tmp_path):
    for name in ("pictures ", "pictures\\"):
        with pytest.raises(InputError, match="another folder"):
            systemd.units(Job("0 3 * * *", ("/bin/true",), tmp_path, tmp_path / name, {}))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze here")
def test_systemd_finds_no_fault(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    units = systemd.units(job(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # some folder; nothing is put there
    systemd.folder().mkdir(parents=True)
    for path, text in units.items():
        path.write_text(text)
    done = subprocess.run(["systemd-analyze", "--user", "verify", *map(str, units)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    broken = next(iter(units))
    broken.write_text(broken.read_text().replace("ExecStart=", "ExecStrat="))
    assert subprocess.run(["systemd-analyze", "--user", "verify", str(broken)], capture_output=True).stderr


def test_a_systemd_of_ones_own_runs_the_job_as_it_was_meant(tmp_path):
    """All of it with the real one: installed, started, installed anew, taken away."""
    out = tmp_path / "out.json"
    tell = "import json, os, sys; json.dump([sys.argv[1:], os.getcwd(), os.environ['ODD'], os.nice(0)], open(sys.argv.pop(), 'w'))"
    made = job(tmp_path, "0 3 13 * 5", (sys.executable, "-c", tell, *ODD, str(out)))
    script = f"""
import sys; sys.path[0] = {str(ROOT)!r}
import subprocess
from pathlib import PosixPath
from pipeline.scheduling import systemd
from pipeline.scheduling.job import Job
def ask(*words):
    return subprocess.run(["systemctl", "--user", *words], capture_output=True, text=True, check=True).stdout
job = {made!r}
assert systemd.available() and systemd.remove(job.work) == []
systemd.install(job)
name = systemd.name(job.work)
assert "03:00:00" in ask("list-timers")
ask("start", name + ".service")
again = Job("30 4 * * *", *list(vars(job).values())[1:])
systemd.install(again)
assert "04:30:00" in ask("list-timers") and "03:00:00" not in ask("list-timers")
assert len(systemd.remove(job.work)) == 2
assert name not in ask("list-timers", "--all") and not [each for each in systemd.folder().rglob("*") if not each.is_dir()]
"""
    under_systemd(script, tmp_path / "config")
    arguments, folder, variable, nice = json.loads(out.read_text())
    assert arguments == [*ODD, str(out)]
    assert (folder, variable, nice) == (str(made.folder), "".join(ODD), 10)
