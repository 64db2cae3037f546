"""Install and remove a job in the user's systemd or cron (`darkroom retrain --install` and `--uninstall`)."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

from common.errors import InputError
from pipeline.scheduling import crontab, systemd
from pipeline.scheduling.job import Job, secrets

KEEPERS: Mapping[str, ModuleType] = {"systemd": systemd, "cron": crontab}
ABSENT = {"systemd": "the user's systemd is not available (systemctl --user)", "cron": "crontab is not installed"}


def install(job: Job, keeper: str | None, agreed: Callable[[], bool], tell: Callable[[str], object]) -> None:
    """Show what would be written, and write it if the user agrees.

    Args:
        job: The job.
        keeper: `systemd` or `cron`; None takes the first available one.
        agreed: Called after everything has been shown; returns True if the user agrees.
        tell: Called with each line to print.

    Raises:
        InputError: The keeper is not available, or cannot be written to.
    """
    chosen = choose(job, keeper, tell)
    for line in KEEPERS[chosen].shown(job):
        tell(line)
    missed = secrets()
    if missed:
        tell(f"secrets are not written: {', '.join(missed)}; the runs need credentials in files, such as ~/.aws/credentials")
    if job.lacks:
        named = ", ".join(f"{name} ({field})" for name, field in job.lacks.items())
        tell(f"variables that the configuration needs and the runs will not have: {named}; {KEEPERS[chosen].how_to_set(job)}")
    if not agreed():
        tell("nothing was written")
        return
    for other, module in KEEPERS.items():
        for removed in module.remove(job.work) if other != chosen else ():
            tell(f"removed, because it would run twice: {removed}")
    KEEPERS[chosen].install(job)
    tell(f"installed; to remove it: darkroom retrain --uninstall --work {shlex.quote(str(job.work))}")
    tell(f"output of the runs: {where(chosen, job)}")
    if chosen == "systemd" and not systemd.lingers():
        tell("it runs only while you are logged in; to run it always: loginctl enable-linger")


def choose(job: Job, keeper: str | None, tell: Callable[[str], object]) -> str:
    """Return the name of the keeper of the job; raise InputError if none, or not the requested one, is available."""
    available = [name for name in ([keeper] if keeper else KEEPERS) if KEEPERS[name].available()]
    if available:
        return available[0]
    if keeper:
        raise InputError(f"--with {keeper}: {ABSENT[keeper]}")
    tell(crontab.line(job))
    raise InputError("neither the user's systemd nor a crontab is available; on a machine with cron, add the line above by hand")


def where(keeper: str, job: Job) -> str:
    """Return where the output of the runs can be read."""
    return f"journalctl --user --unit {systemd.name(job.work)}" if keeper == "systemd" else str(job.work / "retrain.log")


def uninstall(work: Path, tell: Callable[[str], object]) -> None:
    """Remove what was installed for a work folder, and print it; raise InputError if it cannot be removed."""
    work = work.expanduser().absolute()
    removed = [line for module in KEEPERS.values() for line in module.remove(work)]
    for line in removed:
        tell(f"removed: {line}")
    if not removed:
        tell(f"nothing was installed for {work}")
