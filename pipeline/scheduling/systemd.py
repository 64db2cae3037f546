"""A job as a service and a timer of the user's own systemd."""

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
# Another run at work is no failure.
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
# However many times were missed while the machine was off, it runs once when it is on again.
Persistent=true

[Install]
WantedBy=timers.target
"""


def available() -> bool:
    """Whether the user has a systemd of their own that answers."""
    return shutil.which("systemctl") is not None and _systemctl("show", "--property=Version").returncode == 0


def name(work: Path) -> str:
    """What the units of a work folder are called: by its name, and its path, for there may be others of that name."""
    readable = re.sub(r"[^A-Za-z0-9_.-]+", "-", work.name).strip("-.") or "work"
    return f"darkroom-{readable}-{hashlib.sha256(os.fsencode(work)).hexdigest()[:6]}"


def folder() -> Path:
    """Where the user's units are."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"


def units(job: Job) -> dict[Path, str]:
    """The files of a job, and what is in them.

    Raises:
        InputError: They cannot hold it.
    """
    if str(job.folder) != str(job.folder).rstrip(" \\"):
        raise InputError(f"{str(job.folder)!r} ends in a space or backslash, which no unit can hold: call from another folder")
    named = {"mark": f"By darkroom retrain --install, for {job.work}", "work": _plain(str(job.work))}
    variables = [f"Environment={_quoted(f'{variable}={value}')}" for variable, value in job.environment.items()]
    # The program's own path knows no variables, and so no way to write a dollar sign other than as it is.
    words = [_quoted(job.command[0]), *(_quoted(word).replace("$", "$$") for word in job.command[1:])]
    service = SERVICE.format(**named, folder=_plain(str(job.folder)), environment="\n".join(variables), command=" ".join(words))
    timer = TIMER.format(**named, calendar="\n".join(f"OnCalendar={when}" for when in on_calendar(job.cron)))
    base = folder() / name(job.work)
    return {base.with_name(f"{base.name}.service"): service, base.with_name(f"{base.name}.timer"): timer}


def shown(job: Job) -> list[str]:
    """What would be written, for a person to see."""
    return [line for path, text in units(job).items() for line in (f"{path}:", *text.splitlines(), "")][:-1]


def how_to_set(job: Job) -> str:
    """How a person gives the job a variable, which no later installation takes away."""
    return (
        f"give them by: systemctl --user edit {name(job.work)}.service, with the two lines [Service] and EnvironmentFile=FILE, "
        "a file of lines NAME=VALUE that only you can read"
    )


def install(job: Job) -> None:
    """Writes the units in place of those before, and starts the timer.

    Raises:
        InputError: They cannot be written, or systemd does not take them.
    """
    try:
        folder().mkdir(parents=True, exist_ok=True)
        for path, text in units(job).items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write to {folder()}: {error.strerror}") from None
    timer = f"{name(job.work)}.timer"
    for words in (["daemon-reload"], ["enable", timer], ["restart", timer]):
        done = _systemctl(*words)
        if done.returncode != 0:
            raise InputError(f"systemctl --user {' '.join(words)}: {' '.join(done.stderr.split())}")


def remove(work: Path) -> list[str]:
    """Stops a work folder's timer and takes its units away; a run that is at work goes on.

    Returns:
        The files that there were.

    Raises:
        InputError: They cannot be deleted.
    """
    base = folder() / name(work)
    link = folder() / "timers.target.wants" / f"{base.name}.timer"
    there = [path for path in (base.with_name(f"{base.name}.service"), base.with_name(f"{base.name}.timer")) if path.exists()]
    if not there:
        return []
    answers = available()
    if answers:
        _systemctl("disable", "--now", f"{base.name}.timer")
    try:
        for path in (*there, link):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot delete {error.filename}: {error.strerror}") from None
    if answers:
        _systemctl("daemon-reload")
    return [str(path) for path in there]


def lingers() -> bool:
    """Whether the user's systemd runs while they are not logged in."""
    return (LINGER / getpass.getuser()).exists()


def _quoted(text: str) -> str:
    """A word of a command line or an assignment."""
    return '"' + _plain(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _plain(text: str) -> str:
    """A value that is taken as it is, but for the specifiers that begin with a percent sign."""
    return text.replace("%", "%%")


def _systemctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemctl", "--user", *arguments], capture_output=True, text=True)
