"""Keep a job as a service and a timer of the user's systemd."""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from common.errors import InputError
from pipeline.scheduling.cron import on_calendar
from pipeline.scheduling.job import Job

LINGER = Path("/var/lib/systemd/linger")

SERVICE = """\
# {mark}
[Unit]
Description=darkroom retrain, {work}

[Service]
Type=oneshot
WorkingDirectory={folder}
{environment}
ExecStart={command}
# 4: another run is active, which is not a failure.
SuccessExitStatus=4
Nice=10
IOSchedulingClass=best-effort
IOSchedulingPriority=7
"""

TIMER = """\
# {mark}
[Unit]
Description=darkroom retrain, {work}

[Timer]
{calendar}
# Runs once after the machine was off, however many times were missed.
Persistent=true

[Install]
WantedBy=timers.target
"""


def available() -> bool:
    """Return True if the user's systemd is available."""
    return shutil.which("systemctl") is not None and _systemctl("show", "--property=Version").returncode == 0


def name(work: Path) -> str:
    """Return the name of a work folder's units. It contains a hash of the path, because other folders may have the same name."""
    readable = re.sub(r"[^A-Za-z0-9_.-]+", "-", work.name).strip("-.") or "work"
    return f"darkroom-{readable}-{hashlib.sha256(os.fsencode(work)).hexdigest()[:6]}"


def folder() -> Path:
    """Return the folder of the user's units."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"


def units(job: Job) -> dict[Path, str]:
    """Return the unit files of a job by path; raise InputError if a unit cannot represent the job."""
    if str(job.folder) != str(job.folder).rstrip(" \\"):
        raise InputError(
            f"{str(job.folder)!r} ends in a space or backslash, which systemd cannot represent: run the command from another folder"
        )
    named = {"mark": f"By darkroom retrain --install, for {job.work}", "work": _plain(str(job.work))}
    variables = [f"Environment={_quoted(f'{variable}={value}')}" for variable, value in job.environment.items()]
    # systemd expands no variables in the path of the program, so that a dollar sign there must not be escaped.
    arguments = [_quoted(job.command[0]), *(_quoted(word).replace("$", "$$") for word in job.command[1:])]
    service = SERVICE.format(**named, folder=_plain(str(job.folder)), environment="\n".join(variables), command=" ".join(arguments))
    timer = TIMER.format(**named, calendar="\n".join(f"OnCalendar={when}" for when in on_calendar(job.cron)))
    base = folder() / name(job.work)
    return {base.with_name(f"{base.name}.service"): service, base.with_name(f"{base.name}.timer"): timer}


def shown(job: Job) -> list[str]:
    """Return the lines to show before they are written."""
    return [line for path, text in units(job).items() for line in (f"{path}:", *text.splitlines(), "")][:-1]


def how_to_set(job: Job) -> str:
    """Return how the user gives the job a variable that later installations keep."""
    return (
        f"run systemctl --user edit {name(job.work)}.service, and add the two lines [Service] and EnvironmentFile=FILE, "
        "where FILE has lines NAME=VALUE and only you can read it"
    )


def install(job: Job) -> None:
    """Write the units in place of earlier ones, and start the timer; raise InputError if this fails."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
        for path, text in units(job).items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write to {folder()}: {error.strerror}") from None
    timer = f"{name(job.work)}.timer"
    for arguments in (["daemon-reload"], ["enable", timer], ["restart", timer]):
        done = _systemctl(*arguments)
        if done.returncode != 0:
            raise InputError(f"systemctl --user {' '.join(arguments)}: {' '.join(done.stderr.split())}")


def remove(work: Path) -> list[str]:
    """Stop the timer of a work folder, delete its units, and return the deleted files. A run that is active continues.

    Raise InputError if a unit cannot be deleted.
    """
    base = folder() / name(work)
    link = folder() / "timers.target.wants" / f"{base.name}.timer"
    existing = [path for path in (base.with_name(f"{base.name}.service"), base.with_name(f"{base.name}.timer")) if path.exists()]
    if not existing:
        return []
    answers = available()
    if answers:
        _systemctl("disable", "--now", f"{base.name}.timer")
    try:
        for path in (*existing, link):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot delete {error.filename}: {error.strerror}") from None
    if answers:
        _systemctl("daemon-reload")
    return [str(path) for path in existing]


def lingers() -> bool:
    """Return True if the user's systemd also runs while the user is logged out."""
    return (LINGER / getpass.getuser()).exists()


def _quoted(text: str) -> str:
    """Return a word quoted for a command line or an assignment."""
    return '"' + _plain(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _plain(text: str) -> str:
    """Return a value with percent signs escaped, which would begin specifiers."""
    return text.replace("%", "%%")


def _systemctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemctl", "--user", *arguments], capture_output=True, text=True)
