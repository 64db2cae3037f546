"""Keep a job in the user's crontab: one line, identified by the comment at its end."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from common.errors import InputError
from pipeline.scheduling.job import Job

MAX_BYTES = 998  # bytes of a command in the cron of Debian and related systems; longer ones are cut or refused


def available() -> bool:
    """Return True if there is a crontab program."""
    return shutil.which("crontab") is not None


def line(job: Job) -> str:
    """Return the crontab line of a job; raise InputError if it is longer than cron allows.

    Cron takes a plain % as a line break, and the text after it as input.
    """
    variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in job.environment.items())
    log = shlex.quote(str(job.work / "retrain.log"))
    # Redirect the shell as well: it reports a missing folder.
    command = f"exec >>{log} 2>&1; date; cd {shlex.quote(str(job.folder))} && {variables} nice -n 10 {shlex.join(job.command)}"
    escaped = f"{_escaped(command)} {mark(job.work)}"
    if len(os.fsencode(escaped)) > MAX_BYTES:
        raise InputError(
            f"the crontab line would be {len(os.fsencode(escaped)):,} characters long, and cron takes {MAX_BYTES}: "
            "move the values of --set to a --config file, use shorter paths, or --with systemd"
        )
    return f"{job.cron} {escaped}"


def mark(work: Path) -> str:
    """Return the end of a work folder's line, which is a comment for the shell."""
    return _escaped(f"# darkroom retrain: {shlex.quote(str(work))}")


def shown(job: Job) -> list[str]:
    """Return the lines to show before they are written."""
    return ["in the crontab:", line(job)]


def how_to_set(job: Job) -> str:
    """Return how the user gives the job a variable that later installations keep."""
    return "add a line NAME=VALUE for each at the top of the crontab (crontab -e)"


def install(job: Job) -> None:
    """Write the job's line in place of the earlier one, or at the end; raise InputError if the crontab cannot be changed."""
    before = _read()
    others = _others(before, job.work)
    text = "".join(others)
    _write(text + ("\n" if text and not text.endswith("\n") else "") + line(job) + "\n")


def remove(work: Path) -> list[str]:
    """Remove the line of a work folder, and return the removed lines; raise InputError if the crontab cannot be changed."""
    if not available():
        return []
    before = _read()
    others = _others(before, work)
    removed = [each.rstrip("\n") for each in before if each not in others]
    if removed:
        _write("".join(others))
    return removed


def _others(lines: list[str], work: Path) -> list[str]:
    return [each for each in lines if not each.rstrip().endswith(f" {mark(work)}")]


def _escaped(text: str) -> str:
    return text.replace("%", r"\%")


def _read() -> list[str]:
    """Return the lines of the crontab with their line breaks; empty without a crontab."""
    done = _crontab("-l")
    if done.returncode == 0:
        return [each for each in _text(done.stdout).replace("\n", "\n\0").split("\0") if each]
    message = _message(done)
    if "no crontab for" in message or "No such file" in message:
        return []
    raise InputError(f"cannot read the crontab: {message}")


def _write(text: str) -> None:
    """Replace the crontab; remove it if `text` is empty."""
    done = _crontab("-", text.encode("utf-8", "surrogateescape")) if text else _crontab("-r")
    if done.returncode != 0:
        raise InputError(f"cannot write the crontab: {_message(done)}")


def _crontab(argument: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["crontab", argument], input=given, capture_output=True, env={**os.environ, "LC_ALL": "C"})
    except OSError as error:
        raise InputError(f"cannot run crontab: {error.strerror}") from None


def _message(done: subprocess.CompletedProcess[bytes]) -> str:
    return " ".join(_text(done.stderr or done.stdout).split()) or f"crontab ended with status {done.returncode}"


def _text(given: bytes) -> str:
    return given.decode("utf-8", "surrogateescape")
